"""Sine, powers of two and what follows from them, with the same bits on every machine.

Libraries round these functions differently from machine to machine. Here they are looked up in tables of 2**16 entries
that are built by integer arithmetic; addition, multiplication, division and square root are exact by IEEE 754. The
argument is rounded to 2**-16, which costs at most 5e-5 of a sine and a relative 6e-6 of a power.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

ENTRIES = 1 << 16
LOG2_E = 1.4426950408889634
_ONE = 1 << 64  # 1.0 in fixed point
_TURN = 115904311329233965478  # 2 pi in it


def sine(turns: np.ndarray) -> np.ndarray:
    """The sine of an angle in turns (1.0 is once round), float32."""
    return _sines()[np.rint(turns * ENTRIES).astype(np.int64) & (ENTRIES - 1)]


def cosine(turns: np.ndarray) -> np.ndarray:
    """The cosine of an angle in turns, float32."""
    return _sines()[(np.rint(turns * ENTRIES).astype(np.int64) + ENTRIES // 4) & (ENTRIES - 1)]


def power2(exponent: np.ndarray) -> np.ndarray:
    """2 to the power of the exponent (from -1000 to 1000), float64."""
    steps = np.rint(np.clip(exponent, -1000.0, 1000.0) * ENTRIES).astype(np.int64)
    return np.ldexp(_powers()[steps & (ENTRIES - 1)], (steps >> 16).astype(np.int32))


def exp(x: np.ndarray) -> np.ndarray:
    """e to the power of x."""
    return power2(x * LOG2_E)


def bell(x: np.ndarray) -> np.ndarray:
    """exp(-x^2 / 2)."""
    return power2(x * x * (-0.5 * LOG2_E))


def tanh(x: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent."""
    return 1.0 - 2.0 / (1.0 + power2(x * (2 * LOG2_E)))


def between(unit: np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers in [0, 1) to [low, high) on a logarithmic scale."""
    return low * power2(unit * math.log2(high / low))


@cache
def _sines() -> np.ndarray:
    """A turn of the sine: coarse and fine angles by their series, all others by the sum of two angles."""
    coarse = [_series(i * 256) for i in range(256)]
    fine = [_series(i) for i in range(256)]
    sines = [(sa * cb + ca * sb) >> 64 for sa, ca in coarse for sb, cb in fine]
    table = np.array([s / _ONE for s in sines], np.float64)
    table[[0, ENTRIES // 2]] = 0.0
    return np.rint(table * 2.0**24).astype(np.float32) * np.float32(2.0**-24)


def _series(step: int) -> tuple[int, int]:
    """Sine and cosine of step / 2**16 turns in fixed point."""
    angle = _TURN * step >> 16
    term, total = _ONE, [0, 0]
    for n in range(64):
        total[n % 2] += term if n % 4 < 2 else -term
        term = (term * angle >> 64) // (n + 1)
    return total[1], total[0]


@cache
def _powers() -> np.ndarray:
    """2**(i / 2**16) for each entry, by square roots of integers and products."""
    root, roots = 2 * _ONE, list[int]()
    for _ in range(16):
        root = math.isqrt(root << 64)
        roots.append(root)  # 2**(1/2), 2**(1/4), ...
    table = [_ONE]
    for root in reversed(roots):  # one more binary digit of i at a time
        table += [(value * root) >> 64 for value in table]
    return np.array([value / _ONE for value in table], np.float64)
