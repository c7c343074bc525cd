"""What `landbridge run` reaches on real data, each cell one whole command timed from outside.

    python benchmarks/main_road.py --data DATA --weights WEIGHTS [CELL ...]

DATA and WEIGHTS are folders with the public sets and ImageNet weights that docs/benchmarks.md lists; cells whose data
is absent are skipped and said. Results go to benchmarks/results/main_road.json, cell by cell, with machine, versions,
seed and command. Choices are made on validation data by the tool itself; nothing here looks at a test label.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from timed import timed

RESULTS = Path(__file__).parent / "results" / "main_road.json"
GAP = 1500  # photographs of one physical tile carry file numbers closer together than this (checked by correlation)


@dataclass(frozen=True)
class Cell:
    """One command and the figure it must reach."""

    data: str
    prepare: Callable[[Path, Path, int], Path]
    arguments: tuple[str, ...] = ()
    least: float | None = None
    most_seconds: float | None = None
    verb: str = "run"


def as_is(name: str) -> Callable[[Path, Path, int], Path]:
    """The data set where it lies."""
    return lambda data, work, seed: data / name


def tiles(data: Path, work: Path, seed: int) -> Path:
    """Pictures with a table of path, class, number in the file name and physical tile, without the official split."""
    with zipfile.ZipFile(data / "magnetic_tile" / "images.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.startswith("MT_") and n.endswith(".jpg"))
        archive.extractall(work, names)
    rows: list[tuple[str, ...]] = []
    for kind in sorted({n.split("/")[0] for n in names}):
        numbers = sorted((int(re.findall(r"\d+", n)[-1]), n) for n in names if n.startswith(f"{kind}/"))
        tile, last = 0, -(10**9)
        for number, name in numbers:
            tile += number - last > GAP
            last = number
            rows.append((name, kind, str(number), f"{kind}-{tile}"))
    return table(work / "tiles.csv", ("path", "class", "number", "tile"), rows)


def few(k: int) -> Callable[[Path, Path, int], Path]:
    """banking77 with k training texts a class and the whole test set."""

    def prepare(data: Path, work: Path, seed: int) -> Path:
        with (data / "banking77" / "train.csv").open(newline="", encoding="utf-8") as file:
            rows = [(r["text"], r["label"]) for r in csv.DictReader(file)]
        order = np.random.default_rng(seed).permutation(len(rows))
        taken: dict[str, int] = {}
        chosen = []
        for i in order:
            label = rows[i][1]
            if taken.get(label, 0) < k:
                taken[label] = taken.get(label, 0) + 1
                chosen.append(rows[i])
        table(work / "train.csv", ("text", "label"), chosen)
        (work / "test.csv").write_bytes((data / "banking77" / "test.csv").read_bytes())
        return work

    return prepare


def speakers(data: Path, work: Path, seed: int) -> Path:
    """fsdd without its official split: a table that names the speaker, so that each can be the test once."""
    with zipfile.ZipFile(data / "fsdd" / "wav.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".wav"))
        archive.extractall(work, names)
    rows = [(name, *Path(name).stem.split("_")[:2]) for name in names]
    return table(work / "sounds.csv", ("path", "digit", "speaker"), rows)


def table(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Path:
    """Write a CSV and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


