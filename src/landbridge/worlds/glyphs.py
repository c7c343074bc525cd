"""Pictures of letters of alphabets that nobody has: strokes of a pen, a programme of strokes for each class.

Shapes: N pictures, S pixels a side, K strokes, P points a stroke.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import part, real, whole
from landbridge.worlds.canvas import Pictures, class_names, in_chunks, made, rgb, to_bytes
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import cosine, sine

STROKES = 4
_POINTS = 64


@part("glyphs", paper="Lake et al. 2015 (Omniglot, Bayesian programme learning), Science 350:1332")
class Glyphs:
    """Letters of one to four curved strokes; the class is the strokes, instances are written by another hand.

    A stroke is a quadratic curve; about half of them begin where one before ended, as people write. Instances jitter
    the control points by `spread` and the whole by a turn, a slant, a size and a pen. Lake's programmes are learnt from
    drawings; ours are drawn from uniform distributions, so that classes have no end.
    """

    classes: int = whole(100, 2, 100_000, log=True, help="letters; letter 7 is the same one however many there are")
    size: int = whole(64, 16, 256, help="pixels a side")
    spread: float = real(0.06, 0.0, 0.3, help="jitter of control points, of half the picture")
    modality: ClassVar[str] = "image"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The pictures with these numbers; truth holds the control points in pixels and the width of the pen."""

        def chunk(rows_N: np.ndarray) -> Pictures:
            return self._drawn(Draws(seed, "glyphs", rows_N), rows_N % self.classes)

        return made(in_chunks(chunk, indices, self.size, 32))

    def _drawn(self, draws: Draws, class_N: np.ndarray) -> Pictures:
        n, size = len(class_N), self.size
        points, strokes = _programme(draws.at(class_N))
        points = points + self.spread * draws.uniform("jitter", STROKES * 6, -1, 1).reshape(n, STROKES, 3, 2)
        turn, slant = draws.number("turn", -0.04, 0.04), draws.number("slant", -0.25, 0.25)
        large = draws.uniform("large", 2, 0.75, 1.0)
        c, s = cosine(turn)[:, None, None], sine(turn)[:, None, None]
        across, down = points[..., 0] + slant[:, None, None] * points[..., 1], points[..., 1]
        x = (c * across - s * down) * large[:, 0, None, None] + draws.number("x", -0.12, 0.12)[:, None, None]
        y = (s * across + c * down) * large[:, 1, None, None] + draws.number("y", -0.12, 0.12)[:, None, None]
        pixels = (np.stack([x, y], axis=3) * 0.5 + 0.5) * size
        ink = _written(pixels, strokes, size)
        pen = draws.number("pen", 0.8, 2.4)
        tone = np.clip(_thick(ink, (pen * (size / 64)).astype(np.float32)), 0.0, 1.0)
        paper = rgb(draws.number("hue"), draws.number("tint", 0, 0.15), draws.number("white", 0.85, 1.0))
        black = rgb(draws.number("ink hue"), draws.number("ink tint", 0, 0.9), draws.number("black", 0.0, 0.35))
        out = np.empty((n, size, size, 3), np.uint8)
        for channel in range(3):
            back = paper[:, channel, None, None]
            out[..., channel] = to_bytes(back + tone * (black[:, channel, None, None] - back))
        curves = [p[:k] for p, k in zip(np.round(pixels, 4).tolist(), strokes.tolist(), strict=True)]
        return out, {"class": class_names("glyphs", class_N), "strokes": curves, "pen": pen}


def _programme(kind: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Control points NxKx3x2 within [-0.8, 0.8], and how many strokes there are, N."""
    n = len(kind.rows)
    points = kind.uniform("points", STROKES * 6, -0.8, 0.8).reshape(n, STROKES, 3, 2)
    joined = kind.whole("joined", STROKES, 2)
    straight = kind.whole("straight", STROKES, 3) == 0
    for k in range(STROKES):
        if k:
            at = points[:, k - 1, 2]
            points[:, k, 0] = np.where(joined[:, k, None] == 1, at, points[:, k, 0])
        gap = points[:, k, 2] - points[:, k, 0]
        short = (np.abs(gap).max(1) < 0.5)[:, None]  # a dot says little: such a stroke ends on the other side
        points[:, k, 2] = np.where(short, -points[:, k, 0] + 0.3 * gap, points[:, k, 2])
        middle = 0.5 * (points[:, k, 0] + points[:, k, 2])
        points[:, k, 1] = np.where(straight[:, k, None], middle, points[:, k, 1])
    return points, 2 + kind.whole("strokes", 1, STROKES - 1)[:, 0]


def _written(pixels: np.ndarray, strokes_N: np.ndarray, size: int) -> np.ndarray:
    """Ink NxSxS: the length of line in each pixel, spread over its four neighbours."""
    n = len(pixels)
    t = (np.arange(_POINTS) + 0.5) / _POINTS
    a, b, c = (pixels[:, :, i, None, :] for i in range(3))
    t = t[:, None]
    place = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c - 0.5
    speed = 2 * (1 - t) * (b - a) + 2 * t * (c - b)
    length = np.sqrt(speed[..., 0] ** 2 + speed[..., 1] ** 2) / _POINTS
    length *= (np.arange(STROKES) < strokes_N[:, None])[:, :, None]
    place = np.clip(place, 0.0, size - 1.001)
    low = np.floor(place)
    share = place - low
    cell = low[..., 1].astype(np.int64) * size + low[..., 0].astype(np.int64)
    cell += (np.arange(n) * size * size)[:, None, None]
    ink = np.zeros(n * size * size)
    right, below = share[..., 0], share[..., 1]
    corners = {0: (1 - right) * (1 - below), 1: right * (1 - below), size: (1 - right) * below, size + 1: right * below}
    for step, near in corners.items():
        ink += np.bincount((cell + step).ravel(), (near * length).ravel(), minlength=len(ink))
    return ink.astype(np.float32).reshape(n, size, size)


def _thick(ink: np.ndarray, pen: np.ndarray) -> np.ndarray:
    """The line widened to so many pixels: two passes of a kernel of five, then more contrast."""
    for axis in (1, 2):
        pad = [(0, 0)] * 3
        pad[axis] = (2, 2)
        wide = np.pad(ink, pad)
        at = [np.take(wide, range(k, k + ink.shape[axis]), axis=axis) for k in range(5)]
        edge = np.clip(pen * np.float32(0.5) - np.float32(0.4), 0.0, 1.0)[:, None, None]
        ink = (at[2] + np.float32(0.8) * (at[1] + at[3]) + edge * np.float32(0.5) * (at[0] + at[4])) * np.float32(0.7)
    return ink * np.float32(0.75)
