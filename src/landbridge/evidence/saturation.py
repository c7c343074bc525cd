"""A learning curve as an inverse power law of the number of labels, and what more labels would bring.

The form `a - b n^-c` fits small classifiers best among those compared by Mukherjee et al. 2003 (J. Comput. Biol. 10)
and Viering & Loog 2023 (arXiv:2103.10948).

Shapes: K sizes, R repeats (each a random division of the rows), B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from landbridge.core.seeds import numpy_generator
from landbridge.evidence.intervals import LEVEL, Interval, Z

RATES = (0.05, 2.0)  # of c: slower is a straight line within any data there is, faster is a step
STARTS = (0.2, 0.5, 1.0)  # of c, as the fit has local optima
RESAMPLES = 200
FLAT = 0.005  # a doubling of the labels that brings less is called flat
FAR = 1e6  # rows beyond which the curve says nothing


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """`a - b n^-c`: a is where it ends, b n^-c how far it is from there with n labels."""

    a: float
    b: float
    c: float

    def __call__(self, rows: float | np.ndarray) -> np.ndarray:
        """The score with so many labels."""
        return self.a - self.b * np.power(np.asarray(rows, np.float64), -self.c)

    @property
    def flat(self) -> float:
        """Labels from which a doubling brings less than `FLAT`."""
        step = self.b * (1.0 - 2.0**-self.c)
        return float(min(FAR, (step / FLAT) ** (1.0 / self.c))) if step > 0 else 1.0


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The measured points, the law through them, and the laws of resampled repeats."""

    sizes: np.ndarray  # K
    scores: np.ndarray  # RxK
    law: PowerLaw
    drawn: tuple[PowerLaw, ...]
    overlap: float
    ceiling: float

    def at(self, rows: float) -> tuple[float, Interval]:
        """The score expected with so many labels."""
        low, high = self._spread(np.array([float(law(rows)) for law in self.drawn]), float(self.law(rows)))
        return float(self.law(rows)), (min(low, self.ceiling), min(high, self.ceiling))

    def gain(self, times: float = 2.0) -> tuple[float, Interval]:
        """What so many times the labels would bring."""
        now = float(self.sizes[-1])
        drawn = np.array([float(law(times * now) - law(now)) for law in self.drawn])
        value = float(self.law(times * now) - self.law(now))
        low, high = self._spread(drawn, value)
        if self.law.c > 0.99 * RATES[1]:
            high = max(high, self._last_step())
        return value, (max(0.0, low), max(0.0, high))  # more labels of the same world do no harm in the law

    def _last_step(self) -> float:
        """The most that the last step measured may have brought, which the next one hardly exceeds: what is left to say
        where the curve is so flat that its law is not determined."""
        step_R = self.scores[:, -1] - self.scores[:, -2]
        wider = float(np.sqrt(1.0 / len(step_R) + self.overlap))
        return float(step_R.mean() + Z * step_R.std(ddof=1) * wider) if len(step_R) > 1 else float(step_R.mean())

    def flat(self) -> tuple[float, Interval]:
        """Labels from which a doubling brings less than `FLAT`, at most `FAR`; spread over orders of magnitude."""
        value = np.log(self.law.flat)
        low, high = self._spread(np.log([law.flat for law in self.drawn]), float(value))
        return float(np.exp(value)), (float(np.exp(max(0.0, low))), float(np.exp(min(np.log(FAR), high))))

    def _spread(self, drawn_B: np.ndarray, value: float) -> Interval:
        """Percentiles around the value, wider by what the repeats share (Nadeau & Bengio 2003, equation 9)."""
        wider = float(np.sqrt(1.0 + self.overlap * len(self.scores)))
        low, high = np.quantile(drawn_B - np.median(drawn_B), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return value + wider * float(low), value + wider * float(high)


def fit_curve(
    sizes_K: Sequence[int] | np.ndarray,
    scores_RK: np.ndarray,
    *,
    ceiling: float = 1.0,
    overlap: float = 0.0,
    seed: int = 0,
) -> Curve:
    """Fit the law to the mean over repeats; its interval comes from drawing whole repeats with replacement.

    `overlap` is held-out rows over training rows of a repeat: as repeats share rows, their mean is less certain than
    that of so many independent ones. `ceiling` is the best score there can be. Three sizes or more are needed.
    """
    sizes, scores = np.asarray(sizes_K, np.float64), np.asarray(scores_RK, np.float64)
    if scores.ndim != 2 or scores.shape[1] != len(sizes) or len(sizes) < 3:
        raise ValueError(f"a curve needs three sizes or more and a score for each, got {scores.shape} for {len(sizes)}")
    law = _fit(sizes, scores.mean(0), ceiling)
    generator = numpy_generator(seed, "saturation")
    picks = generator.integers(0, len(scores), (RESAMPLES, len(scores)))
    drawn = tuple(_fit(sizes, scores[pick].mean(0), ceiling, (law.c,)) for pick in picks)
    return Curve(sizes=sizes, scores=scores, law=law, drawn=drawn, overlap=overlap, ceiling=ceiling)


def _fit(sizes_K: np.ndarray, mean_K: np.ndarray, ceiling: float, starts: Sequence[float] = STARTS) -> PowerLaw:
    """Bounded least squares, the larger sizes counting more, as there the law is asked."""
    scale = sizes_K / sizes_K[-1]  # so that b is in units of the score
    weight = np.sqrt(scale)
    reach = max(float(np.ptp(mean_K)), 1e-6)

    def residual(theta: np.ndarray) -> np.ndarray:
        return weight * (theta[0] - theta[1] * scale ** -theta[2] - mean_K)

    best: tuple[float, np.ndarray] | None = None
    for c in starts:
        begin = np.array([min(mean_K[-1] + 0.5 * reach, ceiling - 1e-9), 0.5 * reach, np.clip(c, 0.051, 1.99)])
        found = least_squares(residual, begin, bounds=([-np.inf, 0.0, RATES[0]], [ceiling, np.inf, RATES[1]]))
        if best is None or found.cost < best[0]:
            best = float(found.cost), found.x
    assert best is not None
    a, b, c = (float(v) for v in best[1])
    return PowerLaw(a=a, b=b * float(sizes_K[-1]) ** c, c=c)
