"""Where the defaults come from: every candidate setting tried on training rows alone.

    python benchmarks/defaults.py --data DATA --weights WEIGHTS [QUESTION ...]

Each set's own test rows are left out before anything begins: of the remaining rows some a class are taken to train on,
and up to 2,000 others judge. So a default that stands in the code was never chosen by a test score. Results go to
benchmarks/results/defaults.json, question by question, with machine, versions and seeds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from main_road import machine

from landbridge.core import codec
from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.recipe import Recipe, Stage
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.precision import pick_device
from landbridge.engine.workshop import Workshop
from landbridge.nn.kernel import GAMMAS, RIDGES, rbf
from landbridge.nn.solve import Adjustment, make_folds, solve_bent, solve_discriminant, solve_logistic
from landbridge.planning.candidates import single
from landbridge.reading.read import read

RESULTS = Path(__file__).parent / "results" / "defaults.json"
JUDGES = 2000  # rows that judge at most
TEXTS = ("banking77", "ag_news_test", "sst2", "amazon_multidomain", "xlmt_sentiment8")
PICTURES = ("hymenoptera/images.zip", "bccd_cells/crops.zip", "office_caltech10/images.zip")
MINILM = "embedded:minilm"
V2 = "transformers:{weights}/mobilenet_v2_1.0_224"

Found = Iterator[dict[str, Any]]


def few(domain: Domain, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """k rows a class to train on and other rows to judge by, none of them test rows."""
    rest = np.random.default_rng(seed).permutation(domain.folds[0].rest)
    classes = domain.targets[rest]
    train = np.concatenate([rest[classes == c][:k] for c in np.unique(classes)])
    return np.sort(train), np.sort(np.setdiff1d(rest, train, assume_unique=True)[:JUDGES])


def workshop(domain: Domain, folder: str) -> Workshop:
    """A fresh workshop over the domain."""
    return Workshop(domain, device=pick_device("cpu"), folder=Path(folder), seed=0)


@dataclass(frozen=True)
class Draw:
    """Frozen features of labelled rows, and of others that judge."""

    task: Task
    rows: torch.Tensor
    others: torch.Tensor
    train: np.ndarray
    judge: np.ndarray

    @property
    def aim(self) -> torch.Tensor:
        """The labels, one-hot."""
        return torch.nn.functional.one_hot(torch.from_numpy(self.train), self.task.outputs).float()


def draws(data: Path, weights: Path, labels: Sequence[int], seeds: int) -> Iterator[tuple[str, int, list[Draw]]]:
    """For each set and number of labels a class the draws of training rows, seed by seed."""
    native = codec.parse("bridges", "native")
    for name, source in [(n, MINILM) for n in TEXTS] + [(n, V2.format(weights=weights)) for n in PICTURES]:
        domain = read(data / name, seed=0)
        with tempfile.TemporaryDirectory() as folder:
            shop, rest = workshop(domain, folder), domain.folds[0].rest
            some = np.sort(np.random.default_rng(0).permutation(rest)[: 3 * JUDGES])
            features = torch.from_numpy(shop.features(shop.road(source, native, some), (), some))
        target = domain.targets[some]
        for k in labels:
            found = []
            for seed in range(seeds):
                order = np.random.default_rng(seed).permutation(len(some))
                train = np.concatenate([order[target[order] == c][:k] for c in np.unique(target)])
                judge = np.setdiff1d(order, train, assume_unique=True)[:JUDGES]
                if len(judge) >= 100:
                    found.append(Draw(domain.task, features[train], features[judge], target[train], target[judge]))
            yield name, k, found


def means(name: str, k: int, scores: dict[str, list[float]]) -> Found:
    """A line for each setting."""
    for setting, values in scores.items():
        yield {"set": name, "labels": k, "setting": setting, "score": float(np.mean(values)), "seeds": len(values)}


def kernel(data: Path, weights: Path) -> Found:
    """Accuracy of kernel ridge for every gamma and ridge, 5 to 50 labels a class."""
    for name, k, found in draws(data, weights, (5, 10, 20, 50), 3):
        scores: dict[str, list[float]] = {}
        for draw in found:
            ready = Adjustment.of(draw.rows, normalise=True, standardise=True)
            rows, other, share = ready(draw.rows), ready(draw.others), draw.aim.mean(0)
            for gamma in GAMMAS:
                matrix, across = rbf(rows, rows, gamma), rbf(other, rows, gamma)
                for ridge in RIDGES:
                    dual = torch.linalg.solve(matrix + ridge * torch.eye(len(rows)), draw.aim - share)
                    output = (across @ dual + share).numpy()
                    now = draw.task.score(output, draw.judge)
                    scores.setdefault(f"gamma {gamma:g}, ridge {ridge:g}", []).append(now)
        yield from means(name, k, scores)


def spread(data: Path, weights: Path) -> Found:
    """How many rows the mean spread of the columns counts as, 4 to 32 labels a class: none is dividing each column by
    its own spread, infinitely many is centring alone."""
    for name, k, found in draws(data, weights, (4, 8, 16, 32), 3):
        scores: dict[str, list[float]] = {}
        for seed, draw in enumerate(found):
            outputs = draw.task.outputs
            given = {"judge": draw.task.score, "truth": draw.train}
            width = draw.rows.shape[1]
            fold_RN = make_folds(len(draw.train), width, outputs, seed, strata=draw.train, groups=None)
            for doubt in (0.0, 8.0, 32.0, 128.0, math.inf):
                wish = {"normalise": True, "standardise": doubt < math.inf, "doubt": doubt}
                ready = Adjustment.of(draw.rows, **wish)
                rows, aim = draw.rows, draw.aim
                solved = {
                    "logistic": solve_logistic(rows, aim, ready, fold_RN=fold_RN, **given)[0],
                    "lda": solve_discriminant(rows, aim, ready, fold_RN=fold_RN, **given)[0],
                    "kernel": solve_bent(rows, aim, ready, fold_RN=fold_RN, loss=None, seed=seed, **given),
                }
                for head, solution in solved.items():
                    other = ready(draw.others)
                    if solution.support is not None:
                        other = rbf(other, solution.support, solution.gamma)
                    now = draw.task.score((other @ solution.weight.T + solution.bias).numpy(), draw.judge)
                    scores.setdefault(f"{head}, {doubt:g} rows", []).append(now)
        yield from means(name, k, scores)


def tuned(source: str, bridge: str, tuning: str, objective: str = "supervised", **length: Any) -> Recipe:
    """A recipe from the probe's head, or the probe alone where `tuning` is one."""
    given = (codec.parse("objectives", objective),)
    stages = [Stage(tuning=codec.parse("tunings", tuning), objectives=given, **length)]
    if not tuning.startswith("probe"):
        stages.insert(0, Stage(tuning=codec.parse("tunings", "probe(head='logistic')"), objectives=given))
    return Recipe(source=source, bridge=codec.parse("bridges", bridge), stages=tuple(stages))


