"""What the embedded encoders carry over: against nothing learnt, the cheap rival, and real ImageNet weights.

    python benchmarks/embedded.py --data DATA [--weights WEIGHTS] [--seeds 0 1 2] [--labels 10 100] [CELL ...]

DATA holds the public sets that docs/benchmarks.md lists, WEIGHTS a folder `mobilenet_v2_1.0_224`; cells whose data is
absent are skipped and said. For each set, number of labels a class and seed, rows are drawn from the set's own training
rows (sets without a split: from all rows but the test, drawn by the seed; magnetic tiles stay together by physical
tile) and up to 1,000 rows are the test. A fifth of the labels is for choosing and stopping, the rest to fit, for every
way alike:

- `frozen`: a head on the frozen encoder, that which is best on the validation rows: over several numbers of layers, and
  for series of the kinds that the road tries; `tuned`: from a head all weights move, as the road moves them;
- `mean`: the mean of the answers that validation cannot tell apart, the rival's among them where it is near
  (`planning/ensemble.py`); `transfer` is the one of the three that the road would trust after seeing the validation
  rows (`planning/belief.py`);
- `scratch`: the same architecture without weights, as the road's own control trains it;
- `rival`: what learns the modality cheaply without any transfer; `imagenet`: the same head on frozen MobileNetV2.

Accuracies are pooled over seeds. Differences are paired on test rows, with 95 % intervals by a bootstrap over rows
within each seed. Results go to benchmarks/results/embedded.json, cell by cell, with machine and versions. Needs h5py
for usps.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from defaults import workshop
from main_road import machine, tiles
from PIL import Image

from landbridge.core import codec
from landbridge.core.clock import Budget
from landbridge.core.contracts import Predictor
from landbridge.core.domain import Domain, Fold, Pair
from landbridge.core.parts import name_of
from landbridge.core.recipe import Recipe
from landbridge.engine.attempt import Attempt, Order, attempt
from landbridge.engine.journal import Journal
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import Candidate, anew, road, scratch, single
from landbridge.planning.ensemble import ensemble
from landbridge.planning.originals import originals
from landbridge.planning.search import Search
from landbridge.planning.sources import readable
from landbridge.planning.standing import Standing
from landbridge.reading.read import read

RESULTS = Path(__file__).parent / "results" / "embedded.json"
SOURCES = {"image": "embedded:pictures", "audio": "embedded:pictures", "series": "embedded:series"}
IMAGENET = "transformers:{weights}/mobilenet_v2_1.0_224"
TESTED, CHOOSING, RESAMPLES = 1000, 0.2, 2000
TAPS = (2, 4, 0)  # layers that a frozen head reads beside the last, the first of equals wins
BRIDGES = {
    "image": ("native", "native(crop='squash')"), "audio": ("spectrogram(size=64)",), "series": ("curves",),
}  # fmt: skip
CURVE_HEADS = ("probe(head='lda', normalise='no', standardise='no')", "probe", "probe(head='kernel')")  # the road's
PLOT = "plot(size=96)"  # by which series reach ImageNet's weights
RIVALS = {"image": "pixels", "audio": "melstats", "series": "rocket"}
OFFICES = ("amazon", "caltech", "dslr", "webcam")
SERIES = (
    "ArrowHead", "CBF", "ECG200", "ECGFiveDays", "GunPoint", "GunPointMaleVersusFemale", "ItalyPowerDemand",
    "MedicalImages", "MoteStrain", "PowerCons", "SonyAIBORobotSurface2", "SyntheticControl",
)  # fmt: skip
GIVEN = "given"  # a set whose own test rows are the test


@dataclass(frozen=True)
class Cell:
    """Where a set lies, how it is made readable, and whether it has a split of its own."""

    data: str
    ready: Callable[[Path, Path], Path]
    split: str = GIVEN
    group: str | None = None


def as_is(name: str) -> Callable[[Path, Path], Path]:
    """The set where it lies."""
    return lambda data, work: data / name


def usps(data: Path, work: Path) -> Path:
    """Digits of 16 x 16 as split/class/file."""
    import h5py  # no dependency of landbridge

    with h5py.File(data / "usps" / "usps.h5") as file:
        for split in ("train", "test"):
            pixels = np.rint(255 * np.array(file[split]["data"])).astype(np.uint8).reshape(-1, 16, 16)
            drawn(work, split, pixels, np.array(file[split]["target"]))
    return work


def mnist(data: Path, work: Path) -> Path:
    """MNIST's 10,000 test digits as class/file; whoever reads them splits them."""
    folder = data / "mnist_t10k"
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    drawn(work, "", pixels, labels)
    return work


