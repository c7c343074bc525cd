"""Pictures of nested waves around a centre: a shape of waves for each class.

Shapes: N pictures, S pixels a side, W waves, T angles.
"""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import part, real, whole
from landbridge.worlds.canvas import Pictures, class_names, in_chunks, made, painted, palettes
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import between, cosine, sine

WAVES = 3
_ANGLES = 2048


@part(
    "contours",
    paper="Kataoka et al. 2022 (RCDB), arXiv:2206.09132; Takashima et al. 2023 (VisualAtom), arXiv:2303.01112",
)
class Contours:
    """Closed lines around a centre whose radius is a sum of waves of the angle; the class is the waves and lines.

    Class numbers are three frequencies with their strengths, how many lines there are and how wide the hole is;
    instances differ in turn, place, size, width, colours and, by `spread`, in strengths and phases. Where we depart:
    the lines of VisualAtom lie on the orbits of an atom, ours inside one another as in RCDB; a pixel is coloured by
    its distance to the nearest line, so that lines are smooth at any size.
    """

    classes: int = whole(100, 2, 10_000, log=True, help="shapes; class 7 is the same shape however many there are")
    size: int = whole(64, 16, 256, help="pixels a side")
    spread: float = real(0.1, 0.0, 0.5, help="how far an instance's waves lie from its class's")
    modality: ClassVar[str] = "image"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The pictures with these numbers; truth holds the waves as drawn, the centre and the number of lines."""

        def chunk(rows_N: np.ndarray) -> Pictures:
            return self._drawn(Draws(seed, "contours", rows_N), rows_N % self.classes)

        return made(in_chunks(chunk, indices, self.size, 16))

    def _drawn(self, draws: Draws, class_N: np.ndarray) -> Pictures:
        kind, size = draws.at(class_N), self.size
        frequency = 1 + kind.whole("frequency", WAVES, 9) + np.array([0, 2, 8]) * kind.whole("fast", WAVES, 2)
        strength = kind.uniform("strength", WAVES, 0.04, 0.28) * draws.uniform(
            "strength", WAVES, 1 - self.spread, 1 + self.spread
        )
        phase = kind.uniform("phase", WAVES) + self.spread * draws.uniform("phase", WAVES, -0.5, 0.5)
        phase += frequency * draws.uniform("turn", 1)
        lines, hole = 2 + kind.whole("lines", 1, 9)[:, 0], kind.number("hole", 0.05, 0.5)
        radius = draws.number("radius", 0.6, 0.95) / (1.0 + strength.cumsum(1)[:, -1])
        shift = draws.whole("shift", 2, size // 4 + 1)
        width = between(draws.number("width"), 0.9, 2.6) * size / 64

        edge_NT, upright_NT = _outline(frequency, strength, phase, radius)
        far_NSS, angle_NSS = _around(shift, size)
        edge_NSS, upright_NSS = edge_NT.ravel()[angle_NSS], upright_NT.ravel()[angle_NSS]
        tone = _lines(far_NSS, edge_NSS, upright_NSS, lines, hole, width, size)
        pictures = painted(tone, palettes(draws, "ink", 4))
        centre = size * 0.5 + size // 8 - shift
        truth = {
            "class": class_names("contours", class_N), "frequencies": frequency, "strengths": strength,
            "phases": phase % 1.0, "lines": lines, "hole": hole, "radius": radius, "centre": centre,
        }  # fmt: skip
        return pictures, truth


def _outline(
    frequency: np.ndarray, strength: np.ndarray, phase: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """NxT: the radius of the outermost line at each angle, and the cosine of its slope there."""
    turns = np.arange(_ANGLES) / _ANGLES
    edge, rise = np.ones((len(radius), _ANGLES), np.float32), np.float32(0.0)
    for wave in range(WAVES):
        angle = frequency[:, wave, None] * turns + phase[:, wave, None]
        edge += strength[:, wave, None].astype(np.float32) * sine(angle)
        rise += (strength * frequency)[:, wave, None].astype(np.float32) * cosine(angle)
    slope = rise / edge
    return edge * radius[:, None].astype(np.float32), 1 / np.sqrt(1 + slope * slope)


def _lines(
    far: np.ndarray, edge: np.ndarray, upright: np.ndarray, lines: np.ndarray, hole: np.ndarray, width: np.ndarray,
    size: int,
) -> np.ndarray:  # fmt: skip
    """Tone NxSxS: 0 for the ground, on a line from 0.4 (innermost) to 1 (outermost)."""
    lines, hole, width = (v.astype(np.float32)[:, None, None] for v in (lines, hole, width))
    place = (far / edge - hole) * ((lines - 1) / (1 - hole))  # 0 on the innermost line, 1 on the next
    nearest = np.clip(np.rint(place), 0.0, lines - 1)
    pixels = np.abs(place - nearest) * edge * upright * ((1 - hole) / (lines - 1) * np.float32(size / 2))
    return np.clip(width * 0.5 + 0.5 - pixels, 0.0, 1.0) * (0.4 + 0.6 * nearest / (lines - 1))


def _around(shift: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """NxSxS distances from each picture's centre, and places of the angles in NxT numbers laid end to end."""
    far, angle = _polar(size)
    windows = [
        np.s_[size // 8 + y : size // 8 + y + size, size // 8 + x : size // 8 + x + size] for x, y in shift.tolist()
    ]
    start = (np.arange(len(shift), dtype=np.int32) * _ANGLES)[:, None, None]
    blank = [np.empty((0, size, size), np.int32)]
    return (
        np.concatenate([*blank, *(far[w][None] for w in windows)]).astype(np.float32),
        np.concatenate([*blank, *(angle[w][None] for w in windows)]) + start,
    )


@cache
def _polar(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the centre (1 is half a picture) and number of the angle, for each pixel of a larger square.

    The angle is rounded to a 2048th of a turn; the arctangent of no pixel lies near enough to a boundary for the last
    bit of a library to matter.
    """
    side = size + 2 * (size // 8) + size // 4
    at = (np.arange(side) + 0.5 - size / 2 - 2 * (size // 8)) * (2.0 / size)
    x, y = at[None, :], at[:, None]
    number = np.rint(np.arctan2(y, x) * (_ANGLES / (2 * np.pi))).astype(np.int32) % _ANGLES
    return np.sqrt(x * x + y * y).astype(np.float32), number
