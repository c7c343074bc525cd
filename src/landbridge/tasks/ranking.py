"""Measures that look only at the order of scores, under many weightings of the same rows at once.

Shapes: R weightings, N rows, G groups of tied scores. Integer weights give what the replicated rows would give.
"""

from __future__ import annotations

import numpy as np

from landbridge.tasks.counting import ratio


def auc(score_N: np.ndarray, positive_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, R: P(score of a positive > of a negative), ties half; NaN with one class only."""
    order, starts = _ties(score_N)
    above_RG, below_RG = _split(positive_N, weights_RN, order, starts)
    lower_RG = np.cumsum(below_RG, axis=1) - 0.5 * below_RG
    return ratio((above_RG * lower_RG).sum(1), above_RG.sum(1) * below_RG.sum(1))


def average_precision(score_N: np.ndarray, positive_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """Average precision, R: precision at each threshold weighted by the step in recall; NaN without positives."""
    order, starts = _ties(-score_N)
    hit_RG, miss_RG = _split(positive_N, weights_RN, order, starts)
    found_RG = np.cumsum(hit_RG, axis=1)
    precision_RG = ratio(found_RG, found_RG + np.cumsum(miss_RG, axis=1))
    return ratio(np.where(hit_RG > 0, hit_RG * precision_RG, 0.0).sum(1), hit_RG.sum(1))


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


def _ties(score_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending order, and where in it each group of equal scores starts."""
    order = np.argsort(score_N, kind="stable")
    ranked = score_N[order]
    return order, np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])


def _split(
    positive_N: np.ndarray, weights_RN: np.ndarray, order: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives in each group of ties, both RxG."""
    sorted_RN = weights_RN[:, order]
    positive = positive_N[order].astype(np.float64)
    all_RG = np.add.reduceat(sorted_RN, starts, axis=1)
    positive_RG = np.add.reduceat(sorted_RN * positive, starts, axis=1)
    return positive_RG, all_RG - positive_RG


def _ranks(value_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """Mid-rank of each row among the weighted rows, RxN."""
    order, starts = _ties(value_N)
    group_RG = np.add.reduceat(weights_RN[:, order], starts, axis=1)
    middle_RG = np.cumsum(group_RG, axis=1) - 0.5 * group_RG
    group_N = np.empty(len(value_N), dtype=np.int64)
    group_N[order] = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(value_N)]))
    return middle_RG[:, group_N]
