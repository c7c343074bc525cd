"""Closed-form 95 % intervals for shares and their differences, which stay honest at 100 % and with few rows.

Rows of one unit (a group, or a row that came up in several folds) do not count as independent. Units are numbered
from 0; shapes: N rows, K units.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

LEVEL = 0.95
Z = float(stats.norm.ppf(0.5 + LEVEL / 2))
Interval = tuple[float, float]


def wilson(share: float, rows: float) -> Interval:
    """Wilson 1927, equation for a binomial share; `rows` may be an effective, fractional number."""
    if rows <= 0:
        return (0.0, 1.0)
    middle = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * math.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    low = 0.0 if share <= 0 else max(0.0, middle - half)
    return (low, 1.0 if share >= 1 else min(1.0, middle + half))


def proportion(hit_N: np.ndarray, unit_N: np.ndarray) -> Interval:
    """Interval of the share of hits: Wilson with the effective number of rows of Korn and Graubard 1998.

    Effective rows = p (1 - p) / var(p) with the variance between units; the number of units where p is 0 or 1.
    """
    rows = len(hit_N)
    if rows == 0:
        return (0.0, 1.0)
    share = float(hit_N.mean())
    names, number_N = np.unique(unit_N, return_inverse=True)
    units = len(names)
    if units == rows:
        return wilson(share, rows)
    if units < 2:
        return (0.0, 1.0)
    excess_K = np.bincount(number_N.reshape(-1), weights=hit_N - share)
    variance = float((excess_K**2).sum()) / rows**2 * units / (units - 1)
    effective = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else float(units)
    return wilson(share, min(effective, float(rows)))


def paired_difference(one_N: np.ndarray, other_N: np.ndarray, unit_N: np.ndarray) -> Interval:
    """Interval of the difference of two shares on the same rows: Bonett and Price 2012, adjusted Wald.

    One pseudo-row won and one lost are added, which keeps the claim modest when few rows differ; over units we add the
    two to the units' size-weighted differences, which gives the published formula when each unit is one row.
    """
    units = len(np.unique(unit_N))
    if units < 2:
        return (-1.0, 1.0)
    total_K = np.bincount(unit_N, weights=one_N.astype(float) - other_N.astype(float))
    difference_K = total_K * units / len(one_N)
    mean = float(difference_K.sum()) / (units + 2)
    spread = (float((difference_K**2).sum()) + 2) / (units + 2) - mean**2
    half = Z * math.sqrt(spread / (units + 2))
    return (max(-1.0, mean - half), min(1.0, mean + half))


def perfect(units: float) -> float:
    """Upper bound of an error rate when none of `units` failed: Clopper and Pearson 1934 at 0 failures."""
    return 1.0 - ((1 - LEVEL) / 2) ** (1.0 / units) if units > 0 else 1.0


def independent_difference(one: float, one_interval: Interval, other: float, other_interval: Interval) -> Interval:
    """Interval of one - other from the interval of each (Newcombe 1998, method 10; Zou and Donner 2008 in general)."""
    low = math.hypot(one - one_interval[0], other_interval[1] - other)
    high = math.hypot(one_interval[1] - one, other - other_interval[0])
    return (one - other - low, one - other + high)


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for having looked at all of them (Holm 1979)."""
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
