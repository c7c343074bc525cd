"""Patterns that fill a picture: waves, noise on a lattice, cells, tiles. Each gives tones NxSxS in [0, 1].

`kind` draws what makes a class, `here` what differs between its instances. Shapes: N pictures, S pixels a side, W
waves. A wave over the picture is sin(X + Y) = sin X cos Y + cos X sin Y, so sines are taken of rows and columns only.
"""

from __future__ import annotations

import numpy as np

from landbridge.worlds.canvas import grid
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import bell, between, cosine, sine

_DIRECTIONS, _POINTS, _OCTAVES = 12, 5, 4
_CELLS = 8  # of the coarsest octave, more than any class and instance has


def scale_and_turn(kind: Draws, here: Draws, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Waves across the picture, and direction in turns, N each."""
    scale = between(kind.number("scale"), 2.0, 11.0) * here.number("scale", 1 - spread, 1 + spread)
    return scale, kind.number("turn") + 0.25 * spread * here.number("turn", -1.0, 1.0)


def wave(across: np.ndarray, down: np.ndarray, phase: np.ndarray, size: int) -> np.ndarray:
    """Sine waves NxSxS with so many waves across and down the picture, phase in turns."""
    at = (grid(size) * np.float32(0.5)).astype(np.float64)
    x, y = across[:, None] * at + phase[:, None], down[:, None] * at
    return sine(x)[:, None, :] * cosine(y)[:, :, None] + cosine(x)[:, None, :] * sine(y)[:, :, None]


def grating(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Parallel stripes, soft or hard."""
    scale, turn = scale_and_turn(kind, here, spread)
    value = wave(scale * cosine(turn), scale * sine(turn), here.number("phase"), size)
    return sharpened(value, kind)


def plaid(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Two sets of stripes across each other, added or multiplied."""
    scale, turn = scale_and_turn(kind, here, spread)
    other = scale * kind.number("ratio", 0.4, 1.6)
    across = turn + kind.number("angle", 0.12, 0.25)
    one = wave(scale * cosine(turn), scale * sine(turn), here.number("phase"), size)
    two = wave(other * cosine(across), other * sine(across), here.number("other phase"), size)
    times = kind.whole("times", 1, 2)[:, :, None] == 1
    return sharpened(np.where(times, one * two * np.float32(1.6), (one + two) * np.float32(0.6)), kind)


def gabor(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """A wave within five soft round windows."""
    scale, turn = scale_and_turn(kind, here, spread)
    at = grid(size).astype(np.float64)
    x, y = here.uniform("x", _POINTS, -0.85, 0.85), here.uniform("y", _POINTS, -0.85, 0.85)
    width = kind.number("width", 0.16, 0.35)[:, None]
    value = np.zeros((len(scale), size, size), np.float32)
    for p in range(_POINTS):
        across, down = bell((at - x[:, p, None]) / width), bell((at - y[:, p, None]) / width)
        value += across.astype(np.float32)[:, None, :] * down.astype(np.float32)[:, :, None]
    value = np.minimum(value, 1.0) * wave(
        1.5 * scale * cosine(turn), 1.5 * scale * sine(turn), here.number("phase"), size
    )
    return (0.5 + 0.5 * value).astype(np.float32)


def lattice(here: Draws, octave: int, cells: np.ndarray, size: int) -> np.ndarray:
    """Smooth random values NxSxS in [0, 1] with so many cells across: one octave of value noise."""
    side = _CELLS * 2**octave + 2
    values = here.uniform(f"octave {octave}", side * side).astype(np.float32).reshape(-1, side, side)
    at = (np.arange(size) + 0.5)[None, :] * (cells / size)[:, None]
    low = at.astype(np.int64)
    share = (at - low).astype(np.float32)
    share = share * share * (3 - 2 * share)
    top = np.take_along_axis(values, low[:, :, None], axis=1)
    rows = top + share[:, :, None] * (np.take_along_axis(values, low[:, :, None] + 1, axis=1) - top)
    left = np.take_along_axis(rows, low[:, None, :], axis=2)
    return left + share[:, None, :] * (np.take_along_axis(rows, low[:, None, :] + 1, axis=2) - left)


def noise(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Octaves of value noise, each twice as fine as the one before, in about [-1, 1]."""
    cells = between(kind.number("scale"), 2.0, 5.0) * here.number("scale", 1 - spread, 1 + spread)
    keeps = kind.number("keeps", 0.35, 0.75).astype(np.float32)
    value, weight, total = np.float32(0.0), np.ones_like(keeps), np.zeros_like(keeps)
    for octave in range(_OCTAVES):
        value = value + weight[:, None, None] * (lattice(here, octave, cells * 2**octave, size) - 0.5)
        total, weight = total + weight, weight * keeps
    return value * (np.float32(3.2) / total)[:, None, None]


def clouds(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Fractal noise, plain or folded into ridges."""
    value = noise(kind, here, spread, size)
    ridged = kind.whole("ridged", 1, 2)[:, :, None] == 1
    return np.where(ridged, 1 - 1.4 * np.abs(value), 0.5 + 0.5 * value).clip(0, 1).astype(np.float32)


def marble(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Stripes that noise has bent."""
    scale, turn = scale_and_turn(kind, here, spread)
    at = grid(size).astype(np.float64) * 0.3
    bend = kind.number("bend", 0.3, 1.1)[:, None, None] * noise(kind, here, spread, size)
    phase = (scale * cosine(turn))[:, None, None] * at + (scale * sine(turn))[:, None, None] * at[:, None] + bend
    return sharpened(sine(phase + here.number("phase")[:, None, None]), kind)


def cells(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Distance to the nearest of points in a jittered grid, or to the border between the two nearest."""
    side, at = 3 + kind.whole("cells", 1, 3), grid(size)
    jitter = kind.number("jitter", 0.2, 0.9)[:, None]
    first = np.full((len(side), size, size), np.float32(9.0))
    second = first.copy()
    for p in range(36):  # as many as the finest grid has with one row around it; the others are put far away
        row, column = p // 6, p % 6
        there = (row <= side) & (column <= side)
        x = (column - 0.5 + jitter * here.uniform(f"x {p}", 1, -0.5, 0.5)) * 2.0 / side - 1.0
        y = (row - 0.5 + jitter * here.uniform(f"y {p}", 1, -0.5, 0.5)) * 2.0 / side - 1.0
        x, y = (np.where(there, v, 5.0).astype(np.float32) for v in (x, y))
        square = ((at - x) ** 2)[:, None, :] + ((at - y) ** 2)[:, :, None]
        second = np.minimum(second, np.maximum(first, square))
        first = np.minimum(first, square)
    near, next_ = np.sqrt(first), np.sqrt(second)
    times = (side[:, :, None] * np.float32(0.7)).astype(np.float32)
    border = kind.whole("border", 1, 2)[:, :, None] == 1
    return np.where(border, (next_ - near) * times * 2, near * times).clip(0, 1)


def labyrinth(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Waves of one length from all sides, cut by a threshold: stripes that fork, or spots."""
    scale, _ = scale_and_turn(kind, here, spread)
    turn, phase = here.uniform("turns", _DIRECTIONS), here.uniform("phases", _DIRECTIONS)
    value = np.zeros((len(scale), size, size), np.float32)
    for w in range(_DIRECTIONS):
        value += wave(scale * cosine(turn[:, w]), scale * sine(turn[:, w]), phase[:, w], size)
    level = kind.number("level", -0.8, 0.8).astype(np.float32)[:, None, None]
    return (0.5 + 1.2 * (value * np.float32(0.4) - level)).clip(0, 1)


def tiles(kind: Draws, here: Draws, spread: float, size: int) -> np.ndarray:
    """Bricks with joints, or boards of two tones; each tile has a shade of its own."""
    scale, _ = scale_and_turn(kind, here, spread)
    at = np.arange(size) / size
    rows = (at + here.number("y")[:, None]) * np.maximum(2.0, scale * 0.8)[:, None]
    down = np.floor(rows)
    wide = kind.number("wide", 0.4, 1.0)[:, None] * np.maximum(2.0, scale * 0.8)[:, None]
    offset = kind.whole("offset", 1, 3)[:, :, None] * 0.25 * down[:, :, None]
    columns = (at + here.number("x")[:, None])[:, None, :] * wide[:, :, None] + offset
    across = np.floor(columns)
    joint = kind.number("joint", 0.0, 0.12)[:, None, None]
    solid = ((columns - across) > joint) & ((rows - down) > joint[:, 0])[:, :, None]
    place = across.astype(np.int64) * 7919 + down.astype(np.int64)[:, :, None] * 104729
    mixed = place * 2654435761 % 997  # a shade by its place
    board = (across + down[:, :, None]) % 2
    plain = kind.number("plain", 0.3, 1.0)[:, None, None]
    shade = plain * board + (1 - plain) * mixed * (1 / 997)
    return np.where(solid, 0.3 + 0.7 * shade, 0.0).astype(np.float32)


def sharpened(value: np.ndarray, kind: Draws) -> np.ndarray:
    """Values in [-1, 1] to tones, soft (a sine) or hard (stripes with an edge), as the class has it."""
    gain = between(kind.number("hard"), 0.5, 3.0).astype(np.float32)[:, None, None]
    return (np.float32(0.5) + gain * value * np.float32(0.9)).clip(0, 1)
