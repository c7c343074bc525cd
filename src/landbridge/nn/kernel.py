"""Kernel ridge on features: a probe that bends, solved at once.

Shapes: N rows, M supports, D width, C outputs. Rows come adjusted to length about 1, so that gamma about 1 suits all.
Targets are +1 at the class and 0 elsewhere less the class share, or values; Saunders et al. 1998, and for many rows the
Nystroem form of Williams & Seeger 2001.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# the best mean score first (benchmarks/results/defaults.json, question kernel), as of equals the first is taken
GAMMAS, RIDGES = (0.25, 0.5, 1.0, 2.0), (0.3, 0.1, 0.03, 1.0)
EXACT = 12_000  # rows that all become supports; the matrix is N x N float32
LANDMARKS = 4_000  # supports beyond that
CHOOSING = 3_000  # rows on which gamma and ridge are chosen
LEISURE = 1_500  # rows up to which the whole grid is tried
SCALES = 2.0 ** np.arange(-1, 7, 0.5)  # of the outputs, to make logits of them

Score = Callable[[Tensor, np.ndarray], float]  # outputs and their rows to a score, higher is better


@dataclass(frozen=True)
class KernelSolution:
    """`weight` MxC over `support` MxD; `gamma` of exp(-gamma |x - s|^2), the ridge, and the held-out score."""

    weight: Tensor
    support: Tensor
    gamma: float
    ridge: float
    score: float
    held_output: Tensor  # outputs of the rows that were held out while choosing
    held_rows: np.ndarray


def rbf(rows: Tensor, support: Tensor, gamma: float) -> Tensor:
    """exp(-gamma |x - s|^2), NxM."""
    square = rows.square().sum(1, keepdim=True) + support.square().sum(1) - 2.0 * rows @ support.T
    return torch.exp(-gamma * square.clamp_min(0.0))


def solve_kernel(rows_ND: Tensor, target_NC: Tensor, fold_RN: np.ndarray, score: Score, seed: int) -> KernelSolution:
    """Choose gamma and ridge on held-out folds, then fit all rows."""
    n = len(rows_ND)
    generator = np.random.default_rng(seed)
    some = np.sort(generator.permutation(n)[:CHOOSING])
    gammas, ridges = (GAMMAS, RIDGES) if n <= LEISURE else (GAMMAS[:2], RIDGES[:2])
    best: tuple[float, float, float] | None = None
    kept: tuple[Tensor, np.ndarray] = (target_NC[:0], some[:0])
    for gamma, ridge, output, held in _held_out(rows_ND, target_NC, fold_RN[0], some, gammas, ridges):
        now = score(output, held)
        if best is None or now > best[0] + 1e-9:
            best, kept = (now, gamma, ridge), (output, held)
    assert best is not None
    value, gamma, ridge = best
    support = rows_ND if n <= EXACT else rows_ND[np.sort(generator.permutation(n)[:LANDMARKS])]
    weight = _fit(rows_ND, target_NC, support, gamma, ridge)
    return KernelSolution(weight, support, gamma, ridge, value, *kept)


def _held_out(
    rows: Tensor,
    target: Tensor,
    fold_N: np.ndarray,
    some: np.ndarray,
    gammas: tuple[float, ...],
    ridges: tuple[float, ...],
) -> Iterator[tuple[float, float, Tensor, np.ndarray]]:
    """For each setting the outputs of the held-out rows among `some`, and those rows; all folds where rows are few."""
    folds = [k for k in np.unique(fold_N) if k >= 0]
    folds = folds if len(some) <= LEISURE else folds[:1]
    for gamma in gammas:
        found: dict[float, list[Tensor]] = {ridge: [] for ridge in ridges}
        held = [some[fold_N[some] == k] for k in folds]
        for part in held:
            train = np.setdiff1d(some, part)
            matrix, across = rbf(rows[train], rows[train], gamma), rbf(rows[part], rows[train], gamma)
            for ridge in ridges:
                found[ridge].append(across @ _dual(matrix, target[train], ridge))
        for ridge in ridges:
            yield gamma, ridge, torch.cat(found[ridge]), np.concatenate(held)


def _fit(rows: Tensor, target: Tensor, support: Tensor, gamma: float, ridge: float) -> Tensor:
    if support is rows:
        return _dual(rbf(rows, rows, gamma), target, ridge)
    gram, aim = torch.zeros(len(support), len(support)), torch.zeros(len(support), target.shape[1])
    for start in range(0, len(rows), 8192):
        across = rbf(rows[start : start + 8192], support, gamma)
        gram += across.T @ across
        aim += across.T @ target[start : start + 8192]
    gram += ridge * rbf(support, support, gamma)
    gram.diagonal().add_(1e-4 * gram.diagonal().mean())
    return torch.cholesky_solve(aim, torch.linalg.cholesky(gram))


def _dual(matrix: Tensor, target: Tensor, ridge: float) -> Tensor:
    """(K + ridge I)^-1 Y; float32 is enough for ridges of 0.03 and more."""
    shifted = matrix.clone()
    shifted.diagonal().add_(ridge)
    return torch.cholesky_solve(target, torch.linalg.cholesky(shifted))


def logit_scale(output_NC: Tensor, loss: Callable[[Tensor], float]) -> float:
    """The factor that makes held-out outputs the best logits."""
    return float(min(SCALES, key=lambda s: loss(output_NC * float(s))))
