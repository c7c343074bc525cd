"""Pictures of several things that lie on one another in one light, with boxes, areas and depth order of each.

Shapes: N pictures, K things (the last is nearest), S pixels a side.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import choice, part, whole
from landbridge.worlds.canvas import Pictures, grid, in_chunks, made, rgb, to_bytes
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import cosine, sine
from landbridge.worlds.figures import KINDS, boxes, coverage
from landbridge.worlds.patterns import wave


@part("scenes", paper="Johnson et al. 2017 (CLEVR), arXiv:1612.06890; Kar et al. 2019 (Meta-Sim), arXiv:1904.11621")
class Scenes:
    """Two to six striped or plain figures with shadows on a textured ground, in a light that falls from one side.

    CLEVR renders solids by ray tracing; these are flat figures painted from far to near, so that boxes, visible areas
    and depth are exact. Boxes are in pixels, right and bottom excluded, of what is more than half covered, `full` as if
    nothing lay on it and `box` of what is seen (zeros where all is hidden). Things are listed from far to near.
    """

    classes: int = whole(5, 2, 12, help="kinds of figure, or for count how many counts from 2 on (at most 5)")
    size: int = whole(64, 16, 256, help="pixels a side")
    asks: str = choice(
        "nearest", "nearest", "count", help="what the label says: kind of the nearest thing, or how many"
    )
    modality: ClassVar[str] = "image"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The pictures with these numbers; truth holds the light and every thing."""

        def chunk(rows_N: np.ndarray) -> Pictures:
            return self._drawn(Draws(seed, "scenes", rows_N))

        return made(in_chunks(chunk, indices, self.size, 8))

    def _drawn(self, draws: Draws) -> Pictures:
        n, size, rows = len(draws.rows), self.size, draws.rows
        counts = min(self.classes, 5)
        count = 2 + (rows % counts if self.asks == "count" else draws.whole("count", 1, counts)[:, 0])
        most = 1 + counts
        kind = draws.whole("kind", most, self.classes if self.asks == "nearest" else len(KINDS))
        if self.asks == "nearest":
            kind[:, -1] = rows % self.classes
        things = {
            "kind": kind, "x": draws.uniform("x", most, 0.15, 0.85), "y": draws.uniform("y", most, 0.15, 0.85),
            "radius": draws.uniform("radius", most, 0.1, 0.24), "turn": draws.uniform("turn", most),
        }  # fmt: skip
        light = draws.number("light")
        toward = np.rint(np.stack([sine(light), cosine(light)], 1) * (0.045 * size)).astype(np.int64)
        there = np.arange(most) >= most - count[:, None]
        cover = coverage(*(v.ravel() for v in things.values()), size).reshape(n, most, size, size)
        cover *= there[:, :, None, None]
        picture, seen = _painted(draws, cover, _shadows(cover, toward), light)
        full = boxes(cover.reshape(-1, size, size) > 0.5).reshape(n, most, 4)
        box = boxes(seen.reshape(-1, size, size) > 0.5).reshape(n, most, 4)
        area = (seen > 0.5).sum((2, 3))
        listed = [
            [
                {"kind": KINDS[kind[i, k]], "centre": [things["x"][i, k] * size, things["y"][i, k] * size],
                 "radius": things["radius"][i, k] * size, "turn": things["turn"][i, k], "full": full[i, k].tolist(),
                 "box": box[i, k].tolist(), "seen": int(area[i, k])}
                for k in range(most - int(count[i]), most)
            ]
            for i in range(n)
        ]  # fmt: skip
        label = [KINDS[k] for k in kind[:, -1].tolist()] if self.asks == "nearest" else [f"{c} things" for c in count]
        return to_bytes(picture), {"class": label, "count": count, "light": light, "things": listed}


def _shadows(cover: np.ndarray, toward: np.ndarray) -> np.ndarray:
    """The same moved by whole pixels down and to the right, N each: where a thing keeps the light from the ground."""
    most = int(cover.shape[-1] * 0.045) + 1
    wide = np.pad(cover, [(0, 0), (0, 0), (most, most), (most, most)])
    out, size = np.empty_like(cover), cover.shape[-1]
    for i, (down, right) in enumerate((most - toward).tolist()):
        out[i] = wide[i, :, down : down + size, right : right + size]
    return out


def _painted(draws: Draws, cover: np.ndarray, shade: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pictures NxSxSx3 in [0, 1], and how much of each pixel shows each thing, NxKxSxS."""
    most, size = cover.shape[1:3]
    scale, turn = draws.uniform("waves", most + 1, 1.0, 9.0), draws.uniform("direction", most + 1)
    depth = draws.uniform("stripes", most + 1, 0.0, 0.35) * draws.whole("striped", most + 1, 2)
    phase = draws.uniform("phase", most + 1)
    ink = rgb(
        draws.uniform("hue", most), draws.uniform("strength", most, 0.35, 1), draws.uniform("value", most, 0.6, 1)
    )
    ground = rgb(draws.number("ground hue"), draws.number("ground strength", 0, 0.4), draws.number("ground", 0.3, 0.7))

    def texture(k: int) -> np.ndarray:
        value = wave(scale[:, k] * cosine(turn[:, k]), scale[:, k] * sine(turn[:, k]), phase[:, k], size)
        return 1 + depth[:, k, None, None].astype(np.float32) * value

    planes = [ground[:, c, None, None] * texture(most) for c in range(3)]
    seen = np.empty_like(cover)
    for k in range(most):
        tone, hidden = texture(k), cover[:, k]
        seen[:, :k] *= 1 - hidden[:, None]
        seen[:, k] = hidden
        dim = 1 - np.float32(0.4) * shade[:, k]
        for c in range(3):
            under = planes[c] * dim
            planes[c] = under + hidden * (ink[:, k, c, None, None] * tone - under)
    at = grid(size)
    bright = (cosine(light)[:, None, None] * at + sine(light)[:, None, None] * at[:, None]) * np.float32(-0.16) + 1
    return np.stack([plane * bright for plane in planes], axis=3), seen
