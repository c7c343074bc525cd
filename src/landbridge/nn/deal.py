"""Rows dealt into folds, balanced over classes and never splitting a group."""

from __future__ import annotations

import numpy as np


def deal(
    count: int,
    folds: int,
    generator: np.random.Generator,
    *,
    strata: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """The fold of each of N rows, 0 to folds - 1; classes are spread evenly, rows of one group stay together.

    Groups go, largest first, to the fold where they leave the class counts most even (as scikit-learn's
    StratifiedGroupKFold does). With fewer groups than folds, some folds stay empty.
    """
    strata = np.zeros(count, np.int64) if strata is None else np.unique(strata, return_inverse=True)[1]
    if groups is None:
        order = generator.permutation(count)
        order = order[np.argsort(strata[order], kind="stable")]
        fold = np.empty(count, np.int64)
        fold[order] = np.arange(count) % folds
        return fold
    names, group = np.unique(groups, return_inverse=True)
    table = np.zeros((len(names), int(strata.max()) + 1))
    np.add.at(table, (group, strata), 1.0)
    share = table / table.sum(0)
    held = np.zeros((folds, table.shape[1]))
    fold_of = np.empty(len(names), np.int64)
    order = generator.permutation(len(names))
    for g in order[np.argsort(-table[order].sum(1), kind="stable")]:
        uneven = [_unevenness(held, k, share[g]) for k in range(folds)]
        fold_of[g] = int(np.argmin(uneven))
        held[fold_of[g]] += share[g]
    return fold_of[group]


def _unevenness(held: np.ndarray, fold: int, extra: np.ndarray) -> float:
    """Spread of class shares over folds if `extra` went to `fold`, then how full that fold is."""
    trial = held.copy()
    trial[fold] += extra
    return float(trial.std(0).mean() + 1e-6 * held[fold].sum())
