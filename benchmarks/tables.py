"""The table head against gradient boosting on small tables: areas under the curve, ranks and seconds.

    python benchmarks/tables.py --data DATA [--source embedded:tables] [--rows 1000] [--seeds 5] [SET ...]

DATA is a folder with the public tab_* sets that docs/benchmarks.md lists; those that are absent are left out and said.
Of the training rows of the official split so many are drawn, class by class, anew for each seed; at most 2,000 test
rows are asked about. Beside the head stand the product's own rival (`boosted`), scikit-learn's histogram boosting as it
comes, and the same under a random search by cross-validation. What is compared is the area under the ROC curve (one
against the rest, mean over classes), set down before anything was measured; accuracy and cross-entropy are told too.
Ranks are those of the means over seeds, 1 for the best. Results are merged into benchmarks/results/tables.json, each
line with its threads; `--methods head` measures the head again alone, on the same rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from main_road import machine
from scipy.special import softmax
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold

from landbridge.core.domain import Domain
from landbridge.core.seeds import numpy_generator
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import part, single
from landbridge.reading.read import read
from landbridge.rivals.boosted import Boosted
from landbridge.rivals.columns import Columns

RESULTS = Path(__file__).parent / "results" / "tables.json"
SETS = {
    "tab_adult": ("", "income"),
    "tab_breast_cancer_wisconsin": ("data.csv", "class"),
    "tab_german_credit": ("data.csv", "credit_risk"),
    "tab_mammography": ("data.csv", "cancer"),
    "tab_phoneme": ("data.csv", "nasal_oral"),
    "tab_pima_diabetes": ("data.csv", "diabetes"),
    "tab_telco_churn_disc": ("data.csv", "TARGET"),
    "tab_titanic": ("data.csv", "survived"),
    "tab_wine_quality_red": ("data.csv", "quality"),
    "tab_wine_quality_white": ("data.csv", "quality"),
}
MOST_TESTED = 2000
DRAWS, FOLDS = 25, 5  # of the random search
SPACE = {
    "learning_rate": np.geomspace(0.01, 0.3, 12).tolist(),
    "max_iter": [50, 100, 200, 400],
    "max_leaf_nodes": [4, 8, 16, 31, 64],
    "min_samples_leaf": [2, 5, 10, 20, 40],
    "l2_regularization": [0.0, 0.1, 1.0, 10.0],
    "max_features": [0.3, 0.6, 1.0],
}


@dataclass(frozen=True)
class Split:
    """A domain with the rows to learn from and those that are asked about."""

    domain: Domain
    train: np.ndarray
    test: np.ndarray
    seed: int

    @property
    def classes(self) -> int:
        """C, those that training rows do not show included."""
        return self.domain.task.outputs


def in_context(source: str) -> Callable[[Split], np.ndarray]:
    """The table head, from the opened source to probabilities."""

    def answer(split: Split) -> np.ndarray:
        recipe = single(source, part("bridges", "columns"), "probe(head='context')")
        with tempfile.TemporaryDirectory() as folder:
            workshop = Workshop(split.domain, device=torch.device("cpu"), folder=Path(folder), seed=split.seed)
            made = attempt(
                workshop, Order(recipe=recipe, train=split.train, validation=split.test[:0], seed=split.seed)
            )
        assert made.predictor is not None
        return softmax(made.predictor.predict(split.domain.examples(split.test)), axis=1)

    return answer


def rival(split: Split) -> np.ndarray:
    """The control that the product itself delivers where transfer does not pay."""
    made = Boosted().fit(split.domain, split.train, split.seed)
    return softmax(made.predict(split.domain.examples(split.test)), axis=1)


def untuned(split: Split) -> np.ndarray:
    """Histogram boosting as scikit-learn sets it."""
    known, asked, category = _matrices(split)
    model = HistGradientBoostingClassifier(categorical_features=category, random_state=split.seed)
    return _spread(model.fit(known, split.domain.targets[split.train]), asked, split.classes)


def searched(split: Split) -> np.ndarray:
    """The same, the best of a random search by cross-validated log loss."""
    known, asked, category = _matrices(split)
    target = split.domain.targets[split.train]
    rarest = int(np.unique(target, return_counts=True)[1].min())
    folds = StratifiedKFold(max(2, min(FOLDS, rarest)), shuffle=True, random_state=split.seed)
    model = HistGradientBoostingClassifier(categorical_features=category, random_state=split.seed)
    search = RandomizedSearchCV(
        model, SPACE, n_iter=DRAWS, scoring="neg_log_loss", cv=folds, random_state=split.seed, error_score="raise"
    )
    return _spread(search.fit(known, target).best_estimator_, asked, split.classes)


def _matrices(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training and test features as the product's rival reads them, and which of them are categories."""
    rows = list(split.domain.examples(split.train))
    columns = Columns.fit(rows, split.domain.reading.get("columns", {}), split.seed)
    return columns.matrix(rows), columns.matrix(list(split.domain.examples(split.test))), columns.categorical


