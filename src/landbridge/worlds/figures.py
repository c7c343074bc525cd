"""Plain figures as signed distances, so that edges are smooth at any size; areas are known in closed form.

Local coordinates: the figure is about 1 in radius, distances are negative inside. Shapes: N figures, S pixels a side.
"""

from __future__ import annotations

import math

import numpy as np

from landbridge.worlds.canvas import grid
from landbridge.worlds.exact import cosine, sine

KINDS = (
    "disc", "square", "triangle", "star", "ring", "cross", "ellipse", "hexagon", "crescent", "pentagon", "dome", "bar",
)  # fmt: skip
_BITE, _AWAY = 0.8, 0.6  # of the crescent: radius and distance of the disc that is cut off
_STAR = math.cos(2 * math.pi / 5)  # distance of a pentagram's lines from its centre


def _lens(one: float, other: float, apart: float) -> float:
    """Area that two discs share."""
    a = math.acos((apart**2 + one**2 - other**2) / (2 * apart * one))
    b = math.acos((apart**2 + other**2 - one**2) / (2 * apart * other))
    return one**2 * (a - math.sin(2 * a) / 2) + other**2 * (b - math.sin(2 * b) / 2)


def _ngon(corners: int) -> float:
    return corners / 2 * math.sin(2 * math.pi / corners)


AREAS = {
    "disc": math.pi,
    "square": 4 * 0.8**2,
    "triangle": _ngon(3),
    "star": 10 * 0.5 * math.sin(math.pi / 5) * _STAR / math.cos(math.pi / 5),
    "ring": math.pi * (1 - 0.55**2),
    "cross": 4 * 0.35 * 2 * 1.0 - (2 * 0.35) ** 2,
    "ellipse": math.pi * 0.55,
    "hexagon": _ngon(6),
    "crescent": math.pi - _lens(1.0, _BITE, _AWAY),
    "pentagon": _ngon(5),
    "dome": math.pi / 2,
    "bar": 4 * 0.35,
}


def signed(kind: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to the edge in local coordinates (near the edge; farther off it is only of the right sign)."""
    if kind in ("triangle", "pentagon", "hexagon", "star"):
        corners = {"triangle": 3, "pentagon": 5, "hexagon": 6, "star": 5}[kind]
        return _sides(x, y, corners, star=kind == "star")
    if kind in ("square", "bar", "cross"):
        wide, high = {"square": (0.8, 0.8), "bar": (1.0, 0.35), "cross": (1.0, 0.35)}[kind]
        across, down = np.abs(x), np.abs(y)
        box = np.maximum(across - np.float32(wide), down - np.float32(high))
        other = np.maximum(across - np.float32(high), down - np.float32(wide))
        return np.minimum(box, other) if kind == "cross" else box
    if kind == "ellipse":
        down = y * np.float32(1 / 0.55)
        length = np.sqrt(x * x + down * down) + np.float32(1e-6)
        steep = down * np.float32(1 / 0.55)
        return (length - 1) * length / (np.sqrt(x * x + steep * steep) + np.float32(1e-6))
    far = np.sqrt(x * x + y * y)
    if kind == "ring":
        return np.maximum(far - 1, np.float32(0.55) - far)
    if kind == "dome":
        return np.maximum(far - 1, -y)
    if kind == "crescent":
        away = x - np.float32(_AWAY)
        return np.maximum(far - 1, np.float32(_BITE) - np.sqrt(away * away + y * y))
    return far - 1


def _sides(x: np.ndarray, y: np.ndarray, corners: int, *, star: bool) -> np.ndarray:
    """Within all sides of a regular polygon; of a pentagram's five lines all but one hold."""
    inner = np.float32(_STAR if star else math.cos(math.pi / corners))
    most = second = np.full_like(x, -9.0)
    for side in range(corners):
        turn = np.array((side + 0.5) / corners)
        value = cosine(turn) * x + sine(turn) * y
        second = np.maximum(second, np.minimum(most, value))
        most = np.maximum(most, value)
    return (second if star else most) - inner


def coverage(
    kind_N: np.ndarray, x_N: np.ndarray, y_N: np.ndarray, radius_N: np.ndarray, turn_N: np.ndarray, size: int
) -> np.ndarray:
    """How much of each pixel a figure covers, NxSxS in [0, 1]; kinds are numbers in KINDS.

    Places are fractions of the picture from its upper left corner, the radius is a fraction of its side.
    """
    out = np.empty((len(kind_N), size, size), np.float32)
    at = (grid(size) * np.float32(0.5) + np.float32(0.5)).astype(np.float64)
    for kind in np.unique(kind_N).tolist():
        rows = np.flatnonzero(kind_N == kind)
        across = (at - x_N[rows, None]) / radius_N[rows, None]
        down = (at - y_N[rows, None]) / radius_N[rows, None]
        c, s = cosine(turn_N[rows])[:, None], sine(turn_N[rows])[:, None]
        x = (c * across).astype(np.float32)[:, None, :] + (s * down).astype(np.float32)[:, :, None]
        y = (c * down).astype(np.float32)[:, :, None] - (s * across).astype(np.float32)[:, None, :]
        pixels = (radius_N[rows] * size).astype(np.float32)[:, None, None]
        out[rows] = np.clip(np.float32(0.5) - signed(KINDS[kind], x, y) * pixels, 0.0, 1.0)
    return out


def boxes(mask_NSS: np.ndarray) -> np.ndarray:
    """Nx4: left, top, right, bottom in pixels (right and bottom excluded) of what is true; zeros where nothing is."""
    size = mask_NSS.shape[-1]
    sides: list[np.ndarray] = []
    for axis in (1, 2):
        there = mask_NSS.any(axis)
        sides += [there.argmax(1), np.where(there.any(1), size - there[:, ::-1].argmax(1), 0)]
    return np.stack([sides[0], sides[2], sides[1], sides[3]], axis=1)
