"""Candidates ranked by several scores at once, each with the error of its place.

Shapes: K candidates, S scores, R resamples of the rows. A value that is not finite is a score that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata, weightedtau

DEFAULT = ("logme", "probe", "nearest_mean", "gbc")  # the best four on training rows (benchmarks/scores.py): those that
# are judged by the rows they were fitted to, such as SFDA and the H-score, mislead where labels are few
By = Literal["standardised", "rank"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one candidate stands. Errors are standard errors over resamples, NaN where there are none."""

    candidate: str
    value: float  # mean over scores of the score in standard deviations over the candidates
    error: float
    rank: float  # mean over scores of the rank, 1 for the best of K
    rank_error: float
    first: float  # share of the resamples in which the candidate came first
    counted: int  # scores that it has


def ranked(
    candidates: Sequence[str],
    values_KS: np.ndarray,
    resampled_RKS: np.ndarray | None = None,
    by: By = "standardised",
) -> list[Place]:
    """The candidates, best first; those without any score last.

    Each score is brought to a common scale over the candidates that have it, and a candidate is judged by the mean of
    the scores that it has. A score that fewer than two candidates have says nothing and does not count.
    """
    table_KS = np.where(np.isfinite(values_KS), values_KS, np.nan)
    drawn_RKS = np.empty((0, *table_KS.shape)) if resampled_RKS is None else resampled_RKS
    value_K, rank_K = combined(table_KS, "standardised"), combined(table_KS, "rank")
    values_RK = np.array([combined(t, "standardised") for t in drawn_RKS]).reshape(-1, len(candidates))
    ranks_RK = np.array([combined(t, "rank") for t in drawn_RKS]).reshape(-1, len(candidates))
    error_K, rank_error_K = _error(values_RK), _error(ranks_RK)
    merit_K, merits_RK = (value_K, values_RK) if by == "standardised" else (-rank_K, -ranks_RK)
    first_K = _first(merits_RK)
    counted_K = np.isfinite(standardised(table_KS)).sum(1)
    order = np.lexsort((np.arange(len(candidates)), -np.where(np.isnan(merit_K), -np.inf, merit_K)))
    return [
        Place(
            candidate=candidates[k],
            value=float(value_K[k]),
            error=float(error_K[k]),
            rank=float(rank_K[k]),
            rank_error=float(rank_error_K[k]),
            first=float(first_K[k]),
            counted=int(counted_K[k]),
        )
        for k in order
    ]


def combined(values_KS: np.ndarray, by: By) -> np.ndarray:
    """Mean over scores of each candidate's standing, K; NaN for a candidate without scores."""
    standing_KS = standardised(values_KS) if by == "standardised" else ranks(values_KS)
    known_KS = np.isfinite(standing_KS)
    count_K = known_KS.sum(1)
    total_K = np.where(known_KS, standing_KS, 0.0).sum(1)
    return np.divide(total_K, count_K, out=np.full(len(values_KS), np.nan), where=count_K > 0)


def standardised(values_KS: np.ndarray) -> np.ndarray:
    """Each score less its mean over the candidates that have it, over its spread; 0 where all are equal."""
    found_KS = np.full(values_KS.shape, np.nan)
    for s, column in enumerate(values_KS.T):
        known = np.isfinite(column)
        if known.sum() >= 2:
            apart = column[known] - column[known].mean()
            spread = apart.std()
            equal = spread <= 1e-12 * np.abs(column[known]).max()
            found_KS[known, s] = 0.0 if equal else apart / spread
    return found_KS


def ranks(values_KS: np.ndarray) -> np.ndarray:
    """Rank of each candidate in each score, 1 the best; mid-ranks for ties.

    Where a score is missing for some, the ranks of the others are stretched to 1..K, so that a last place is a last
    place however many were compared.
    """
    found_KS = np.full(values_KS.shape, np.nan)
    for s, column in enumerate(values_KS.T):
        known = np.isfinite(column)
        if known.sum() >= 2:
            place = rankdata(-column[known])
            found_KS[known, s] = 1 + (place - 1) * (len(column) - 1) / (known.sum() - 1)
    return found_KS


def weighted_tau(predicted_K: np.ndarray, reached_K: np.ndarray) -> float:
    """How well a score orders candidates by what they reached, mistakes at the top counting most; from -1 to 1.

    Kendall's tau with hyperbolic weights (Vigna 2015, arXiv:1404.3325), as the papers on such scores report it.
    Candidates without a finite number are left out; NaN where fewer than two differ.
    """
    known = np.isfinite(predicted_K) & np.isfinite(reached_K)
    one, other = np.asarray(predicted_K)[known], np.asarray(reached_K)[known]
    if len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return float("nan")
    return float(weightedtau(one, other).statistic)


def _error(values_RK: np.ndarray) -> np.ndarray:
    """Standard deviation over the resamples in which a candidate has a value, K; NaN with fewer than two."""
    found_K = np.full(values_RK.shape[1], np.nan)
    for k, column in enumerate(values_RK.T):
        known = column[np.isfinite(column)]
        if len(known) >= 2:
            found_K[k] = known.std(ddof=1)
    return found_K


def _first(merits_RK: np.ndarray) -> np.ndarray:
    """Share of the resamples in which each candidate is first, ties shared, K; NaN without resamples."""
    if not len(merits_RK):
        return np.full(merits_RK.shape[1], np.nan)
    filled = np.where(np.isnan(merits_RK), -np.inf, merits_RK)
    best = (filled == filled.max(1, keepdims=True)) & np.isfinite(filled)
    return (best / np.maximum(best.sum(1, keepdims=True), 1)).mean(0)
