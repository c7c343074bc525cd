"""How well transferability scores order (source, layer, pooling) by what a linear head reaches on the test rows.

    python benchmarks/scores.py --data DATA [--weights WEIGHTS] [--judges training] [--rows N ...] [CELL ...]

DATA and WEIGHTS are folders with the public sets and ImageNet weights that docs/benchmarks.md lists. Scores see
training rows only; what is reached is the metric of a logistic head fitted to the same rows, on test rows. It is the
frozen source that is judged, not one that is tuned, which favours the probe among the scores. With `--judges training`
the head is judged by one half of the training rows and everything else sees the other half: from that the scores that
are combined were chosen, of all combinations the one with the best mean over sets and among the best of its size.
Results go to benchmarks/results/scores.json: every candidate's scores, and the weighted tau of each score and of their
combination.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from main_road import machine

import landbridge
from landbridge.core import registry
from landbridge.core.domain import Domain
from landbridge.core.model import mean_pool
from landbridge.engine.predictor import open_source
from landbridge.engine.supply import Supply, in_order
from landbridge.nn.solve import Adjustment, make_folds, solve_logistic
from landbridge.planning.measuring import Candidate, measure
from landbridge.planning.ranking import DEFAULT, combined, weighted_tau
from landbridge.planning.scores.rows import some

RESULTS = Path(__file__).parent / "results" / "scores.json"
SCORES = (*DEFAULT, "transrate", "h_score", "sfda", "parc", "nleep")
BY = (("standardised", 1), ("rank", -1))  # of ranks the least is best
IMAGE = ("transformers:{weights}/mobilenet_v2_1.0_224", "transformers:{weights}/mobilenet_v1_0.25_128")


@dataclass(frozen=True)
class Cell:
    """A data set and the sources that are compared on it."""

    path: str
    sources: tuple[str, ...]


CELLS = {
    "banking77": Cell("banking77", ("embedded:minilm",)),
    "sst2": Cell("sst2", ("embedded:minilm",)),
    "bccd_cells": Cell("bccd_cells/crops.zip", IMAGE),
    "magnetic_tile": Cell("magnetic_tile/images.zip", IMAGE),
    "ag_news_test": Cell("ag_news_test", ("embedded:minilm",)),
    "amazon_multidomain": Cell("amazon_multidomain", ("embedded:minilm",)),
    "xlmt_sentiment8": Cell("xlmt_sentiment8", ("embedded:minilm",)),
    "hymenoptera": Cell("hymenoptera/images.zip", IMAGE),
    "office_caltech10": Cell("office_caltech10/images.zip", IMAGE),
}


@torch.inference_mode()
def read_layers(domain: Domain, source: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Features of the rows after each block, by the mean and the maximum of the tokens, and as the source pools."""
    bridge, body = registry.find("bridges", "native")(), open_source(source, modality=domain.modality.part_name)
    body = bridge.connect(body, bridge.fit(body, domain, rows)).eval()
    supply, name = Supply(domain, body.prepare), re.split("[/:]", source)[-1]
    found: dict[str, np.ndarray] = {}

    def keep(layer: str, positions: np.ndarray, features: torch.Tensor) -> None:
        kept = found.setdefault(f"{name} {layer}", np.zeros((len(rows), features.shape[1]), np.float32))
        kept[positions] = features.float().numpy()

    for positions in in_order(rows, supply.lengths(rows), 32):
        tokens, mask = body.embed(supply.inputs(rows[positions]))
        for number, block in enumerate(body.blocks, 1):
            tokens, mask = block(tokens, mask)
            padding = mask.flatten(1).unsqueeze(-1) == 0
            keep(f"block {number} mean", positions, mean_pool(tokens, mask))
            keep(f"block {number} max", positions, tokens.masked_fill(padding, -torch.inf).amax(1))
        keep("end", positions, body.pool(tokens, mask))
    return found


