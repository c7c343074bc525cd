"""Heads for few labels that fit no weights: the nearest class mean, and a cache of labelled rows.

Shapes: N rows, K keys, D width, C classes, P held-out parts. What they answer becomes logits by one factor, the best
on held-out rows.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from landbridge.nn.kernel import CHOOSING, EXACT, LANDMARKS, rbf
from landbridge.nn.solve import Adjustment, Judge, Solution, held_out, solution

BETAS = (4.0, 2.0, 8.0, 1.0, 16.0, 32.0)  # in order of preference where scores are equal
SCALES = 2.0 ** np.arange(-4, 8, 0.5)  # of logits made of the answers, before which they have size 1
_NEVER = -1e4  # log-odds of a class that no row has


def centroids(rows_ND: Tensor, target_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Weight CxD and bias C whose logits are minus half the squared distance to each class mean, up to a constant.

    `-|x - m|^2 / 2 = m x - |m|^2 / 2 - |x|^2 / 2`, of which softmax does not see the last term (Snell et al. 2017,
    section 2.7). A class without rows, as may happen in a fold, lies at the mean of all.
    """
    count_C1 = target_NC.sum(0).unsqueeze(1)
    mean_CD = torch.where(count_C1 > 0, target_NC.T @ rows_ND / count_C1.clamp_min(1e-12), rows_ND.mean(0))
    return mean_CD, -0.5 * mean_CD.square().sum(1)


def solve_centroid(
    features_ND: Tensor,
    target_NC: Tensor,
    adjustment: Adjustment,
    *,
    judge: Judge,
    loss: Judge,
    truth: np.ndarray,
    fold_RN: np.ndarray,
) -> Solution:
    """The nearest class mean (Mensink et al. 2013; prototypes in Snell et al. 2017, arXiv:1703.05175).

    A class without rows is never chosen.
    """
    rows, parts = adjustment(features_ND), held_out(fold_RN)
    outputs, truths = [_nearest(rows, target_NC, held) for held in parts], [truth[held] for held in parts]
    factor = _sharpness(outputs, truths, loss)
    score = _mean(_sums(outputs, factor), truths, judge)
    weight, bias = centroids(rows, target_NC)
    bias = (factor * bias).where(target_NC.sum(0) > 0, torch.full_like(bias, _NEVER))
    return solution(factor * weight, bias, adjustment, {"kind": "centroid", "alpha": factor, "cv": score})


def solve_cache(
    features_ND: Tensor,
    target_NC: Tensor,
    adjustment: Adjustment,
    *,
    judge: Judge,
    loss: Judge,
    truth: np.ndarray,
    fold_RN: np.ndarray,
    seed: int,
    weight_N: Tensor | None = None,
) -> Solution:
    """Labelled rows as keys beside the class means: `base + alpha exp(-beta (1 - cosine)) @ labels`.

    Tip-Adapter (Zhang et al. 2022, arXiv:2207.09519) adds such a cache to a zero-shot classifier, which
    sources here do not have; the nearest class mean with its own sharpness is the base instead. Alpha and beta are
    chosen on held-out rows; many rows leave a random part as keys. `adjustment` gives rows of length 1, for which it is
    a Gaussian kernel with gamma beta / 2, as the head keeps it.
    """
    rows, n = adjustment(features_ND), len(features_ND)
    label_NC = target_NC if weight_N is None else target_NC * weight_N.unsqueeze(1)
    given = {"judge": judge, "loss": loss, "truth": truth, "fold_RN": fold_RN}
    base = solve_centroid(features_ND, target_NC, adjustment, **given)
    generator = np.random.default_rng(seed)
    some = np.sort(generator.permutation(n)[:CHOOSING])
    parts = held_out(fold_RN[:, some])
    truths = [truth[some][held] for held in parts]
    bases = [base.facts["alpha"] * _nearest(rows[some], target_NC[some], held) for held in parts]
    best = _mean(bases, truths, judge), BETAS[0], 0.0
    for beta in BETAS:
        answers = [_answers(rows[some[held]], rows[some[~held]], label_NC[some[~held]], beta) for held in parts]
        alpha = _sharpness(answers, truths, loss, bases)
        score = _mean(_sums(answers, alpha, bases), truths, judge)
        if score > best[0] + 1e-9:
            best = score, beta, alpha
    score, beta, alpha = best
    keys = np.arange(n) if n <= EXACT else np.sort(generator.permutation(n)[:LANDMARKS])
    facts = {"kind": "cache", "beta": beta, "alpha": alpha, "base": base.facts["alpha"], "cv": score}
    weight = torch.cat([alpha * _values(label_NC[keys]).T, base.weight], dim=1)
    return solution(weight, base.bias, adjustment, facts, support=rows[keys], gamma=beta / 2)


def _nearest(rows_ND: Tensor, target_NC: Tensor, held_N: np.ndarray) -> Tensor:
    """Logits of the held-out rows by the class means of the others."""
    weight, bias = centroids(rows_ND[~held_N], target_NC[~held_N])
    return rows_ND[held_N] @ weight.T + bias


def _answers(rows_ND: Tensor, keys_KD: Tensor, label_KC: Tensor, beta: float) -> Tensor:
    """NxC: affinities to the keys, summed over each class."""
    return rbf(rows_ND, keys_KD, beta / 2) @ _values(label_KC)


def _values(label_KC: Tensor) -> Tensor:
    """Labels over the mean number of keys a class, so that alpha means the same however many keys there are."""
    return label_KC * (label_KC.shape[1] / len(label_KC))


def _sharpness(
    answers: list[Tensor], truths: list[np.ndarray], loss: Judge, bases: list[Tensor] | None = None
) -> float:
    """The factor that makes held-out answers, added to a base, the best logits; nothing where all make them worse."""
    spread = torch.cat(answers)
    size = float((spread - spread.mean(1, keepdim=True)).square().mean().sqrt().clamp_min(1e-30))
    factors = [float(s) / size for s in SCALES] if bases is None else [0.0, *(float(s) / size for s in SCALES)]
    return min(factors, key=lambda factor: _mean(_sums(answers, factor, bases), truths, loss))


def _sums(answers: list[Tensor], factor: float, bases: list[Tensor] | None = None) -> list[Tensor]:
    if bases is None:
        return [factor * answer for answer in answers]
    return [factor * answer + base for answer, base in zip(answers, bases, strict=True)]


def _mean(outputs: list[Tensor], truths: list[np.ndarray], judge: Judge) -> float:
    pairs = zip(outputs, truths, strict=True)
    return float(np.mean([judge(output.numpy(), truth) for output, truth in pairs]))