def tuning_is_probe(recipe: Recipe) -> bool:
    """Whether the last stage solves a head."""
    return codec.text(recipe.stages[-1].tuning).startswith("probe")


def tried(domain: Domain, recipes: dict[str, Recipe], k: int, seeds: int, judges: int = JUDGES) -> Found:
    """Each recipe with k labels a class (0: four fifths of all rows): scores and seconds over seeds."""
    for name, recipe in recipes.items():
        scores, seconds = [], []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                pair = domain.folds[0].pairs[0]
                train, judge = (pair.train, pair.validation) if k == 0 else few(domain, k, seed)
                judge = judge[:judges]
                done = attempt(workshop(domain, folder), Order(recipe=recipe, train=train, validation=judge, seed=seed))
            assert done.trial.validation is not None
            curve = [p["validation"] for p in done.trial.curve if "validation" in p]
            last = curve and not tuning_is_probe(recipe)
            scores.append(curve[-1] if last else done.trial.validation)
            seconds.append(done.trial.seconds)
        mean = {"score": float(np.mean(scores)), "seconds": float(np.mean(seconds)), "seeds": seeds}
        yield {"set": domain.name, "labels": k, "setting": name, "recipe": recipe.name, **mean}


def text(data: Path, weights: Path) -> Found:
    """Ways and lengths of tuning a sentence encoder with few labels; the score is that of the last epoch."""
    top, whole = "partial(blocks=3, layer_decay=1.0)", "full(embedder=False)"
    named, native = "supervised(names=True)", codec.parse("bridges", "native")
    for name, k in (("banking77", 10), ("banking77", 5), ("ag_news_test", 20), ("sst2", 50)):
        domain = read(data / name, seed=0)
        recipes = {"kernel": tuned(MINILM, "native", "probe(head='kernel')", named)}
        for way, lr, epochs in itertools.product((top, whole), (1e-4, 3e-4), (3, 8)):
            length = {"lr": lr, "epochs": epochs, "patience": 0}
            recipes[f"{way} lr {lr:g} epochs {epochs}"] = tuned(MINILM, "native", way, named, **length)
            head = Stage(tuning=codec.parse("tunings", "probe(head='kernel')"), objectives=(_objective(named),))
            for pull in ("contrastive", "contrastive(kind='supcon')"):
                stage = Stage(tuning=codec.parse("tunings", way), objectives=(_objective(pull),), **length)
                recipe = Recipe(source=MINILM, bridge=native, stages=(stage, head))
                recipes[f"{pull} {way} lr {lr:g} epochs {epochs}"] = recipe
        yield from tried(domain, recipes, k, 1)


