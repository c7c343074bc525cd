"""Learning rate over a run: linear warm-up over a tenth of the steps (at most 200), then a half cosine to zero.

Loshchilov & Hutter 2017, arXiv:1608.03983.
"""

from __future__ import annotations

import math

WARM = 0.1
WARM_MOST = 200


def rate(step: int, total: int) -> float:
    """The share of the peak rate at optimiser step `step` of `total` (from 0)."""
    warm = max(1, min(WARM_MOST, round(WARM * total)))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))
