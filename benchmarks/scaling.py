"""How time and memory of the probe recipe grow with the rows, on generated texts and pictures.

    python benchmarks/scaling.py --weights WEIGHTS [--million] [texts] [images]

Each size is read, probed and judged on validation rows in a process of its own with an empty cache: 10,000, 40,000 and
100,000 texts of 8 to 24 words through embedded:minilm, 10,000 and 100,000 pictures of 64 pixels through MobileNetV1
0.25 in WEIGHTS; a million of each where it is asked for. Seconds are those of reading and of the recipe; memory is the
largest resident set of the whole process. Results go to benchmarks/results/scaling.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from main_road import machine
from timed import timed

RESULTS = Path(__file__).parent / "results" / "scaling.json"
SOURCES = {"texts": "embedded:minilm", "images": "transformers:{weights}/mobilenet_v1_0.25_128"}
SIZES = {"texts": (10_000, 40_000, 100_000), "images": (10_000, 100_000)}
MILLION = 1_000_000
CLASSES = 10
TIME, MEMORY, TEXTS_MB = 10.5, 1.10, 4096.0  # most: times the time for ten times the rows, times the memory, MiB for
FORTY = 40_000  # so many texts


def texts(count: int, folder: Path) -> Path:
    """A CSV of made-up sentences: each class says some words more often than others."""
    rng = np.random.default_rng(0)
    syllables = np.array([c + v for c in "bdfgklmnprst" for v in "aeiou"])
    words = np.array(["".join(rng.choice(syllables, n)) for n in rng.integers(1, 4, 2000)])
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for number in range(count):
            kind, length = number % CLASSES, rng.integers(8, 25)
            own = rng.random(length) < 0.3
            chosen = np.where(own, kind * 50 + rng.integers(50, size=length), rng.integers(2000, size=length))
            writer.writerow((" ".join(words[chosen]), f"class {kind}"))
    return folder / "texts.csv"


def images(count: int, folder: Path) -> Path:
    """A generated world's pictures in class folders."""
    world = [sys.executable, "-m", "landbridge.cli.main", "world", f"textures(classes={CLASSES}, size=64)"]
    took = timed([*world, "--n", str(count), "--out", folder / "images", "--quiet"])
    assert not took.exit, took.error
    return folder / "images"


def probe(data: Path, source: str) -> None:
    """In a process of its own: read, probe, say what it took."""
    from landbridge.core.recipe import Recipe
    from landbridge.engine.attempt import Order, attempt
    from landbridge.engine.cache import shared_cache
    from landbridge.engine.precision import pick_device
    from landbridge.engine.workshop import Workshop
    from landbridge.reading.read import read

    began = time.perf_counter()
    domain = read(data)
    reading = time.perf_counter() - began
    pair = domain.folds[0].pairs[0]
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(domain, device=pick_device("auto"), folder=Path(folder), cache=shared_cache("100G"))
        recipe = Recipe.from_json({"source": source, "bridge": "native", "stages": [{"tuning": "probe"}]})
        made = attempt(shop, Order(recipe=recipe, train=pair.train, validation=pair.validation))
    seconds = time.perf_counter() - began
    print(json.dumps({"reading_s": reading, "seconds": seconds, "validation": made.trial.validation}))


def measure(kind: str, size: int, weights: Path) -> dict[str, Any]:
    """One size of one kind."""
    with tempfile.TemporaryDirectory() as folder:
        data = {"texts": texts, "images": images}[kind](size, Path(folder))
        source = SOURCES[kind].format(weights=weights)
        before = machine()
        took = timed(
            [sys.executable, __file__, "--probe", data, source],
            env=os.environ | {"LANDBRIDGE_CACHE": f"{folder}/cache"},
        )
    found = {"machine": before, "kind": kind, "rows": size, "source": SOURCES[kind].replace("{weights}/", "")}
    told = {"error": took.error.strip().splitlines()[-1:]} if took.exit else json.loads(took.output)
    return found | took.cost() | told


def growth(runs: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What ten times the rows cost, and whether the texts fit."""
    found: list[dict[str, Any]] = []
    able = {(r["kind"], r["rows"]): r for r in runs.values() if "seconds" in r}
    for (kind, rows), run in able.items():
        less = able.get((kind, rows // 10))
        if less is not None:
            times, more = run["seconds"] / less["seconds"], run["peak_mb"] / less["peak_mb"]
            found.append({"what": f"time, {rows} {kind} over {rows // 10}", "value": times, "most": TIME})
            found.append({"what": f"memory, {rows} {kind} over {rows // 10}", "value": more, "most": MEMORY})
        if (kind, rows) == ("texts", FORTY):
            found.append({"what": f"MiB for {FORTY} texts", "value": run["peak_mb"], "most": TEXTS_MB})
    return [f | {"reached": f["value"] <= f["most"]} for f in found]


def main() -> None:
    """Measure the asked kinds (default both) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help="texts, images; default both")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--million", action="store_true", help="also a million rows")
    parser.add_argument("--sizes", type=int, nargs="+", help="other numbers of rows, to try the script out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    for kind in asked.kinds or SIZES:
        for size in asked.sizes or (*SIZES[kind], *([MILLION] if asked.million else [])):
            found = measure(kind, size, asked.weights)
            runs = json.loads(asked.out.read_text())["runs"] if asked.out.exists() else {}
            runs[f"{kind}/{size}"] = found
            asked.out.write_text(json.dumps({"runs": runs, "growth": growth(runs)}, indent=1) + "\n")
            print(
                f"{kind}/{size}: {found.get('seconds', found.get('error'))} s, {found['peak_mb']:.0f} MiB", flush=True
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--probe"]:
        probe(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
