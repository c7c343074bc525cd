"""Fill a head without a training loop: convex probes on features, their penalty chosen by cross-validation.

Shapes: N rows, D width, C outputs, P folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landbridge.nn.deal import deal
from landbridge.nn.discriminant import discriminant, shrinkage
from landbridge.nn.heads import normalised
from landbridge.nn.kernel import logit_scale, solve_kernel
from landbridge.nn.logistic import Link, Rotation, logistic_path
from landbridge.nn.ridge import ridge_path

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)  # inverse penalties, for features of length about 1
PENALTIES = tuple(10.0**p for p in np.arange(-4, 4.5, 0.5))  # of ridge, times the number of rows over 1000
DOUBT = 32.0  # rows that the mean variance of the columns counts as, beside a column's own
_LOOSE, _TIGHT = 3e-2, 1e-3  # tolerances of the solver while choosing and at the end
_CHOOSING_COST = 1.3e9  # multiply-adds of one solver step over all folds that choosing may take

Judge = Callable[[np.ndarray, np.ndarray], float]  # output NxC and target to a score, higher is better


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A solved head in `Head.fill`'s terms, and how it was chosen."""

    weight: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor
    normalise: bool
    unit: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    support: Tensor | None = None  # of a kernel model: MxD adjusted rows, weight is CxM then
    gamma: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """Features made ready: rows of length 1 if wished, columns of equal spread if wished, rows of length about 1.

    A spread seen on few rows is mostly luck, so the variance of a column is drawn towards the mean of all columns'
    variances, which counts as `doubt` rows: four labels divide by nearly the same, a thousand by their own.
    With `unit` the centred rows get just length 1, so that directions from the middle of the rows are compared.
    """

    normalise: bool
    mean: Tensor
    scale: Tensor
    unit: bool = False

    @classmethod
    def of(
        cls, features_ND: Tensor, *, normalise: bool, standardise: bool, unit: bool = False, doubt: float = DOUBT
    ) -> Adjustment:
        """Learn mean and scale; a column that hardly varies keeps the median spread, so that noise is not blown up."""
        rows = normalised(features_ND) if normalise else features_ND
        mean, spread = rows.mean(0), rows.std(0, correction=0)
        width = float(rows.shape[1]) ** 0.5
        if standardise:
            typical = spread.median().clamp_min(1e-12)
            own = len(rows) / (len(rows) + doubt)
            drawn = (own * spread.square() + (1 - own) * spread.square().mean()).sqrt()
            scale = torch.where(spread > 1e-4 * typical, drawn, typical) * width
        else:
            scale = torch.full_like(mean, float((rows - mean).square().sum(1).mean().sqrt().clamp_min(1e-12)))
        return cls(normalise=normalise, mean=mean, scale=scale, unit=unit)

    def __call__(self, features_ND: Tensor) -> Tensor:
        """The adjusted features."""
        rows = ((normalised(features_ND) if self.normalise else features_ND) - self.mean).div_(self.scale)
        return normalised(rows) if self.unit else rows


