"""Weighted counts and means under many weightings of the same rows at once.

Shapes: R weightings, N rows, C classes. A weight says how often a row counts, as in a bootstrap resample.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array


def class_sums(weights_RN: np.ndarray, index_N: np.ndarray, classes: int) -> np.ndarray:
    """Weight that falls on each class, RxC; rows with a negative class index are left out."""
    rows = np.flatnonzero(index_N >= 0)
    members = csr_array((np.ones(len(rows)), (rows, index_N[rows])), shape=(len(index_N), classes))
    return np.asarray((members.T @ weights_RN.T).T)


def mean(weights_RN: np.ndarray, value_N: np.ndarray) -> np.ndarray:
    """Weighted mean of a value for each weighting, R; NaN where nothing has weight."""
    return ratio(weights_RN @ value_N.astype(np.float64), weights_RN.sum(1))


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def mean_defined(values: np.ndarray, axis: int = 1) -> np.ndarray:
    """Mean over the entries that are not NaN; NaN where all are."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis), defined.sum(axis))


def f1(hit: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """F1 = 2 hit / (true + predicted); NaN where a class neither occurs nor is predicted."""
    return ratio(2.0 * hit, true + predicted)
