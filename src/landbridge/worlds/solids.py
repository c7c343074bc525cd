"""Soft solids: squares and discs and what lies between, that taper and bend, lit as if they were round.

Local coordinates: the solid reaches from about -1 to 1 along both axes. Shapes: N pictures with one solid each, S
pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landbridge.worlds.canvas import grid
from landbridge.worlds.exact import cosine, sine


@dataclass(frozen=True)
class Solids:
    """One solid in each of N pictures; places and half axes are fractions of the picture, turns are whole circles.

    `square` 0 is an ellipse and 1 a rectangle (Fernandez Guasti 1992, the squircle); `taper` makes it narrower at one
    end, `bend` moves its middle to one side. `ink` is its colour N3, `stripe` the depth of its stripes, `waves` how
    many there are.
    """

    x: np.ndarray
    y: np.ndarray
    wide: np.ndarray
    high: np.ndarray
    turn: np.ndarray
    square: np.ndarray
    taper: np.ndarray
    bend: np.ndarray
    ink: np.ndarray
    stripe: np.ndarray
    waves: np.ndarray


def seen(solids: Solids, light: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pixel each solid covers, and how bright it is there, NxSxS each; `light` says in turns from
    which side it falls."""
    x, y = _local(solids, size)
    tone = _tone(solids, x, y, light)
    taper, bend, square = (_wide(v) for v in (solids.taper, solids.bend, solids.square))
    x = (x + bend * (y * y - np.float32(0.5))) * (1 - taper * y)
    across, down = x * x, y * y
    inside = across + down - square * square * across * down
    inside = np.maximum(np.maximum(inside, across), down)  # outside both pairs of sides the formula turns round
    depth = 1 - inside
    pixels = np.sqrt(solids.wide * solids.high) * (size / 2)
    cover = np.clip(np.float32(0.5) + depth * _wide(pixels), 0.0, 1.0)
    return cover, tone + np.float32(0.25) * np.maximum(depth, 0.0)


def _local(solids: Solids, size: int) -> tuple[np.ndarray, np.ndarray]:
    at = grid(size) * np.float32(0.5) + np.float32(0.5)
    across, down = at - _flat(solids.x), at - _flat(solids.y)
    c, s = _flat(cosine(solids.turn)), _flat(sine(solids.turn))
    wide, high = _flat(1 / solids.wide), _flat(1 / solids.high)
    x = (c * wide * across)[:, None, :] + (s * wide * down)[:, :, None]
    y = (c * high * down)[:, :, None] - (s * high * across)[:, None, :]
    return x, y


def _tone(solids: Solids, x: np.ndarray, y: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Bright towards the light, and striped along its longer axis by a wave of straight pieces."""
    toward = light - solids.turn
    lit = np.float32(0.75) + _wide(0.3 * cosine(toward)) * x + _wide(0.3 * sine(toward)) * y
    wave = y * _wide(solids.waves)
    return np.clip(lit, 0.2, 1.2) * (1 - _wide(solids.stripe) * np.abs(wave - np.rint(wave)))


def _flat(values_N: np.ndarray) -> np.ndarray:
    return values_N.astype(np.float32)[:, None]


def _wide(values_N: np.ndarray) -> np.ndarray:
    return values_N.astype(np.float32)[:, None, None]
