"""Random numbers that depend on a key and a row alone, drawn for many rows at once.

SplitMix64 (Steele et al. 2014, "Fast splittable pseudorandom number generators") as a counter-based generator: row and
column are counters, all arithmetic is on 64-bit integers. NumPy's own generators would need one object for each row,
which costs more than a picture here, and the stream of their distributions may change between versions.

Shapes: N rows, C columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landbridge.core.seeds import stream

_STEP = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio
_BYTES = np.uint64(0x00FF00FF00FF00FF)


def _mixed(state: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64: every bit that comes in changes half of those that go out."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@dataclass(frozen=True)
class Draws:
    """The random numbers of N rows of one world; each name is a stream of its own."""

    seed: int
    world: str
    rows: np.ndarray

    def bits(self, name: str, count: int) -> np.ndarray:
        """NxC words of 64 random bits."""
        key = np.uint64(stream(self.seed, "world", self.world, name))
        rows_N = _mixed(self.rows.astype(np.uint64) * _STEP + key)
        return _mixed(rows_N[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _STEP)

    def uniform(self, name: str, count: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """NxC numbers in [low, high)."""
        unit = (self.bits(name, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + unit * (high - low)

    def number(self, name: str, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """One number in [low, high) for each row, N."""
        return self.uniform(name, 1, low, high)[:, 0]

    def whole(self, name: str, count: int, below: int) -> np.ndarray:
        """NxC integers from 0 to below - 1."""
        return (((self.bits(name, count) >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32)).astype(np.int64)

    def normal(self, name: str, count: int) -> np.ndarray:
        """NxC numbers of mean 0 and variance 1, by the sum of eight random bytes: no logarithm, hence the same bits
        on any machine. They end at 4.9 and have kurtosis 2.85 where the normal has 3."""
        word = self.bits(name, count)
        pairs = (word & _BYTES) + ((word >> np.uint64(8)) & _BYTES)  # four sums of 16 bits
        total = (pairs * np.uint64(0x0001000100010001)) >> np.uint64(48)  # all four, in the topmost 16 bits
        return (total.astype(np.float64) - 1020.0) * (1.0 / 209.02312868803616)  # the root of 8 (256^2 - 1) / 12

    def at(self, rows: np.ndarray) -> Draws:
        """The same streams for other rows."""
        return Draws(self.seed, self.world, rows)
