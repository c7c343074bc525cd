"""Pictures of fractals: the attractors of random systems of affine maps, a system for each class.

Shapes: N pictures, C classes, M maps, W walkers, G words, 6 numbers a map: x' = a x + b y + e, y' = c x + d y + f.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import part, real, whole
from landbridge.worlds.canvas import Pictures, class_names, in_chunks, made, palettes, to_bytes
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import cosine, sine

MAPS = 6
_ATTEMPTS, _COARSE = 12, 32
_WALKERS, _STEPS, _WORDS, _LETTERS = 64, 12, 224, 3


@part(
    "fractals",
    paper="Kataoka et al. 2020 (FractalDB), arXiv:2101.08515; Anderson and Farrell 2021, arXiv:2110.03091; "
    "Nakamura et al. 2023 (OFDB), arXiv:2307.14710",
)
class Fractals:
    """Attractors of iterated function systems; the class is the system, instances perturb its numbers.

    Where we depart from FractalDB: systems are drawn by singular values, as Anderson and Farrell do, so that each one
    contracts, and of twelve the first that fills enough of the picture is taken. Points come from a chaos game of few
    walkers whose cloud is then sent through many random words of maps, which is the same measure and quicker. With
    `instances=1` there is one picture for each class, as in OFDB, and index C is index 0 again.
    """

    classes: int = whole(100, 2, 10_000, log=True, help="systems; class 7 is the same system however many there are")
    size: int = whole(64, 16, 256, help="pixels a side")
    spread: float = real(0.12, 0.0, 0.4, help="how far an instance's numbers lie from its class's, relative")
    instances: int = whole(0, 0, 1_000_000, help="pictures a class before they repeat; 0 for no end")
    fill: float = real(0.25, 0.05, 0.5, help="least share of coarse cells that a system must reach")
    modality: ClassVar[str] = "image"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The pictures with these numbers; truth holds the maps as drawn."""
        codes, weights = _systems(seed, self.classes, self.fill)
        rows = indices % (self.classes * self.instances) if self.instances else indices

        def chunk(rows_N: np.ndarray) -> Pictures:
            draws, class_N = Draws(seed, "fractals", rows_N), rows_N % self.classes
            shake = draws.uniform("shake", MAPS * 6, 1.0 - self.spread, 1.0 + self.spread)
            maps_NM6 = codes[class_N] * shake.reshape(-1, MAPS, 6).astype(np.float32)
            pictures = _drawn(draws, maps_NM6, weights[class_N], self.size)
            truth = {"class": class_names("fractals", class_N), "maps": maps_NM6, "weights": weights[class_N]}
            return pictures, truth

        return made(in_chunks(chunk, rows, self.size, 16))


@lru_cache(maxsize=4)
def _systems(seed: int, classes: int, fill: float) -> tuple[np.ndarray, np.ndarray]:
    """CxMx6 maps and CxM weights: for each class the first of its attempts that fills enough, else the fullest."""
    codes, weights = np.empty((classes, MAPS, 6), np.float32), np.empty((classes, MAPS), np.float32)
    for start in range(0, classes, 64):
        class_C = np.arange(start, min(classes, start + 64))
        draws = Draws(seed, "fractals", np.repeat(class_C * _ATTEMPTS, _ATTEMPTS) + np.tile(
            np.arange(_ATTEMPTS), len(class_C)))  # fmt: skip
        maps, weight = _attempts(draws)
        x, y, _ = _points(draws, maps, weight, _WORDS)
        cells = np.zeros((len(maps), _COARSE * _COARSE), bool)
        np.put_along_axis(cells, _cells(x, y, _COARSE), True, axis=1)
        filled = cells.sum(1).reshape(len(class_C), _ATTEMPTS) / _COARSE**2
        chosen = np.where((filled > fill).any(1), (filled > fill).argmax(1), filled.argmax(1))
        rows = np.arange(len(class_C)) * _ATTEMPTS + chosen
        codes[class_C], weights[class_C] = maps[rows], weight[rows]
    return codes, weights


