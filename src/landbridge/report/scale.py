"""Where a value lies on a line: linear scales with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside stay at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside, at most about `most` of them."""
        step = _round_step((self.high - self.low) / max(1, most - 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(k * step, 12) for k in range(first, last + 1)]


def spanning(values: Iterable[float | None], start: float, end: float, *, bounded: bool = True) -> Scale:
    """A scale that holds all finite values with a little air, inside [0, 1] where they are shares."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    air = max((high - low) * 0.06, abs(high) * 1e-3, 1e-6)
    shares = bounded and low >= 0.0 and high <= 1.0
    low, high = low - air, high + air
    if shares:
        low, high = max(0.0, low), min(1.0, high)
    return Scale(low, high if high > low else low + 1.0, start, end)


def _round_step(raw: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    if not raw > 0 or not math.isfinite(raw):
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