def _spread(model: Any, asked: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities of all classes, 0 for those that the model never saw."""
    found = np.zeros((len(asked), classes))
    found[:, model.classes_] = model.predict_proba(asked)
    return found


def measured(shares: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Area under the curve, accuracy and cross-entropy."""
    there = np.unique(truth)
    areas = [roc_auc_score(truth == c, shares[:, c]) for c in there]
    area = areas[-1] if shares.shape[1] == 2 else float(np.mean(areas))
    clipped = np.clip(shares, 1e-6, 1.0)
    loss = log_loss(truth, clipped / clipped.sum(1, keepdims=True), labels=np.arange(shares.shape[1]))
    return {"auc": float(area), "accuracy": float((shares.argmax(1) == truth).mean()), "log_loss": float(loss)}


def drawn(domain: Domain, rows: int, seed: int) -> Split:
    """Training rows drawn class by class, and the test rows, the same for every seed."""
    generator, rest = numpy_generator(seed, "benchmark tables"), domain.folds[0].rest
    order = generator.permutation(rest)
    place = np.zeros(len(order))
    for label in np.unique(domain.targets[rest]):
        at = np.flatnonzero(domain.targets[order] == label)
        place[at] = np.arange(len(at)) / len(at)
    train = np.sort(order[np.argsort(place, kind="stable")[:rows]])
    test = numpy_generator(0, "tested").permutation(domain.folds[0].test)[:MOST_TESTED]
    return Split(domain, train, np.sort(test), seed)


def ranks(cells: Sequence[dict[str, Any]], metric: str) -> dict[str, float]:
    """Mean rank of each method over the sets, 1 for the best."""
    methods, sets = sorted({c["method"] for c in cells}), sorted({c["set"] for c in cells})
    sign = 1.0 if metric == "log_loss" else -1.0
    table = [
        [sign * np.mean([c[metric] for c in cells if (c["set"], c["method"]) == (s, m)]) for m in methods] for s in sets
    ]
    return dict(zip(methods, np.mean([rankdata(line) for line in table], axis=0).tolist(), strict=True))


def main() -> None:
    """Every set, seed and method; the file is written after each set."""
    parser = argparse.ArgumentParser(description="The table head against gradient boosting.")
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", default="embedded:tables")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    methods = {**METHODS, "head": in_context(asked.source)}
    told = {"threads": asked.threads, "rows": asked.rows, "machine": machine()}
    for name in asked.sets:
        file, target = SETS[name]
        if not (asked.data / name).is_dir():
            print(f"{name}: not in {asked.data}, left out")
            continue
        domain = read(asked.data / name / file, task="classify", target=target)
        found = []
        for seed, method in itertools.product(range(asked.seeds), asked.methods):
            split = drawn(domain, asked.rows, seed)
            began = time.monotonic()
            shares = methods[method](split)
            seconds = time.monotonic() - began
            line = {"set": name, "seed": seed, "method": method, **measured(shares, domain.targets[split.test])}
            line |= {"seconds": seconds, "train": len(split.train), "test": len(split.test), "classes": split.classes}
            found.append(line | told | ({"source": asked.source} if method == "head" else {}))
            print(*(f"{v:.4f}" if isinstance(v, float) else v for v in list(line.values())[:7]), flush=True)
        merge(found, asked.out)
    if asked.out.is_file():
        print(json.dumps({k: v for k, v in json.loads(asked.out.read_text()).items() if k != "cells"}, indent=1))


def merge(found: Sequence[dict[str, Any]], out: Path) -> None:
    """Put lines into the results file in place of those of the same set, seed and method, and tell ranks anew."""
    before = json.loads(out.read_text())["cells"] if out.is_file() else []
    lines = {(c["set"], c["seed"], c["method"]): c for c in [*before, *found]}
    cells = [lines[key] for key in sorted(lines)]
    seeds = {m: {(c["set"], c["seed"]) for c in cells if c["method"] == m} for m in METHODS}
    shared = set.intersection(*seeds.values())
    compared = [c for c in cells if (c["set"], c["seed"]) in shared]
    took = {m: [c["seconds"] for c in compared if c["method"] == m] for m in METHODS}
    summary = {
        "command": "python benchmarks/tables.py --data DATA",
        "compared": {"sets": len({s for s, _ in shared}), "draws": len(shared)},
        "mean_rank": {metric: ranks(compared, metric) for metric in ("auc", "accuracy", "log_loss")} if shared else {},
        "seconds": {m: {"mean": float(np.mean(t)), "median": float(np.median(t))} for m, t in took.items() if t},
        "cells": cells,
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(summary, indent=1) + "\n")


METHODS = {"head": in_context("embedded:tables"), "boosted": rival, "untuned": untuned, "searched": searched}


if __name__ == "__main__":
    main()