def _objective(text: str) -> Any:
    return codec.parse("objectives", text)


def sound(data: Path, weights: Path) -> Found:
    """How loud silence is and how long to train, on spoken digits: the last repetitions of the training rows judge."""
    domain = read(data / "fsdd" / "wav.zip", seed=0)
    for floor in (30, 40, 50, 60, 80):
        recipes = {
            f"floor {floor} epochs {epochs}": tuned(
                V2.format(weights=weights),
                f"spectrogram(size=64, floor={floor})",
                "full(head_scale=2.0)",
                "supervised(smoothing=0.05)",
                lr=1e-3,
                epochs=epochs,
                patience=0,
                decay=0.02,
            )
            for epochs in (2, 4, 8)
        }
        yield from tried(domain, recipes, 40, 1)


def scratch(data: Path, weights: Path) -> Found:
    """From what head and at what rate an encoder of texts learns from nothing; 10 epochs, as the control has."""
    native = codec.parse("bridges", "native")
    ways = [(False, 1.0, h) for h in (1.0, 10.0)] + [(False, 10.0, h) for h in (1.0, 10.0)]
    ways += [(True, 1.0, h) for h in (2.0, 5.0, 10.0)]
    for name, k in (("banking77", 10), ("ag_news_test", 100), ("amazon_multidomain", 50)):
        domain = read(data / name, seed=0)
        recipes = {}
        for solved, head, haste in ways:
            moved = f"full(layer_decay=1.0, head_scale={head}, norm_statistics='moving', haste={haste})"
            begin = ("probe(head='logistic')",) if solved else ()
            length = {"epochs": 10, "batch": 16, "decay": 0.05, "patience": 0}
            recipe = single(f"scratch:{MINILM}", native, *begin, moved, **length)
            recipes[f"{'solved head' if solved else 'fresh head'} x{head:g}, haste {haste:g}"] = recipe
        yield from tried(domain, recipes, k, 1, judges=500)


QUESTIONS: dict[str, Callable[[Path, Path], Found]] = {
    "kernel": kernel,
    "spread": spread,
    "text": text,
    "sound": sound,
    "scratch": scratch,
}


def main() -> None:
    """Answer the asked questions (default all) and merge the answers into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, []], help="default all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    asked = parser.parse_args()
    for question in asked.questions or QUESTIONS:
        rows: list[dict[str, Any]] = []
        for row in QUESTIONS[question](asked.data, asked.weights):
            rows.append(row)
            print(json.dumps(row), flush=True)
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            results[question] = {"machine": machine(), "rows": rows}
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
