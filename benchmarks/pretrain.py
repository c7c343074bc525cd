"""Whether pretraining on unlabelled pictures of another world helps where labels are few.

    python benchmarks/pretrain.py --data DATA [--weights WEIGHTS] [--seeds 0 1 2] [CELL ...]

DATA holds mnist_t10k and usps (docs/benchmarks.md lists them), WEIGHTS a folder `mobilenet_v1_0.25_128` for the cells
that begin with `v1`. `landbridge pretrain` reads the 10,000 digits of MNIST's test set without their labels, one flat
folder; then `landbridge run` gets 10 labelled digits a class of USPS, drawn by the seed from its training set, and is
judged on USPS's test set: once from the pretrained source, once from the source that pretraining began with, with equal
budgets; compared are the best transfer recipes of both, also where a control was delivered. The first takes the budget
of pretraining besides, on data that costs no labels. With `--work FOLDER` pretrained sources are kept there, and those
that lie there are not made again. Needs h5py. Results go to benchmarks/results/pretrain.json, cell
by cell, with machine, versions, seed and commands.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from main_road import machine
from PIL import Image

RESULTS = Path(__file__).parent / "results" / "pretrain.json"
LABELS = 10  # of each class
SMALL = ("--bridge", "native(crop=squash, size=64)")  # digits are no larger
V1, EMBEDDED = "transformers:{weights}/mobilenet_v1_0.25_128", "embedded:pictures"


@dataclass(frozen=True)
class Cell:
    """A source, how it goes on without labels, and the budgets of both commands."""

    source: str
    objective: str  # "" for what the command does by itself
    pretraining: str = "10m"
    budget: str = "3m"
    more: tuple[str, ...] = ()


CELLS = {
    "pictures": Cell(EMBEDDED, ""),
    "pictures_simclr": Cell(EMBEDDED, "simclr", more=SMALL),
    "pictures_vicreg": Cell(EMBEDDED, "vicreg", more=SMALL),
    "pictures_dino": Cell(EMBEDDED, "dino", more=SMALL),
    "pictures_latent": Cell(EMBEDDED, "latent", more=SMALL),
    "masked": Cell("scratch:convnet", "masked"),
    "simclr": Cell("scratch:convnet", "simclr"),
    "simsiam": Cell("scratch:convnet", "simsiam"),
    "vicreg": Cell("scratch:convnet", "vicreg"),
    "barlow": Cell("scratch:convnet", "barlow"),
    "dino": Cell("scratch:convnet", "dino"),
    "latent": Cell("scratch:convnet", "latent"),
    "v1_simclr": Cell(V1, "simclr", more=SMALL),
    "v1_masked": Cell(V1, "masked", more=SMALL),
}


def unlabelled(data: Path, folder: Path) -> Path:
    """MNIST's 10,000 test digits as files that tell no class."""
    folder.mkdir(parents=True)
    with gzip.open(data / "mnist_t10k" / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{number:05}.png")
    return folder


def labelled(data: Path, folder: Path, seed: int) -> Path:
    """USPS with LABELS training digits a class, drawn by the seed, and its whole test set, split/class/file."""
    import h5py  # no dependency of landbridge

    with h5py.File(data / "usps" / "usps.h5") as file:
        sets = {split: (np.array(file[split]["data"]), np.array(file[split]["target"])) for split in ("train", "test")}
    for split, (pixels, targets) in sets.items():
        order = np.random.default_rng(seed).permutation(len(targets)) if split == "train" else np.arange(len(targets))
        taken = dict.fromkeys(range(10), 0)
        for row in order.tolist():
            label = int(targets[row])
            if split == "train" and taken[label] == LABELS:
                continue
            taken[label] += 1
            path = folder / split / str(label) / f"{row:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.rint(255 * pixels[row].reshape(16, 16)).astype(np.uint8)).save(path)
    return folder


def command(words: list[str], cache: Path) -> tuple[dict[str, Any], float]:
    """What a command printed as JSON, and its seconds from outside; its last line of complaint where it failed."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "landbridge.cli.main", *words, "--json"], capture_output=True, text=True, check=False,
        env={**os.environ, "LANDBRIDGE_CACHE": str(cache)},
    )  # fmt: skip
    seconds = time.monotonic() - began
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1:]}, seconds
    return json.loads(done.stdout), seconds


def measure(
    name: str, cell: Cell, data: Path, weights: Path, seed: int, work: Path, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Pretrain, then run from both sources; accuracy of each and their difference. `known` is what an earlier call
    found, of which the pretraining is taken over where its source is still there."""
    source, cache = cell.source.format(weights=weights), work / "cache"
    digits, few = work / "mnist", work / f"usps-{seed}"
    if not digits.exists():
        unlabelled(data, digits)
    if not few.exists():
        labelled(data, few, seed)
    given, made = ["--seed", str(seed)], work / f"{name}-{seed}"
    words = ["pretrain", str(digits), "-s", source, "-b", cell.pretraining, *cell.more]
    words += ["--objective", cell.objective] if cell.objective else []
    if made.exists() and "pretraining_s" in known and "error" not in known:
        before, seconds = dict(known), known["pretraining_s"]
    else:
        before, seconds = command([*words, "-o", str(made), *given], cache)
    commands = [[*words, "-o", str(made), *given]]
    result: dict[str, Any] = {"cell": name, "seed": seed, "pretraining_s": seconds}
    if "error" in before:
        return result | before
    result |= {k: before[k] for k in ("loss", "epochs", "recipe", "parity", "peak_mb")}
    for kind, address in (("pretrained", f"artifact:{made}"), ("alone", source)):
        words = ["run", str(few), "-s", address, "-b", cell.budget, "-o", str(work / f"{name}-{seed}-{kind}"), *given]
        found, seconds = command(words, cache)
        commands.append(words)
        if "error" in found:
            return result | found
        result[kind] = {"test": found["test"], "chosen": found["chosen"]["name"], "seconds": seconds}
        result[kind] |= {"controls": found["controls"], "gain": found["gain"]}
        result[kind]["transfer"] = found["gain"]["transfer"]["value"]
    result["difference"] = result["pretrained"]["transfer"] - result["alone"]["transfer"]
    result |= {"commands": [" ".join(["landbridge", *w]) for w in commands], "reached": result["difference"] > 0}
    text = json.dumps(result).replace(str(weights), "WEIGHTS").replace(str(work), "WORK")
    return json.loads(text.replace(f"artifact:{work.name}/", "artifact:WORK/"))


def kept() -> dict[str, Any]:
    """What was measured so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main() -> None:
    """Measure the asked cells (default all) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="cells to run, default all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, help="default a folder that is removed")
    asked = parser.parse_args()
    with nullcontext(asked.work) if asked.work else tempfile.TemporaryDirectory() as folder:
        for name in asked.cells or CELLS:
            cell = CELLS[name]
            if cell.source == V1 and not (asked.weights / "mobilenet_v1_0.25_128").exists():
                print(f"{name}: skipped, its weights are not in {asked.weights}")
                continue
            for seed in asked.seeds:
                known = kept().get(f"{name}/{seed}", {})
                found = measure(name, cell, asked.data, asked.weights, seed, Path(folder), known)
                results = kept()
                results[f"{name}/{seed}"] = {"machine": machine()} | found
                RESULTS.parent.mkdir(exist_ok=True)
                RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
                print(f"{name}/{seed}: {found.get('difference', found.get('error'))}", flush=True)


if __name__ == "__main__":
    main()
