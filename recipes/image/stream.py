"""Pictures without end from the generated worlds, with what is true of them, in blocks of several batches.

Sounds and series are drawn by the bridges' own code, so that an encoder sees them as it will see a user's. A block is
made at once, since the worlds draw many pictures faster than few, and dealt into batches. It depends on the seed, its
number and the process alone, so nothing has to be kept to go on where training was interrupted.

Shapes: N pictures, B batch, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from facts import FACTS, blank

from landbridge.bridges.plot import Plot, PlotPrepare
from landbridge.bridges.spectrogram import Spectrogram
from landbridge.core.contracts import World
from landbridge.core.model import Prepare
from landbridge.core.seeds import numpy_generator
from landbridge.sources.scratch import convnet
from landbridge.worlds.contours import Contours
from landbridge.worlds.fractals import Fractals
from landbridge.worlds.glyphs import Glyphs
from landbridge.worlds.scenes import Scenes
from landbridge.worlds.series import Series
from landbridge.worlds.shapes import Shapes
from landbridge.worlds.sounds import Sounds
from landbridge.worlds.textures import Textures

STEPS = 8  # batches in a block
LENGTHS = (96, 256)  # of series, in turn
RATE = 8000
KINDS = ("fields", "line", "fields", "recurrence")  # how series are drawn, in turn


@dataclass(frozen=True)
class Part:
    """A world's part in the stream: its share of the pictures, how many classes it has, and how its pictures are seen.

    Classes are told apart by one softmax over all worlds that have any; `views` names what `augment.py` does.
    """

    name: str
    share: float
    classes: int
    views: tuple[str, ...]
    make: Callable[[int, int], World]  # from classes and pixels


PARTS = (
    Part("fractals", 0.22, 1000, ("hard",), lambda c, s: Fractals(classes=c, size=s)),
    Part("contours", 0.18, 1000, ("hard", "still"), lambda c, s: Contours(classes=c, size=s)),
    Part("textures", 0.18, 600, ("hard", "still"), lambda c, s: Textures(classes=c, size=s)),
    Part("glyphs", 0.16, 1500, ("hand",), lambda c, s: Glyphs(classes=c, size=s)),
    Part("scenes", 0.08, 0, ("still",), lambda c, s: Scenes(classes=12, size=s)),
    Part("shapes", 0.04, 0, ("still",), lambda c, s: Shapes(size=s, noise=0.05)),
    Part("sounds", 0.07, 210, ("time",), lambda c, s: Sounds(classes=c, noise=0.01)),
    Part("series", 0.07, 225, ("plot",), lambda c, s: Series(classes=c, length=LENGTHS[0])),
)


@dataclass(frozen=True)
class Batch:
    """`pixels` BxSxSx3 bytes, the name of each row's view, and targets by goal (missing: -1 for classes, else NaN)."""

    pixels: np.ndarray
    views: np.ndarray
    targets: dict[str, np.ndarray]


def classes(scale: float = 1.0) -> dict[str, int]:
    """How many classes each world has; a scale below 1 makes a small problem of it, for trying."""
    return {part.name: max(2, round(part.classes * scale)) for part in PARTS if part.classes}


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The pictures of one of `ranks` processes, `batch` of them a step."""

    seed: int
    batch: int
    rank: int = 0
    ranks: int = 1
    scale: float = 1.0

    def block(self, number: int, size: int) -> Iterator[Batch]:
        """The batches of one block, at `size` pixels."""
        rows = STEPS * self.batch
        counts = _counts(rows)
        found = [self._part(part, count, number, size) for part, count in zip(PARTS, counts, strict=True) if count]
        order = numpy_generator(self.seed, "deal", number, self.rank).permutation(rows)
        pixels = np.concatenate([part.pixels for part in found])
        views = np.concatenate([part.views for part in found])
        targets = {name: np.concatenate([part.targets[name] for part in found]) for name in found[0].targets}
        for chosen in np.split(order, STEPS):
            yield Batch(pixels[chosen], views[chosen], {name: t[chosen] for name, t in targets.items()})

    def _part(self, part: Part, count: int, number: int, size: int) -> Batch:
        """What one world adds to a block."""
        indices = (number * self.ranks + self.rank) * count + np.arange(count)
        own, before = classes(self.scale), 0
        for name in own:
            if name == part.name:
                break
            before += own[name]
        world = part.make(own.get(part.name, 2), size)
        pixels, truth = pictures(world, self.seed, indices, size, number)
        targets = blank(count)
        if part.classes:
            targets["class"] = before + indices % own[part.name]
        views = np.array(part.views)[np.arange(count) % len(part.views)]
        still = views == "still"  # a crop would make what is told untrue, but for the class
        for name, values in FACTS[part.name](truth, size).items() if part.name in FACTS else ():
            targets[name][still] = values[still]
        return Batch(pixels, views, targets)


def pictures(
    world: World, seed: int, indices: np.ndarray, size: int, turn: int = 0
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Bytes NxSxSx3 of a world's examples and their truth; sounds become spectrograms, series plots."""
    if isinstance(world, Series):
        world = replace(world, length=LENGTHS[turn % len(LENGTHS)])
    made = world.make(seed, indices)
    if isinstance(world, Sounds):
        prepare = _spectrogram(size, world.seconds)
        cells = np.stack([prepare(sound)["cells"] for sound in made.examples])
        return np.repeat(cells[..., None], 3, axis=3), list(made.truth)
    if isinstance(world, Series):
        return np.stack([_plotted(s, size, KINDS[i % 4]) for i, s in enumerate(made.examples)]), list(made.truth)
    return np.asarray(made.examples), list(made.truth)


def _counts(rows: int) -> list[int]:
    """Whole numbers of pictures that sum to `rows`; the first world takes what rounding leaves."""
    counts = [int(part.share * rows) for part in PARTS]
    counts[0] += rows - sum(counts)
    return counts


@cache
def _spectrogram(size: int, seconds: float) -> Prepare:
    return Spectrogram(size=size).connect(convnet(), {"rate": RATE, "seconds": seconds}).prepare


@cache
def _plot(size: int, kind: str) -> PlotPrepare:
    prepare = Plot(size=size, kind=kind).connect(convnet(), {"low": [0.0], "high": [1.0]}).prepare
    assert isinstance(prepare, PlotPrepare)
    return prepare


def _plotted(series: np.ndarray, size: int, kind: str) -> np.ndarray:
    """One series over its own range: a user's set has one range, the world's processes have nine."""
    low, high = float(series.min()), float(series.max())
    ranged = replace(_plot(size, kind), low=(low,), high=(max(high, low + 1e-6),))
    return ranged(series)["cells"]
