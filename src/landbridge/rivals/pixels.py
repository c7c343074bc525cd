"""Small pictures and their edges: the control for images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.parts import part
from landbridge.rivals.featured import Featured, stack
from landbridge.rivals.inner import Goal, folds, time_left
from landbridge.rivals.linear import Linear, fit_dense

_BINS, _CELL, _SIDE = 9, 8, 64  # orientation bins, pixels a cell, pixels a side for HOG


def grey(image: Image.Image, side: int) -> np.ndarray:
    """Grey levels in [0, 1] of the image scaled to side x side by area means, flat."""
    return np.asarray(image.convert("L").resize((side, side), Image.Resampling.BOX), np.float32).ravel() / 255.0


def colour(image: Image.Image, side: int) -> np.ndarray:
    """The same for the three colours."""
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32).ravel() / 255.0


def hog(image: Image.Image) -> np.ndarray:
    """Histograms of oriented gradients of the 64x64 grey image: 8x8 cells, 9 unsigned orientations, 1764 numbers.

    Dalal & Triggs 2005, sections 6.2 to 6.4: centred differences, votes by gradient length shared linearly between the
    two nearest orientations, blocks of 2x2 cells with L2-Hys (clipped at 0.2). Departs in that votes are not
    interpolated between cells and the border difference is 0.
    """
    pixels = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR), np.float32) / 255.0
    across, down = np.zeros_like(pixels), np.zeros_like(pixels)
    across[:, 1:-1] = pixels[:, 2:] - pixels[:, :-2]
    down[1:-1] = pixels[2:] - pixels[:-2]
    length = np.hypot(across, down)
    place = np.mod(np.arctan2(down, across), np.pi) / np.pi * _BINS - 0.5  # bin k is centred at (k + 0.5) * 20 degrees
    lower = np.floor(place).astype(np.int64)
    share = place - lower
    cells = _SIDE // _CELL
    row, column = np.indices(pixels.shape) // _CELL
    cell = (row * cells + column) * _BINS
    votes = np.bincount((cell + lower % _BINS).ravel(), (length * (1 - share)).ravel(), cells * cells * _BINS)
    votes += np.bincount((cell + (lower + 1) % _BINS).ravel(), (length * share).ravel(), cells * cells * _BINS)
    grid = votes.reshape(cells, cells, _BINS)
    blocks = np.concatenate([grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]], axis=2)
    blocks = blocks / np.sqrt(np.sum(blocks**2, axis=2, keepdims=True) + 1e-6)
    clipped = np.minimum(blocks, 0.2)
    final = clipped / np.sqrt(np.sum(clipped**2, axis=2, keepdims=True) + 1e-6)
    return final.astype(np.float32).ravel()


def hog_and_colour(image: Image.Image) -> np.ndarray:
    """HOG beside 8x8 colours."""
    return np.concatenate([hog(image), colour(image, 8)])


DESCRIPTIONS: dict[str, Callable[[Image.Image], np.ndarray]] = {  # cheaper first
    "grey16": partial(grey, side=16),
    "colour16": partial(colour, side=16),
    "hog": hog,
    "hog_and_colour8": hog_and_colour,
    "grey32": partial(grey, side=32),
}


@part("pixels", paper="Dalal & Triggs 2005 (HOG)")
class Pixels:
    """Logistic or ridge regression on small pixels or on HOG, whichever is better on inner folds."""

    modalities: ClassVar[tuple[str, ...]] = ("image",)

    def fit(self, domain: Domain, rows: np.ndarray, seed: int, deadline: float | None = None) -> Featured:
        """Each image is decoded once; descriptions are tried from cheap to dear while time is left."""
        goal = Goal.of(domain.task, domain.targets[rows])
        inner = folds(domain, rows, 4, seed)
        names = list(DESCRIPTIONS)
        described: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for image in domain.examples(rows):
            for name in names:
                described[name].append(DESCRIPTIONS[name](image))
        best: tuple[float, str, Linear] | None = None
        for name in names:
            linear, held_out = fit_dense(stack(described.pop(name)), goal, inner, deadline)
            worth = goal.worth(held_out)
            if best is None or worth > best[0]:
                best = (worth, name, linear)
            if time_left(deadline) < 3.0:
                break
        assert best is not None
        return _predictor(best[1], best[2])

    def rebuild(self, task: Task, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Featured:
        """The predictor that `state` wrote."""
        return _predictor(str(facts["description"]), Linear.from_arrays(arrays))


def _predictor(name: str, linear: Linear) -> Featured:
    return Featured(DESCRIPTIONS[name], {"description": name}, linear)