V2 = ("--source", "transformers:{weights}/mobilenet_v2_1.0_224")
V1 = ("--source", "transformers:{weights}/mobilenet_v1_0.25_128")
MINILM = ("--source", "embedded:minilm")
CELLS = {
    "demo_letters": Cell("", lambda data, work, seed: Path("demo:letters"), ("-b", "2m"), None, 132),  # README's first
    "demo_docs": Cell("", lambda data, work, seed: Path("demo:docs"), (), None, 600),
    "hymenoptera": Cell("hymenoptera", as_is("hymenoptera/images.zip"), (*V2, "--budget", "4m"), 0.94, 240),
    "magnetic_tile": Cell("magnetic_tile", tiles, (*V2, "--group", "number", "--budget", "10m"), 0.92, 600),
    "magnetic_tile_physical": Cell("magnetic_tile", tiles, (*V2, "--group", "tile", "--budget", "10m"), None, 600),
    "magnetic_tile_weak_frozen": Cell(
        "magnetic_tile", tiles, (*V1, "--group", "number", "--tuning", "probe", "--budget", "5m"), None, 300, "fit"
    ),
    "bccd_cells": Cell("bccd_cells", as_is("bccd_cells/crops.zip"), (*V2, "--budget", "10m"), 0.97, 600),
    "banking77": Cell("banking77", as_is("banking77"), (*MINILM, "--budget", "10m"), 0.935, 600),
    "banking77_10": Cell("banking77", few(10), (*MINILM, "--budget", "10m"), 0.860, 600),
    "banking77_5": Cell("banking77", few(5), (*MINILM, "--budget", "10m"), 0.805, 600),
    "sst2": Cell("sst2", as_is("sst2"), (*MINILM, "--budget", "10m"), 0.86, 600),
    "fsdd": Cell("fsdd", as_is("fsdd/wav.zip"), (*V2, "--budget", "10m"), 0.98, 600),
    "fsdd_speaker": Cell("fsdd", speakers, (*V2, "--group", "speaker", "--budget", "10m"), None, 600),
    "adult": Cell("tab_adult", as_is("tab_adult"), ("--budget", "5m"), None, 300),
    "german_credit": Cell("tab_german_credit", as_is("tab_german_credit/data.csv"), ("--budget", "5m"), None, 300),
    "wine_red": Cell("tab_wine_quality_red", as_is("tab_wine_quality_red/data.csv"), ("--budget", "5m"), None, 300),
    "wine_white": Cell("tab_wine_quality_white", as_is("tab_wine_quality_white/data.csv"), ("-b", "5m"), None, 300),
    "ecg200": Cell("ucr", as_is("ucr/ECG200_TRAIN.tsv"), ("--budget", "5m"), 0.88, 300),
    "gunpoint": Cell("ucr", as_is("ucr/GunPoint_TRAIN.tsv"), ("--budget", "5m"), 0.98, 300),
    "italypower": Cell("ucr", as_is("ucr/ItalyPowerDemand_TRAIN.tsv"), ("--budget", "5m"), 0.949, 300),
    **{
        f"budget_{s}_{name}": Cell(name, as_is(path), (*source, "--budget", str(s)), None, 1.1 * s)
        for s in (60, 300, 600)
        for name, path, source in (
            ("banking77", "banking77", MINILM),
            ("hymenoptera", "hymenoptera/images.zip", V2),
            ("tab_adult", "tab_adult", ()),
        )
    },
}  # fmt: skip


def measure(name: str, cell: Cell, data: Path, weights: Path, seed: int, keep: Path | None) -> dict[str, object]:
    """Run one cell's command in a new process and record what it printed and cost."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "data"
        work.mkdir()
        source = cell.prepare(data, work, seed)
        arguments = [a.format(weights=weights) for a in cell.arguments]
        out = (keep or Path(folder)) / name
        command = ["landbridge", cell.verb, str(source), *arguments, "--seed", str(seed), "--json", "--out", str(out)]
        took = timed(
            [sys.executable, "-m", "landbridge.cli.main", *command[1:]],
            env={**os.environ, "LANDBRIDGE_CACHE": str(Path(folder) / "cache")},
        )
    shown = " ".join(command).replace(str(data), "DATA").replace(str(weights), "WEIGHTS").replace(folder, "WORK")
    result: dict[str, object] = {"cell": name, "seed": seed, "command": shown.replace(str(keep), "OUT")} | took.cost()
    if took.exit:
        return result | {"error": took.error.strip().splitlines()[-1:], "reached": False}
    evidence = json.loads(took.output)
    trials = [{k: t[k] for k in ("name", "role", "validation", "seconds", "status")} for t in evidence["trials"]]
    value = evidence["test"]["value"]
    in_time = cell.most_seconds is None or took.wall_s <= cell.most_seconds
    reached = in_time and (cell.least is None or value >= cell.least)
    result |= {k: evidence[k] for k in ("domain", "test", "controls", "gain", "headline", "budget_s", "parity")}
    result["domain"].pop("facts", None)  # type: ignore[union-attr]
    bounds = {"least": cell.least, "most_seconds": cell.most_seconds, "reached": reached}
    return result | {"chosen": evidence["chosen"]["name"], "trials": trials} | bounds


def machine() -> dict[str, object]:
    """What was measured on."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text()) if os.name == "posix" else None
    libraries = ("landbridge", "torch", "transformers", "scikit-learn", "numpy", "peft", "datasets")
    return {
        "cpu": model.group(1) if model else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def main() -> None:
    """Measure the asked cells (default all) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="cells to run, default all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--keep", type=Path, help="keep the artifacts in this folder")
    asked = parser.parse_args()
    for name in asked.cells or CELLS:
        cell = CELLS[name]
        if not (asked.data / cell.data).exists():
            print(f"{name}: skipped, {cell.data} is not in the data folder")
            continue
        for seed in asked.seeds:
            found = {"machine": machine()} | measure(name, cell, asked.data, asked.weights, seed, asked.keep)
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            results[f"{name}/{seed}"] = found
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
            print(
                f"{name}/{seed}: {found.get('headline', found.get('error'))} wall {found['wall_s']:.0f} s", flush=True
            )


if __name__ == "__main__":
    main()
