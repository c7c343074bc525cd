"""How many examples a second each generated world makes on one thread, and a sheet that shows them.

    python benchmarks/worlds.py [--seconds 5] [WORLD ...]     # writes benchmarks/results/worlds.json
    python benchmarks/worlds.py --sheet docs/worlds.png       # draws the picture of docs/worlds.md

A world is timed in slices of 256 examples at its own defaults (pictures of 64 pixels), examples and truth, after one
slice that fills tables and caches. `rate_wall` counts the clock, `rate_cpu` the processor time of the one thread, which
is what the machine would reach if nothing else ran on it. `target` is 1,000 a second for formula pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from main_road import machine
from PIL import Image, ImageDraw
from threadpoolctl import threadpool_limits

from landbridge.core import codec, registry
from landbridge.core.contracts import World
from landbridge.core.examples import Sound

RESULTS = Path(__file__).parent / "results" / "worlds.json"
FORMULA = ("fractals", "contours", "textures", "shapes", "glyphs", "scenes", "objects")
TARGET, SLICE, SHOWN = 1000.0, 256, 14


def measure(world: World, seconds: float, seed: int) -> dict[str, Any]:
    """Examples a second by the clock and by the processor."""
    world.make(seed, np.arange(SLICE))
    done, began, used = 0, time.perf_counter(), time.process_time()
    while time.process_time() - used < seconds:
        done += SLICE
        world.make(seed, np.arange(done, done + SLICE))
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    return {"examples": done, "rate_wall": done / wall, "rate_cpu": done / cpu}


def sheet(path: Path) -> None:
    """A row of pictures for each world; sounds as spectrograms, series as lines."""
    rows = [_tiles(codec.parse("worlds", name)) for name in registry.names("worlds") if name != "causal"]
    page = np.full((len(rows) * 66, SHOWN * 66, 3), 255, np.uint8)
    for r, tiles in enumerate(rows):
        for c, tile in enumerate(tiles):
            page[r * 66 : r * 66 + 64, c * 66 : c * 66 + 64] = tile
    Image.fromarray(page).save(path, optimize=True)


def _tiles(world: World) -> list[np.ndarray]:
    return [_tile(example) for example in world.make(0, np.arange(SHOWN)).examples]


def _tile(example: Any) -> np.ndarray:
    if isinstance(example, Sound):
        frames = example.wave[: 64 * 124].reshape(64, 124) * np.hanning(124)
        power = np.log10(np.abs(np.fft.rfft(frames, 130))[:, 1:65] + 1e-3)
        shown = ((power - power.min()) / (power.max() - power.min()) * 255).astype(np.uint8)
        return np.repeat(np.asarray(shown).T[::-1, :, None], 3, axis=2)
    if example.shape[-1] == 3:
        return example
    picture = Image.new("RGB", (256, 256), "white")
    values = example[0]
    height = 236 - (values - values.min()) / (values.max() - values.min()) * 216
    points = [(float(x), float(y)) for x, y in zip(np.linspace(4, 252, len(values)), height, strict=True)]
    ImageDraw.Draw(picture).line(points, fill=(20, 60, 120), width=4)
    return np.asarray(picture.resize((64, 64), Image.Resampling.BOX))


def main() -> None:
    """Measure the asked worlds (default all) and merge them into the results file, or draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="*", help="worlds as the command line spells them, default all")
    parser.add_argument("--seconds", type=float, default=5.0, help="processor time for each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="draw a sheet to this file instead")
    asked = parser.parse_args()
    if asked.sheet:
        sheet(asked.sheet)
        return
    for name in asked.worlds or registry.names("worlds"):
        with threadpool_limits(1):
            found = {"machine": machine(), "world": name, "seed": asked.seed, "threads": 1, "slice": SLICE}
            found |= {"command": " ".join(["python", "benchmarks/worlds.py", *sys.argv[1:]])}
            found |= measure(codec.parse("worlds", name), asked.seconds, asked.seed)
        if name.split("(")[0] in FORMULA:
            found |= {"target": TARGET, "reached": found["rate_cpu"] >= TARGET}
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = found
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
        print(
            f"{name}: {found['rate_wall']:.0f}/s by the clock, {found['rate_cpu']:.0f}/s of processor time", flush=True
        )


if __name__ == "__main__":
    main()