def _attempts(draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Systems of 2 to 6 maps; weights are by area, 0 for maps that are not there.

    The sum of singular values is Anderson and Farrell's, (5 + M) / 2 to (6 + M) / 2 with the smaller ones twice.
    """
    count = 2 + draws.whole("maps", 1, MAPS - 1)
    there = np.arange(MAPS) < count
    large = draws.uniform("large", MAPS, 0.4, 1.0) * there
    small = large * draws.uniform("small", MAPS, 0.25, 1.0)
    wanted = 0.5 * (5.0 + count + draws.uniform("sum", 1))
    times = wanted / (large + 2 * small).cumsum(1)[:, -1:]
    large, small = np.minimum(large * times, 0.92), np.minimum(small * times, 0.85)
    one, other = draws.uniform("turn", MAPS), draws.uniform("other turn", MAPS)
    flip = 1.0 - 2.0 * draws.whole("flip", MAPS, 2)
    (s, c), (t, d) = ((sine(a), cosine(a)) for a in (one, other))
    rows = (
        c * large * d - s * small * flip * t, -c * large * t - s * small * flip * d,
        s * large * d + c * small * flip * t, -s * large * t + c * small * flip * d,
        draws.uniform("e", MAPS, -1, 1), draws.uniform("f", MAPS, -1, 1),
    )  # fmt: skip
    area = (large * small + 0.01) * there
    return np.stack(rows, axis=2).astype(np.float32), (area / area.cumsum(1)[:, -1:]).astype(np.float32)


def _points(
    draws: Draws, maps_NM6: np.ndarray, weights_NM: np.ndarray, words_G: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """NxGxW points of each attractor, and NxG the map that was applied last."""
    n = len(maps_NM6)
    slots = ((np.arange(256) + 0.5) / 256)[None, :, None] >= weights_NM.cumsum(1)[:, None, :-1]
    slot_N256 = slots.sum(2) + (np.arange(n) * MAPS)[:, None]
    drawn = draws.bits("letters", (_STEPS * _WALKERS + _LETTERS * words_G) // 8).view(np.uint8)
    drawn = drawn.astype(np.int64) if np.little_endian else drawn.reshape(n, -1, 8)[..., ::-1].reshape(n, -1)
    letters = np.take_along_axis(slot_N256, drawn, axis=1)
    flat = maps_NM6.reshape(-1, 6)
    walks, words = np.split(letters, [_STEPS * _WALKERS], axis=1)
    x = np.zeros((n, _WALKERS), np.float32)
    y = x
    for step in np.split(walks, _STEPS, axis=1):
        a, b, c, d, e, f = np.moveaxis(flat[step], 2, 0)
        x, y = a * x + b * y + e, c * x + d * y + f
    words = words.reshape(n, _LETTERS, words_G)
    a, b, c, d, e, f = np.moveaxis(flat[words[:, 0]], 2, 0)
    for letter in range(1, _LETTERS):  # the word so far, after one more map within it
        p, q, r, s, t, u = np.moveaxis(flat[words[:, letter]], 2, 0)
        a, b, e, c, d, f = (
            a * p + b * r, a * q + b * s, a * t + b * u + e, c * p + d * r, c * q + d * s, c * t + d * u + f,
        )  # fmt: skip
    x, y = x[:, None], y[:, None]
    points = (m[..., None] * x + k[..., None] * y + o[..., None] for m, k, o in ((a, b, e), (c, d, f)))
    return *points, words[:, 0] - (np.arange(n) * MAPS)[:, None]


def _cells(x_NGW: np.ndarray, y_NGW: np.ndarray, size: int) -> np.ndarray:
    """Nx(GW) numbers of the cells of a grid over the bounding box of the points."""
    placed = []
    for v in (x_NGW, y_NGW):
        v = v.reshape(len(v), v.shape[1] * v.shape[2])
        low, high = v.min(1, keepdims=True), v.max(1, keepdims=True)
        placed.append(((v - low) * ((size - 0.5) / np.maximum(high - low, np.float32(1e-6)))).astype(np.int32))
    return placed[1] * size + placed[0]


def _drawn(draws: Draws, maps: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Bytes NxSxSx3: how often a pixel is hit says how bright it is, which maps hit it says the colour."""
    n = len(maps)
    x, y, last = _points(draws, maps, weights, _WORDS * max(1, size // 64) ** 2)
    cells = (_cells(x, y, size) + (np.arange(n) * size * size)[:, None]).ravel()
    stops = palettes(draws, "ink", MAPS)
    ink = np.rint(40 + stops * 60).astype(np.float64)
    sums = [_summed(cells, pair, last, n * size * size) for pair in ((ink[..., 0], ink[..., 1]), (ink[..., 2], 1.0))]
    *colours, count = (plane.reshape(n, size, size) for pair in sums for plane in pair)
    thick = np.float32(0.3 * cells.size / max(1, n) / size**2)  # the mean number of hits is three quarters of the ink
    share = count / (count + thick)
    scale = np.float32(0.01) / np.maximum(count, np.float32(1))
    ground = np.take_along_axis(stops, np.zeros((n, 1, 1), np.int64), axis=1)[:, 0] * np.float32(0.25)
    out = np.empty((n, size, size, 3), np.uint8)
    for channel in range(3):
        colour = colours[channel] * scale
        back = ground[:, channel, None, None]
        out[..., channel] = to_bytes(back + share * (colour - back))
    return out


def _summed(
    cells: np.ndarray, pair: tuple[np.ndarray, np.ndarray | float], last: np.ndarray, size: int
) -> list[np.ndarray]:
    """Two sums over the points of each cell, in one pass: whole numbers below 2**26 share a float of 53 bits."""
    packed = pair[0] + pair[1] * 2.0**26
    weight = np.repeat(np.take_along_axis(packed, last, axis=1), _WALKERS, axis=1)
    total = np.bincount(cells, weight.ravel(), minlength=size).astype(np.int64)
    return [(total & (2**26 - 1)).astype(np.float32), (total >> 26).astype(np.float32)]