def solve_logistic(
    features_ND: Tensor,
    target_NC: Tensor,
    adjustment: Adjustment,
    *,
    judge: Judge,
    truth: np.ndarray,
    fold_RN: np.ndarray,
    link: Link = "softmax",
    weight_N: Tensor | None = None,
    mass_NC: Tensor | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[Solution, float]:
    """Multinomial (softmax) or binary-relevance (sigmoid) model with an L2 penalty; the solution and its CV score.

    `fold_RN` holds the fold of each row for each repeat; `target_NC` is what is fitted (smoothed, say), `truth` what
    the judge compares with.
    """
    rows = adjustment(features_ND)
    rotation = Rotation.of(rows)
    turned = rotation.turn(rows)
    del rows  # of many rows each copy counts
    weight_N = turned.new_ones(len(turned)) if weight_N is None else weight_N
    spread_R = rotation.spread
    best, score = choose_strength(
        turned, spread_R, target_NC, weight_N, judge, truth, fold_RN, link=link, mass_NC=mass_NC, strengths=strengths
    )
    data = (turned, spread_R, target_NC, weight_N[None])
    begin = [s for s in strengths if s < best][-1:] or [best]
    rough = list(logistic_path(*data, begin, link=link, tolerance=_LOOSE, mass_NC=mass_NC))
    final = logistic_path(*data, [best], link=link, tolerance=_TIGHT, start=rough[-1], mass_NC=mass_NC)
    weight, bias = rotation.back(*next(final))
    return solution(weight[0], bias[0], adjustment, {"kind": "logistic", "strength": best, "cv": score}), score


def choose_strength(
    turned_NR: Tensor,
    spread_R: Tensor,
    target_NC: Tensor,
    weight_N: Tensor,
    judge: Judge,
    truth: np.ndarray,
    fold_RN: np.ndarray,
    *,
    link: Link = "softmax",
    mass_NC: Tensor | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[float, float]:
    """The strength with the best mean held-out score, and that score; the weaker model where two are equal.

    All folds are solved side by side. The path goes from strong to weak penalty and ends when the score has fallen
    three times in a row behind the best, as weaker penalties then cost the most and gain nothing.
    """
    held_PN = held_out(fold_RN)
    train_PN = weight_N * torch.from_numpy(~held_PN).to(weight_N.dtype)
    best, score, behind = strengths[0], -np.inf, 0
    path = logistic_path(
        turned_NR, spread_R, target_NC, train_PN, strengths, link=link, tolerance=_LOOSE, mass_NC=mass_NC
    )
    for strength, (weight, bias) in zip(strengths, path, strict=True):
        output_PNC = (turned_NR @ weight.transpose(1, 2) + bias.unsqueeze(1)).numpy()
        scores = [judge(output[held], truth[held]) for output, held in zip(output_PNC, held_PN, strict=True)]
        now = float(np.mean(scores))
        behind = behind + 1 if now <= score else 0
        if now > score + 1e-9:
            best, score = strength, now
        if behind >= 3:
            break
    return best, score


def solve_bent(
    features_ND: Tensor,
    target_NC: Tensor,
    adjustment: Adjustment,
    *,
    judge: Judge,
    loss: Judge | None,
    truth: np.ndarray,
    fold_RN: np.ndarray,
    seed: int,
) -> Solution:
    """Kernel ridge; outputs become logits by the factor that does best on held-out rows (`loss` None: values stay)."""
    rows = adjustment(features_ND)
    share = target_NC.mean(0)
    found = solve_kernel(
        rows, target_NC - share, fold_RN, lambda output, held: judge((output + share).numpy(), truth[held]), seed
    )
    held, factor = truth[found.held_rows], 1.0
    if loss is not None:
        factor = logit_scale(found.held_output + share, lambda output: loss(output.numpy(), held))
    facts = {"kind": "kernel", "gamma": found.gamma, "ridge": found.ridge, "cv": found.score}
    weight, bias = (found.weight * factor).T, share * factor
    return solution(weight, bias, adjustment, facts, support=found.support, gamma=found.gamma)


def solve_discriminant(
    features_ND: Tensor,
    target_NC: Tensor,
    adjustment: Adjustment,
    *,
    judge: Judge,
    truth: np.ndarray,
    fold_RN: np.ndarray,
    weight_N: Tensor | None = None,
) -> tuple[Solution, float]:
    """Shrunk linear discriminant analysis; the amount of Ledoit & Wolf, no choice to make. Solution and CV score."""
    rows = adjustment(features_ND)
    weight_N = rows.new_ones(len(rows)) if weight_N is None else weight_N
    scores = []
    for held in held_out(fold_RN):
        train, test = torch.from_numpy(~held), torch.from_numpy(held)
        weight, bias = discriminant(rows[train], target_NC[train], weight_N=weight_N[train])
        scores.append(judge((rows[test] @ weight.T + bias).numpy(), truth[held]))
    weight, bias = discriminant(rows, target_NC, weight_N=weight_N)
    score = float(np.mean(scores))
    means = (target_NC.T @ rows) / target_NC.sum(0).clamp_min(1e-12).unsqueeze(1)
    facts = {"kind": "lda", "shrinkage": shrinkage(rows - target_NC @ means), "cv": score}
    return solution(weight, bias, adjustment, facts), score


def solve_ridge(
    features_ND: Tensor,
    target_NC: Tensor,
    adjustment: Adjustment,
    *,
    judge: Judge,
    truth: np.ndarray,
    fold_RN: np.ndarray | None = None,
    weight_N: Tensor | None = None,
    penalties: Sequence[float] = PENALTIES,
) -> tuple[Solution, float]:
    """Ridge regression, its penalty by closed-form leave-one-out, or by the folds where rows come in groups."""
    rows = adjustment(features_ND)
    grid = [p * len(rows) / 1000 for p in penalties]
    path = ridge_path(rows, target_NC, grid, weight_N)
    outputs = path.left_out
    if fold_RN is not None:
        outputs = torch.zeros_like(outputs)
        for held in held_out(fold_RN[:1]):
            train, test = torch.from_numpy(~held), torch.from_numpy(held)
            part = ridge_path(rows[train], target_NC[train], grid, None if weight_N is None else weight_N[train])
            outputs[:, test] = rows[test] @ part.weight.transpose(1, 2) + part.bias.unsqueeze(1)
    scores = [judge(output.numpy(), truth) for output in outputs]
    best = len(scores) - 1 - int(np.argmax(scores[::-1]))  # of equal scores the strongest penalty
    facts = {"kind": "ridge", "penalty": grid[best], "cv": float(scores[best])}
    return solution(path.weight[best], path.bias[best], adjustment, facts), float(scores[best])


def make_folds(
    count: int, width: int, outputs: int, seed: int, *, strata: np.ndarray | None, groups: np.ndarray | None
) -> np.ndarray:
    """Fold of each row for each repeat, RxN, -1 for rows that are never held out: as many as the cost allows.

    Few rows get five folds, twice; many rows one fifth held out once, as then one estimate is sharp enough.
    """
    generator = np.random.default_rng(seed)
    step = 2.0 * count * width * outputs
    folds = 5 if groups is None else max(2, min(5, len(np.unique(groups))))
    if count < 2 * folds:
        folds = 2
    repeats = 2 if 2 * folds * step < _CHOOSING_COST / 20 else 1
    dealt = np.stack([deal(count, folds, generator, strata=strata, groups=groups) for _ in range(repeats)])
    kept = max(1, int(_CHOOSING_COST // step))
    return np.where(dealt < kept, dealt, -1)


def held_out(fold_RN: np.ndarray) -> np.ndarray:
    """True where a row is held out, one line for each fold of each repeat that holds any, PxN."""
    return np.stack([line == k for line in fold_RN for k in np.unique(line) if k >= 0])


def solution(
    weight: Tensor,
    bias: Tensor,
    adjustment: Adjustment,
    facts: dict[str, Any],
    *,
    support: Tensor | None = None,
    gamma: float = 0.0,
) -> Solution:
    """The solved values with the adjustment they were solved under."""
    return Solution(
        weight=weight,
        bias=bias,
        mean=adjustment.mean,
        scale=adjustment.scale,
        normalise=adjustment.normalise,
        unit=adjustment.unit,
        facts={**facts, "normalise": adjustment.normalise},
        support=support,
        gamma=gamma,
    )
