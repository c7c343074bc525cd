"""Pictures of one plain figure each, with its exact place, size, turn, colour and area."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import choice, part, real, whole
from landbridge.worlds.canvas import Pictures, in_chunks, made, rgb, to_bytes
from landbridge.worlds.draws import Draws
from landbridge.worlds.figures import AREAS, KINDS, coverage

HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
_TURNS = (0.0, 0.08, 0.16, 0.33, 0.5, 0.62, 0.76, 0.9)


@part("shapes", paper="Matthey et al. 2017 (dSprites); Burgess and Kim 2018 (3D Shapes)")
class Shapes:
    """One figure on a plain ground; the class is its kind, its colour, or its area as a number.

    dSprites goes through a grid of factors; here each is drawn on its own and uniformly. Areas are of the figure itself
    in pixels, in closed form; the pixels sum to it but for rounding, corners and, under `noise`, the noise.
    """

    classes: int = whole(12, 2, 12, help="kinds of figure (colours: at most 8)")
    size: int = whole(64, 16, 256, help="pixels a side")
    asks: str = choice("kind", "kind", "colour", "area", help="what the label says")
    noise: float = real(0.0, 0.0, 0.3, help="deviation of noise on every pixel, of full brightness")
    modality: ClassVar[str] = "image"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The pictures with these numbers; truth holds every factor."""

        def chunk(rows_N: np.ndarray) -> Pictures:
            return self._drawn(Draws(seed, "shapes", rows_N))

        return made(in_chunks(chunk, indices, self.size, 32), {"colour": "hue"}.get(self.asks, self.asks))

    def _drawn(self, draws: Draws) -> Pictures:
        size, n = self.size, len(draws.rows)
        kinds = self.classes if self.asks == "kind" else len(KINDS)
        hues = min(self.classes, len(HUES)) if self.asks == "colour" else len(HUES)
        number = draws.rows % kinds if self.asks == "kind" else draws.whole("kind", 1, kinds)[:, 0]
        hue = draws.rows % hues if self.asks == "colour" else draws.whole("hue", 1, hues)[:, 0]
        radius, turn = draws.number("radius", 0.12, 0.32), draws.number("turn")
        x, y = (radius + 0.03 + draws.number(v) * (0.94 - 2 * radius) for v in ("x", "y"))
        ink = rgb(np.array(_TURNS)[hue] + draws.number("shade", -0.02, 0.02), *_full(draws, 0.6, 1.0))
        grey = draws.number("ground", 0.0, 0.45)
        ground = np.broadcast_to(grey[:, None], (n, 3)).astype(np.float32)
        cover = coverage(number, x, y, radius, turn, size)
        out = np.empty((n, size, size, 3), np.uint8)
        noise = (self.noise * draws.normal("noise", size * size)).reshape(n, size, size) if self.noise else 0.0
        for channel in range(3):
            back, front = ground[:, channel, None, None], ink[:, channel, None, None]
            out[..., channel] = to_bytes(back + cover * (front - back) + np.float32(1) * noise)
        area = np.array([AREAS[k] for k in KINDS])[number] * (radius * size) ** 2
        truth = {
            "kind": [KINDS[k] for k in number.tolist()], "hue": [HUES[h] for h in hue.tolist()],
            "centre": np.stack([x, y], 1) * size, "radius": radius * size, "turn": turn, "area": area,
            "colour": to_bytes(ink), "ground": to_bytes(ground),
        }  # fmt: skip
        return out, truth


def _full(draws: Draws, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Saturation and value of a figure's colour."""
    return draws.number("saturation", low, high), draws.number("value", 0.75, 1.0)
