"""Measures that look only at the order of scores, under many weightings of the same rows at once.

Shapes: R weightings, N rows, P positive rows. Integer weights give what the replicated rows would give.
"""

from __future__ import annotations

import numpy as np

from landbridge.tasks.counting import ratio


def auc(score_N: np.ndarray, positive_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, R: P(score of a positive > of a negative), ties half; NaN with one class only.

    From the sum of the positives' ranks (Mann and Whitney 1947), so only their columns are read after one cumulation.
    """
    order, lower, upper = _ties(score_N)
    below_RN = _cumulated(weights_RN[:, order])
    positive = np.flatnonzero(positive_N[order])
    rank_RP = 0.5 * (below_RN[:, lower[positive]] + below_RN[:, upper[positive]])
    weight_RP = weights_RN[:, order[positive]]
    total_R = weight_RP.sum(1)
    wins_R = np.einsum("rp,rp->r", weight_RP, rank_RP) - 0.5 * total_R**2
    return ratio(wins_R, total_R * (below_RN[:, -1] - total_R))


def average_precision(score_N: np.ndarray, positive_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """Average precision, R: precision at each threshold weighted by the step in recall; NaN without positives."""
    order, _, upper = _ties(-score_N)
    positive = np.flatnonzero(positive_N[order])
    taken_RP = _cumulated(weights_RN[:, order])[:, upper[positive]]
    weight_RP = weights_RN[:, order[positive]]
    found_RP = _cumulated(weight_RP)[:, np.searchsorted(positive, upper[positive])]
    precision_RP = np.divide(found_RP, taken_RP, out=np.zeros_like(taken_RP), where=taken_RP > 0)
    return ratio(np.einsum("rp,rp->r", weight_RP, precision_RP), weight_RP.sum(1))


def spearman(one_N: np.ndarray, other_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """Rank correlation with mid-ranks for ties, R; NaN where one side is constant."""
    one_RN, other_RN = _ranks(one_N, weights_RN), _ranks(other_N, weights_RN)
    total_R1 = weights_RN.sum(1, keepdims=True)
    one_RN -= ratio((weights_RN * one_RN).sum(1, keepdims=True), total_R1)
    other_RN -= ratio((weights_RN * other_RN).sum(1, keepdims=True), total_R1)
    product_R, one_R, other_R = (
        np.einsum("rn,rn,rn->r", weights_RN, left, right)
        for left, right in ((one_RN, other_RN), (one_RN, one_RN), (other_RN, other_RN))
    )
    return ratio(product_R, np.sqrt(one_R * other_R))


def _ties(score_N: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ascending order, and for each place in it where its group of equal scores begins and where it ends."""
    order = np.argsort(score_N, kind="stable")
    ranked = score_N[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    sizes = np.diff(np.r_[starts, len(ranked)])
    return order, np.repeat(starts, sizes), np.repeat(starts + sizes, sizes)


def _cumulated(weights_RN: np.ndarray) -> np.ndarray:
    """Weight before each place, Rx(N+1), the last column being the total."""
    below = np.zeros((weights_RN.shape[0], weights_RN.shape[1] + 1))
    np.cumsum(weights_RN, axis=1, out=below[:, 1:])
    return below


def _ranks(value_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """Mid-rank of each row among the weighted rows, RxN."""
    order, lower, upper = _ties(value_N)
    below_RN = _cumulated(weights_RN[:, order])
    place = np.argsort(order)
    return 0.5 * (below_RN[:, lower[place]] + below_RN[:, upper[place]])
