"""Whether probabilities mean what they say, and one number that makes them do so.

Shapes: N rows, C classes, B bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax
from scipy.stats import norm

from landbridge.evidence.outcome import kind

BINS, ROWS_PER_BIN = 15, 10
WIDEST = 3.0  # |log T| stays below this


class Reliability(NamedTuple):
    """Bins of equal mass in order of confidence: the bin of each row; per bin confidence, share of hits, rows."""

    number: np.ndarray
    confidence: np.ndarray
    hit: np.ndarray
    rows: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean |hits - confidence| over rows."""
        return float(self.rows @ np.abs(self.hit - self.confidence) / self.rows.sum())

    @property
    def debiased_error(self) -> float:
        """ECE less what sampling alone adds, at least 0 (Kumar et al. 2019, section 5, with its mean in closed form).

        A bin's hits are about normal around their share; the mean of |normal| is that of the folded normal.
        """
        gap = self.hit - self.confidence
        spread = np.maximum(np.sqrt(self.hit * (1 - self.hit) / self.rows), 1e-12)
        folded = spread * np.sqrt(2 / np.pi) * np.exp(-0.5 * (gap / spread) ** 2) + gap * (
            1 - 2 * norm.cdf(-gap / spread)
        )
        return max(0.0, 2 * self.error - float(self.rows @ folded / self.rows.sum()))


def fit_temperature(output: np.ndarray, target: np.ndarray) -> float:
    """T > 0 such that output / T has the least log loss (Guo et al. 2017, section 4.2).

    Departs from the paper by a weak prior, log T normal with mean 0 and deviation 1: without it few or separable
    validation rows would drive T to 0 or to infinity.
    """
    logits = output.astype(np.float64)

    def loss(log_t: float) -> float:
        return log_loss(logits / np.exp(log_t), target) * len(target) + 0.5 * log_t**2

    found = minimize_scalar(loss, bounds=(-WIDEST, WIDEST), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def log_loss(output: np.ndarray, target: np.ndarray) -> float:
    """Mean negative log likelihood of a row's class, or of all its labels."""
    logits = output.astype(np.float64)
    if kind(target) == "labels":
        return float(-np.where(target > 0.5, log_expit(logits), log_expit(-logits)).sum(1).mean())
    return float(-log_softmax(logits, axis=1)[np.arange(len(target)), target].mean())


def confidences(output: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and hit of each prediction: of the top class (N), or of each label (N*C, row by row)."""
    logits = output.astype(np.float64)
    if kind(target) == "labels":
        return expit(logits).reshape(-1), (target > 0.5).reshape(-1)
    shares = softmax(logits, axis=1)
    return shares.max(1), shares.argmax(1) == target


def reliability(confidence_N: np.ndarray, hit_N: np.ndarray) -> Reliability:
    """Adaptive bins of equal mass (Nguyen and O'Connor 2015): at most 15, of ten rows or more."""
    bins = int(np.clip(len(confidence_N) // ROWS_PER_BIN, 1, BINS))
    bin_N = np.empty(len(confidence_N), dtype=np.int64)
    bin_N[np.argsort(confidence_N, kind="stable")] = np.arange(len(confidence_N)) * bins // len(confidence_N)
    rows_B = np.bincount(bin_N, minlength=bins).astype(np.float64)
    confidence_B = np.bincount(bin_N, weights=confidence_N, minlength=bins) / rows_B
    return Reliability(bin_N, confidence_B, np.bincount(bin_N, weights=hit_N, minlength=bins) / rows_B, rows_B)


def conformal_radius(residual_N: np.ndarray, level: float) -> float:
    """Half width q so that prediction +- q covers at least `level` of exchangeable new rows; infinite with too few.

    Split conformal (Papadopoulos et al. 2002; Lei et al. 2018): the ceil((n + 1) level)-th smallest absolute residual.
    """
    rank = int(np.ceil((len(residual_N) + 1) * level))
    return float("inf") if rank > len(residual_N) else float(np.sort(np.abs(residual_N))[rank - 1])