def drawn(work: Path, split: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Grey pictures as files in folders of their classes."""
    for number, (picture, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
        path = work / split / str(label) / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)


def office(domain: str) -> Callable[[Path, Path], Path]:
    """One of the four domains of office_caltech10, class/file."""

    def ready(data: Path, work: Path) -> Path:
        with zipfile.ZipFile(data / "office_caltech10" / "images.zip") as archive:
            archive.extractall(work, [n for n in archive.namelist() if n.startswith(f"{domain}/")])
        return work / domain

    return ready


def series(name: str) -> Callable[[Path, Path], Path]:
    """One set of the UCR archive, its two files alone in a folder."""

    def ready(data: Path, work: Path) -> Path:
        for split in ("TRAIN", "TEST"):
            shutil.copy(data / "ucr" / f"{name}_{split}.tsv", work)
        return work / f"{name}_TRAIN.tsv"

    return ready


CELLS = {
    "usps": Cell("usps", usps),
    "mnist_t10k": Cell("mnist_t10k", mnist, split="none"),
    "hymenoptera": Cell("hymenoptera", as_is("hymenoptera/images.zip")),
    "magnetic_tile": Cell("magnetic_tile", lambda data, work: tiles(data, work, 0), split="none", group="tile"),
    "bccd_cells": Cell("bccd_cells", as_is("bccd_cells/crops.zip")),
    **{f"office_{d}": Cell("office_caltech10", office(d), split="none") for d in OFFICES},
    "fsdd": Cell("fsdd", as_is("fsdd/wav.zip")),
    **{f"ucr_{name}": Cell("ucr", series(name)) for name in SERIES},
}  # fmt: skip


def divided(domain: Domain, cell: Cell, labels: int, seed: int) -> tuple[Pair, np.ndarray]:
    """Rows to fit, rows to choose on, and test rows; a class with fewer rows gives what it has.

    Without a split of its own a third of the units (rows, or groups) of a set is its test, drawn by the seed.
    """
    generator = np.random.default_rng(seed)
    rest, test = domain.folds[0].rest, domain.folds[0].test
    if cell.split != GIVEN:
        rows = np.arange(len(domain))
        units = rows if domain.groups is None else np.unique(domain.groups.astype(str), return_inverse=True)[1]
        chosen = generator.permutation(np.unique(units))[: len(np.unique(units)) // 3]
        inside = np.isin(units, chosen)
        rest, test = rows[~inside], rows[inside]
    test = np.sort(generator.permutation(test)[:TESTED])
    fit, choose = [], []
    for label in np.unique(domain.targets[rest]):
        own = generator.permutation(rest[domain.targets[rest] == label])[:labels]
        held = max(1, round(CHOOSING * len(own))) if len(own) > 1 else 0
        choose.append(own[:held])
        fit.append(own[held:])
    return Pair(train=np.sort(np.concatenate(fit)), validation=np.sort(np.concatenate(choose))), test


def frozen(source: str, domain: Domain) -> list[Recipe]:
    """Heads on a frozen source, over several numbers of layers; for pictures over their middle and over the whole, each
    at the size at which the road shows them."""
    way = road("native", readable(source, domain), originals(domain))
    size = {"size": codec.to_json(way)["size"]}
    names = BRIDGES[domain.modality.part_name]
    if names == ("curves",) and source not in SOURCES.values():
        names = (PLOT,)
    elif names == ("curves",):
        return [single(source, codec.parse("bridges", "curves"), head) for head in CURVE_HEADS]
    bridges = [codec.parse("bridges", name) for name in names]
    bridges = [codec.from_json("bridges", codec.to_json(b) | size) if name_of(b) == "native" else b for b in bridges]
    return [single(source, bridge, f"probe(head='kernel', taps={taps})") for bridge in bridges for taps in TAPS]


def others(domain: Domain, bridge: Any, rows: int, weights: Path | None) -> dict[str, list[Recipe]]:
    """The other ways over the bridge that was best for the frozen encoder; `scratch` is the road's own control."""
    modality = domain.modality.part_name
    tuned = anew(SOURCES[modality], bridge, rows)
    rival = Recipe(source=f"rival:{RIVALS[modality]}", bridge=codec.parse("bridges", "native"), stages=())
    ways = {"rival": [rival], "tuned": [tuned], "scratch": [scratch(tuned, modality)]}
    return ways if weights is None else ways | {"imagenet": frozen(IMAGENET.format(weights=weights), domain)}


def measure(name: str, labels: int, seed: int, data: Path, weights: Path | None) -> dict[str, Any] | None:
    """Every way on one draw of rows: right or wrong on each test row; None where no class has as many labels."""
    cell = CELLS[name]
    with tempfile.TemporaryDirectory() as folder:
        (work := Path(folder) / "data").mkdir()
        domain = read(cell.ready(data, work), seed=seed, split=None if cell.split == GIVEN else "none",
                      group=cell.group)  # fmt: skip
        pair, test = divided(domain, cell, labels, seed)
        most = max(np.bincount(domain.targets[np.concatenate([pair.train, pair.validation])]))
        if labels > 10 and most <= 10:
            return None
        domain = domain.with_folds(Fold(test=test, pairs=(pair,)))
        shop = workshop(domain, folder)
        found: dict[str, Any] = {"rows": {"fit": len(pair.train), "choose": len(pair.validation), "test": len(test)}}
        found |= {"most_labels": int(most), "seconds": {}, "validation": {}, "right": {}, "recipes": {}}

        def judge(way: str, choice: list[Recipe]) -> Judged:
            done = judged(shop, choice, pair, test, seed)
            found["right"][way] = "".join("01"[int(r)] for r in done.right)
            found["validation"][way] = "".join("01"[int(r)] for r in done.seen)
            found["seconds"][way] = done.seconds
            found["recipes"][way] = done.recipe.name.replace(str(weights), "WEIGHTS")
            return done

        best = judge("frozen", frozen(SOURCES[domain.modality.part_name], domain))
        ways = others(domain, best.recipe.bridge, len(pair.train), weights)
        made = {"frozen": best} | {way: judge(way, choice) for way, choice in ways.items()}
        search = Search(shop, domain.folds[0], 0, Budget(), Journal(Path(folder) / "journal"), seed)
        standing = {w: standing_of(made[w], domain, w) for w in ("frozen", "tuned", "rival")}
        search.standings = list(standing.values())
        if (mean := ensemble(search, lambda: math.inf)) is not None:
            search.standings.append(mean)
            standing["mean"] = mean
            predictor = mean.attempts[0].predictor
            assert predictor is not None
            found["right"]["mean"] = "".join("01"[int(r)] for r in right_of(predictor, shop, test))
            found["recipes"]["mean"] = [w for w, s in standing.items() if any(s is m for m in mean.members)]
        chosen = search.settle(search.transfer())
    found["transfer"] = next(w for w, s in standing.items() if s is chosen)
    return found


def standing_of(done: Judged, domain: Domain, way: str) -> Standing:
    """A way as the search of the road has it."""
    candidate = Candidate(recipe=done.recipe, reason="", role="rival" if way == "rival" else "candidate", called=way)
    return Standing(candidate, domain.folds[0].pairs, {0: done.made}, trial=done.made.trial)


@dataclass(frozen=True)
class Judged:
    """A recipe, which test rows and which validation rows it gets right, and the seconds of all that were tried."""

    recipe: Recipe
    right: np.ndarray
    seen: np.ndarray
    seconds: float
    made: Attempt


def judged(shop: Workshop, choice: list[Recipe], pair: Pair, test: np.ndarray, seed: int) -> Judged:
    """What is best of a choice on the validation rows, judged on the test rows."""
    made = [attempt(shop, Order(recipe=r, train=pair.train, validation=pair.validation, seed=seed)) for r in choice]
    scores = [done.trial.validation or 0.0 for done in made]
    best = scores.index(max(scores))
    predictor = made[best].predictor
    assert predictor is not None
    right, seen = (right_of(predictor, shop, rows) for rows in (test, pair.validation))
    return Judged(choice[best], right, seen, sum(done.trial.seconds for done in made), made[best])


def right_of(predictor: Predictor, shop: Workshop, rows: np.ndarray) -> np.ndarray:
    """Which rows a predictor gets right."""
    return predictor.predict(shop.domain.examples(rows)).argmax(1) == shop.domain.targets[rows]


def pooled(draws: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy of each way over all seeds, and what transfer is ahead of each other way, with intervals."""
    rights = [{way: np.frombuffer(r.encode(), np.uint8) - 48.0 for way, r in d["right"].items()} for d in draws]
    for right, draw in zip(rights, draws, strict=True):
        right["transfer"] = right[draw["transfer"]]
    everywhere = [w for w in rights[0] if all(w in r for r in rights)]
    found: dict[str, Any] = {"accuracy": {w: float(np.mean([r[w].mean() for r in rights])) for w in everywhere}}
    pairs = [("transfer", "scratch"), ("transfer", "rival"), ("tuned", "scratch")]
    pairs += [("frozen", "imagenet")] if "imagenet" in rights[0] else []
    generator = np.random.default_rng(0)
    for one, other in pairs:
        resampled = np.zeros(RESAMPLES)
        for right in rights:
            difference = right[one] - right[other]
            drawn_RN = generator.integers(0, len(difference), (RESAMPLES, len(difference)))
            resampled += difference[drawn_RN].mean(1) / len(rights)
        value = found["accuracy"][one] - found["accuracy"][other]
        found[f"{one} over {other}"] = {"value": value, "interval": np.quantile(resampled, (0.025, 0.975)).tolist()}
    return found


def verdict(cells: dict[str, Any]) -> dict[str, Any]:
    """The three figures that the encoder is judged by, over all cells."""
    gain = {n: c["transfer over scratch"]["interval"][0] > 0 for n, c in cells.items()}
    ahead = {n: c["transfer over rival"]["value"] > 0 for n, c in cells.items()}
    found: dict[str, Any] = {
        "cells": len(cells),
        "gain_over_scratch_everywhere": all(gain.values()),
        "no_gain_over_scratch": sorted(n for n, good in gain.items() if not good),
        "share_above_rival": float(np.mean(list(ahead.values()))),
        "not_above_rival": sorted(n for n, good in ahead.items() if not good),
    }
    both = [c["accuracy"] for c in cells.values() if "imagenet" in c["accuracy"]]
    if both:
        found["share_of_imagenet"] = float(
            np.mean([a["frozen"] for a in both]) / np.mean([a["imagenet"] for a in both])
        )
    return found


def main() -> None:
    """Measure the asked cells (default all) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="cells to run, default all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    weights = asked.weights if asked.weights and (asked.weights / "mobilenet_v2_1.0_224").exists() else None
    for name in asked.cells or CELLS:
        if not (asked.data / CELLS[name].data).exists():
            print(f"{name}: skipped, {CELLS[name].data} is not in the data folder")
            continue
        if name == "usps" and find_spec("h5py") is None:
            print(f"{name}: skipped, reading it needs pip install h5py")
            continue
        for labels in asked.labels:
            draws = [measure(name, labels, seed, asked.data, weights) for seed in asked.seeds]
            whole = [draw for draw in draws if draw is not None]
            if len(whole) < len(draws):
                print(f"{name}/{labels}: skipped, no class has more than 10 labels")
                continue
            found = {"machine": machine(), "seeds": asked.seeds, **pooled(whole), "draws": whole}
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"cells": {}}
            results["cells"][f"{name}/{labels}"] = found
            results["cells"] = dict(sorted(results["cells"].items()))
            results["verdict"] = verdict(results["cells"])
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{name}/{labels}: " + ", ".join(f"{w} {a:.3f}" for w, a in found["accuracy"].items()), flush=True)
    if RESULTS.exists():
        print(json.dumps(json.loads(RESULTS.read_text())["verdict"], indent=1))


if __name__ == "__main__":
    main()