def reached(domain: Domain, features: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """The task's metric of a logistic head on the test rows; `train` and `test` are numbers of rows of `features`."""
    task, known, asked = domain.task, torch.from_numpy(features[: len(train)]), torch.from_numpy(features[len(train) :])
    truth = domain.targets[train]
    adjustment = Adjustment.of(known, normalise=True, standardise=True)
    folds = make_folds(len(train), known.shape[1], task.outputs, 0, strata=task.strata(truth), groups=None)
    hot = torch.nn.functional.one_hot(torch.from_numpy(truth), task.outputs).float()
    solution, _ = solve_logistic(known, hot, adjustment, judge=task.score, truth=truth, fold_RN=folds)
    output = adjustment(asked) @ solution.weight.T + solution.bias
    return task.score(output.numpy(), domain.targets[test])


def compare(cell: Cell, asked: argparse.Namespace) -> Iterator[tuple[int, dict[str, Any]]]:
    """For each number of rows the scores, what was reached, and how well the one foretold the other."""
    began, seed = time.monotonic(), asked.seed
    with tempfile.TemporaryDirectory() as cache:
        domain = landbridge.read(asked.data / cell.path, cache=cache, seed=seed)
        generator, fold = np.random.default_rng(seed), domain.folds[0]
        known, judges = fold.rest, fold.test
        if asked.judges == "training":
            judges, known = np.array_split(generator.permutation(fold.rest), 2)
        train, test = (rows[some(domain.targets[rows], asked.most, generator)] for rows in (known, judges))
        features: dict[str, np.ndarray] = {}
        for source in cell.sources:
            features |= read_layers(domain, source.format(weights=asked.weights), np.r_[train, test])
        timing = {"read_s": time.monotonic() - began, "test": len(test)}
    for count in sorted({min(n, len(train)) for n in asked.rows or [asked.most]}):
        few = some(domain.targets[train], count, generator)
        seen = np.r_[few, len(train) + np.arange(len(test))]
        layers = {name: layer[seen] for name, layer in features.items()}
        yield count, judged(domain, layers, train[few], test, asked.seed) | timing | {"train": len(few)}


def judged(
    domain: Domain, layers: dict[str, np.ndarray], train: np.ndarray, test: np.ndarray, seed: int
) -> dict[str, Any]:
    """Scores of the training rows, and what was reached on the others."""
    figure = {name: reached(domain, layer, train, test) for name, layer in layers.items()}
    candidates = {name: Candidate(features=layer[: len(train)]) for name, layer in layers.items()}
    began, most = time.monotonic(), len(train)
    found = measure(candidates, domain.targets[train], domain.task, scores=SCORES, resamples=0, most=most, seed=seed)
    table = {name: [float(f"{v:.6g}") for v in row] for name, row in zip(found.candidates, found.values, strict=True)}
    return {
        "metric": domain.task.metric,
        "reached": figure,
        "scores": found.scores,
        "table": table,
        "score_s": time.monotonic() - began,
    }


def taus(found: dict[str, Any]) -> dict[str, float]:
    """Weighted tau of each score and of the default combination with what was reached."""
    truth = np.array(list(found["reached"].values()))
    values = np.array([found["table"][name] for name in found["reached"]])
    each = {score: weighted_tau(values[:, s], truth) for s, score in enumerate(found["scores"])}
    default = values[:, [found["scores"].index(score) for score in DEFAULT]]
    return each | {f"default by {by}": weighted_tau(combined(default, by) * sign, truth) for by, sign in BY}


def main() -> None:
    """Compare in the asked cells (default all) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="cells to run, default all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="needed by cells of images")
    parser.add_argument("--most", type=int, default=2000, help="rows of training and of test that are read")
    parser.add_argument("--rows", type=int, nargs="+", help="training rows that are seen; all that were read")
    parser.add_argument("--judges", choices=("test", "training"), default="test", help="rows that judge the head")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results file")
    asked = parser.parse_args()
    for name in asked.cells or CELLS:
        cell = CELLS[name]
        if not (asked.data / cell.path).exists() or (asked.weights is None and cell.sources == IMAGE):
            print(f"{name}: skipped, {cell.path} is not in the data folder or --weights is missing")
            continue
        before = machine()
        for count, found in compare(cell, asked):
            key = f"{asked.judges}/{name}/{count}/{asked.seed}"
            results = json.loads(asked.out.read_text()) if asked.out.exists() else {}
            results[key] = {"machine": before} | found
            results = {k: r | {"tau": taus(r)} for k, r in results.items()}
            asked.out.parent.mkdir(exist_ok=True)
            asked.out.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
            print(f"{key}:", ", ".join(f"{k} {v:.2f}" for k, v in results[key]["tau"].items()), flush=True)


if __name__ == "__main__":
    main()
