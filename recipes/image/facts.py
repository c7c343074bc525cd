"""What the worlds tell of their pictures, as the targets of the goals that are learnt beside the classes.

Shapes: N pictures, K kinds of figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from landbridge.worlds.figures import KINDS
from landbridge.worlds.shapes import HUES

Truth = Sequence[Mapping[str, Any]]
CHOICES = {"lines": 9, "kind": len(KINDS), "hue": len(HUES), "nearest": len(KINDS), "count": 5}  # one of so many
PRESENT = {"present": len(KINDS)}  # any of so many
NUMBERS = {"waves": 1, "direction": 2, "area": 1}
SEEN = 0.005  # share of a picture that must be seen of a thing for it to be there
WAVED = ("grating", "plaid", "gabor", "marble", "labyrinth", "tiles")  # families whose scale is what `waves` says
DIRECTED = WAVED[:4]


def blank(count: int) -> dict[str, np.ndarray]:
    """Targets that say nothing: -1 for choices, NaN for all else."""
    none = {"class": np.full(count, -1, np.int64)} | {name: np.full(count, -1, np.int64) for name in CHOICES}
    return none | {name: np.full((count, w), np.nan, np.float32) for name, w in {**PRESENT, **NUMBERS}.items()}


def textures(truth: Truth, size: int) -> dict[str, np.ndarray]:
    """Waves across the picture on a logarithmic scale, and twice the direction, as stripes have no sense of it."""
    family = np.array([t["family"] for t in truth])
    turn = 4 * np.pi * np.array([t["direction"] for t in truth])
    waves = np.log2(np.array([t["waves"] for t in truth]) / 4.7)[:, None]
    direction = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    waves = np.where(np.isin(family, WAVED)[:, None], waves, np.nan)
    direction = np.where(np.isin(family, DIRECTED)[:, None], direction, np.nan)
    return {"waves": waves.astype(np.float32), "direction": direction.astype(np.float32)}


def contours(truth: Truth, size: int) -> dict[str, np.ndarray]:
    """How many lines lie inside one another, 2 to 10."""
    return {"lines": np.array([t["lines"] for t in truth], np.int64) - 2}


def shapes(truth: Truth, size: int) -> dict[str, np.ndarray]:
    """Kind, colour, and area as a share of the picture on a logarithmic scale."""
    area = np.log2(np.array([[t["area"]] for t in truth]) / (0.08 * size**2))
    return {
        "kind": np.array([KINDS.index(t["kind"]) for t in truth], np.int64),
        "hue": np.array([HUES.index(t["hue"]) for t in truth], np.int64),
        "area": area.astype(np.float32),
    }


def scenes(truth: Truth, size: int) -> dict[str, np.ndarray]:
    """Kind of the nearest thing, how many there are (2 to 6), and which kinds can be seen."""
    present = np.zeros((len(truth), len(KINDS)), np.float32)
    for row, told in zip(present, truth, strict=True):
        for thing in told["things"]:
            if thing["seen"] > SEEN * size**2:
                row[KINDS.index(thing["kind"])] = 1.0
    return {
        "nearest": np.array([KINDS.index(t["things"][-1]["kind"]) for t in truth], np.int64),
        "count": np.array([t["count"] for t in truth], np.int64) - 2,
        "present": present,
    }


FACTS: dict[str, Callable[[Truth, int], dict[str, np.ndarray]]] = {
    "textures": textures,
    "contours": contours,
    "shapes": shapes,
    "scenes": scenes,
}
