"""How much reading features through the workshop costs over the bare model's forward pass.

    python benchmarks/extraction.py --data DATA [--weights FOLDER] [--rows N] [--repeats R] [KIND ...]

KIND is `texts` (DATA/banking77 through embedded:minilm) or `images` (DATA/hymenoptera through the transformers image
model in FOLDER). Everything is timed on the same rows in pairs, one after the other, R times, the order changing:

- forward: the network alone, on batches that lie ready in memory, in the batch size and precision that are fastest
  here: each is tried on some of the rows before;
- prepared: the same with decoding or tokenising before it, in the same thread;
- store: `Workshop.features` with an empty cache, from raw rows to features of every depth on disk;
- again: the same in a new workshop, which finds the features in the cache.

The costs are medians over the pairs of store/forward and store/prepared. `rounding` is what half floats change in a
ridge regression on the features, beside the precision the network was read in. Results go to
benchmarks/results/extraction.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from main_road import machine

from landbridge.core import codec
from landbridge.core.domain import Domain
from landbridge.core.model import Body, Model
from landbridge.engine.cache import Cache
from landbridge.engine.chunk import packed, unpacked
from landbridge.engine.precision import pick_device
from landbridge.engine.reader import cast
from landbridge.engine.supply import in_order
from landbridge.engine.workshop import Road, Workshop
from landbridge.reading.read import read

RESULTS = Path(__file__).parent / "results" / "extraction.json"
SIZES = (8, 16, 32, 64, 128)
MOST = 1.05  # times the bare forward that reading may take
SLOW = 2.0  # times the quickest way, from which on a way is not tried further
CALIBRATED = 128  # rows on which batch size and precision are chosen
DEVICE = pick_device("auto")


def workshop(domain: Domain, folder: Path) -> Workshop:
    """A new one over a cache that may hold something."""
    return Workshop(domain, device=DEVICE, folder=folder / "own", cache=Cache(folder / "cache", 10 << 30).open())


def batches(road: Road, rows: np.ndarray, size: int) -> Iterator[dict[str, torch.Tensor]]:
    """Inputs in batches of like length, as the workshop makes them."""
    lengths = road.supply.lengths(rows)
    for positions in in_order(rows, lengths, size):
        yield {k: v.to(DEVICE) for k, v in road.supply.inputs(rows[positions]).items()}


@torch.inference_mode()
def forward(body: Body, inputs: list[dict[str, torch.Tensor]], dtype: torch.dtype, autocast: bool) -> float:
    """Seconds of the network alone."""
    model = Model(body, torch.nn.Identity())
    began = time.perf_counter()
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16) if autocast else nullcontext():
        for batch in inputs:
            made = model.features(cast(batch, dtype))
    made.sum().item()
    return time.perf_counter() - began


def fastest(road: Road, rows: np.ndarray) -> tuple[str, int, Callable[[list[dict[str, torch.Tensor]]], float]]:
    """The quickest way to run the network: as the library made it, by autocast, or as the workshop's fast copy."""
    ways: dict[str, tuple[Body, torch.dtype, bool]] = {
        "float32": (road.body, torch.float32, False),
        "bfloat16 by autocast": (road.body, torch.float32, True),
        "fast copy": (road.reader, road.reader_dtype, False),
    }
    some = rows[:: max(1, len(rows) // CALIBRATED)][:CALIBRATED]
    inputs = {size: list(batches(road, some, size)) for size in SIZES}
    seconds = {(name, 32): forward(way[0], inputs[32], *way[1:]) for name, way in ways.items()}
    quick = [name for name in ways if seconds[name, 32] < SLOW * min(seconds.values())]
    for name in quick:
        for size in SIZES:
            seconds[name, size] = min(forward(ways[name][0], inputs[size], *ways[name][1:]) for _ in range(2))
    name, size = min(seconds, key=lambda way: seconds[way])
    return name, size, lambda inputs: forward(ways[name][0], inputs, *ways[name][1:])


def pair(domain: Domain, source: str, rows: np.ndarray, size: int, bare: Any, *, first: str) -> dict[str, float]:
    """Seconds of each way on the same rows."""
    found: dict[str, float] = {}
    native = codec.parse("bridges", "native")
    folder = Path(tempfile.mkdtemp())
    for turn in (first, *({"forward", "store"} - {first})):
        if turn == "forward":
            road = workshop(domain, folder / "bare").road(source, native, rows)
            began = time.perf_counter()
            inputs = list(batches(road, rows, size))
            preparing = time.perf_counter() - began
            found["forward"] = bare(inputs)
            found["prepared"] = preparing + found["forward"]
        else:
            for name in ("store", "again"):
                shop = workshop(domain, folder)
                road = shop.road(source, native, rows)
                began = time.perf_counter()
                features = shop.features(road, (), rows)
                found[name] = time.perf_counter() - began
                assert len(features) == len(rows)
    shutil.rmtree(folder)
    return found


def rounding(features: np.ndarray, targets: np.ndarray) -> dict[str, dict[str, float]]:
    """Largest relative change of a feature, and of ridge outputs on the other half of the rows in units of their
    spread, by storing features in half floats."""
    halves = {
        "float16": unpacked(*packed(features)),
        "bfloat16": torch.from_numpy(features).bfloat16().float().numpy(),
    }
    onehot = (targets[:, None] == np.unique(targets)).astype(np.float64)
    exact = ridge(features.astype(np.float64), onehot)
    told: dict[str, dict[str, float]] = {}
    for name, values in halves.items():
        moved = np.abs(values - features) / np.maximum(np.abs(features), 1e-12)
        outputs = ridge(values.astype(np.float64), onehot)
        told[name] = {
            "feature": float(moved.max()),
            "output": float(np.abs(outputs - exact).max() / exact.std()),
            "other_answers": float((outputs.argmax(1) != exact.argmax(1)).mean()),
        }
    return told


def ridge(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Outputs on the odd rows of a ridge regression on the even ones."""
    train, mean = features[::2] - features[::2].mean(0), targets[::2].mean(0)
    gram = train.T @ train
    gram[np.diag_indices_from(gram)] += 1e-2 * np.trace(gram) / len(gram)
    weight = np.linalg.solve(gram, train.T @ (targets[::2] - mean))
    return (features[1::2] - features[::2].mean(0)) @ weight + mean


def measure(kind: str, domain: Domain, source: str, rows: np.ndarray, repeats: int) -> dict[str, Any]:
    """One kind of rows: the pairs, their medians, and the rounding."""
    native = codec.parse("bridges", "native")
    with tempfile.TemporaryDirectory() as folder:
        shop = workshop(domain, Path(folder))
        road = shop.road(source, native, rows)
        way, size, bare = fastest(road, rows)
        pairs = [pair(domain, source, rows, size, bare, first=("forward", "store")[i % 2]) for i in range(repeats)]
        model = Model(road.reader, torch.nn.Identity())
        made: list[np.ndarray] = []
        order = np.concatenate([rows[p] for p in in_order(rows, road.supply.lengths(rows), size)])
        with torch.inference_mode():
            for inputs in batches(road, rows, size):
                made.append(model.features(cast(inputs, road.reader_dtype)).float().cpu().numpy())
        changed = rounding(np.concatenate(made), domain.targets[order])
    cost = float(np.median([p["store"] / p["forward"] for p in pairs]))
    return {
        "kind": kind, "source": source.replace(str(Path(source.partition(":")[2]).parent) + "/", ""),
        "rows": len(rows), "threads": torch.get_num_threads(), "device": str(DEVICE),
        "bare": {"way": way, "batch": size}, "workshop": {"batch": road.size, "dtype": str(road.reader_dtype)},
        "rows_per_second": {n: float(np.median([len(rows) / p[n] for p in pairs])) for n in pairs[0]},
        "cost": cost, "cost_prepared": float(np.median([p["store"] / p["prepared"] for p in pairs])),
        "most": MOST, "reached": cost <= MOST, "pairs": pairs, "rounding": changed,
    }  # fmt: skip


def main() -> None:
    """Measure the asked kinds (default both) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help="texts, images; default both")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="a transformers folder of an image model")
    parser.add_argument("--rows", type=int, default=2000, help="at most")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    ways = {"texts": ("banking77", "embedded:minilm"), "images": ("hymenoptera/images.zip", "")}
    if asked.weights is not None:
        ways["images"] = ("hymenoptera/images.zip", f"transformers:{asked.weights}")
    for kind in asked.kinds or ways:
        place, source = ways[kind]
        if not (asked.data / place).exists() or not source:
            print(f"{kind}: skipped, {place} is not in the data folder or --weights is not given")
            continue
        before = machine()
        domain = read(asked.data / place)
        rows = np.random.default_rng(0).permutation(len(domain))[: asked.rows]
        found = {"machine": before} | measure(kind, domain, source, rows, asked.repeats)
        results = json.loads(asked.out.read_text()) if asked.out.exists() else {}
        results[f"{kind}/{found['source']}"] = found
        asked.out.parent.mkdir(exist_ok=True)
        asked.out.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
        speeds = ", ".join(f"{n} {v:.0f} rows/s" for n, v in found["rows_per_second"].items())
        print(f"{kind}: {found['cost']:.3f} times the bare forward ({speeds})", flush=True)


if __name__ == "__main__":
    main()
