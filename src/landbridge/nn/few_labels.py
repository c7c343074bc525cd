"""Heads for few labels that fit no weights: the nearest class mean, and a cache of labelled rows.

Shapes: N rows, K keys, D width, C classes, P held-out parts. What they answer becomes logits by one factor, the best
on held-out rows.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from landbridge.nn.heads import normalised
from landbridge.nn.kernel import CHOOSING, EXACT, LANDMARKS, rbf
from landbridge.nn.solve import Adjustment, Judge, Solution, held_out, solution

BETAS = (4.0, 2.0, 8.0, 1.0, 16.0, 32.0)  # in order of preference where scores are equal
SCALES = 2.0 ** np.arange(-2, 10, 0.5)  # of the answers, to make logits of them
_NEVER = -1e4  # log-odds of a class that no row has


def centroids(rows_ND: Tensor, target_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Weight CxD and bias C whose logits are minus half the squared distance to each class mean, up to a constant.

    `-|x - m|^2 / 2 = m x - |m|^2 / 2 - |x|^2 / 2`, of which softmax does not see the last term (Snell et al. 2017,
    section 2.7). A class without rows is never chosen.
    """
    count_C = target_NC.sum(0)
    mean_CD = target_NC.T @ rows_ND / count_C.clamp_min(1e-12).unsqueeze(1)
    bias_C = -0.5 * mean_CD.square().sum(1)
    return mean_CD, bias_C.where(count_C > 0, torch.full_like(bias_C, _NEVER))


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
    """The nearest class mean (Mensink et al. 2013; prototypes in Snell et al. 2017, arXiv:1703.05175)."""
    rows = adjustment(features_ND)
    held_PN, outputs = held_out(fold_RN), []
    for held in held_PN:
        weight, bias = centroids(rows[~held], target_NC[~held])
        outputs.append(rows[held] @ weight.T + bias)
    truths = [truth[held] for held in held_PN]
    factor = _sharpness(outputs, truths, loss)
    score = _mean(outputs, truths, factor, judge)
    weight, bias = centroids(rows, target_NC)
    return solution(factor * weight, factor * bias, adjustment, {"kind": "centroid", "alpha": factor, "cv": score})


def solve_cache(
    features_ND: Tensor,
    target_NC: Tensor,
    *,
    judge: Judge,
    loss: Judge,
    truth: np.ndarray,
    fold_RN: np.ndarray,
    seed: int,
    weight_N: Tensor | None = None,
) -> Solution:
    """Labelled rows as keys: `alpha exp(-beta (1 - cosine)) @ labels` (Tip-Adapter, Zhang et al. 2022, equation 4).

    Zhang et al. (arXiv:2207.09519) add the logits of a zero-shot classifier; no source here has one, so the cache is
    the whole, and alpha is the sharpness of its logits. Both are chosen on held-out rows. Many rows leave a random part
    as keys. With rows of length 1 it is a kernel of width beta / 2, in which form the head keeps it.
    """
    rows, n = normalised(features_ND), len(features_ND)
    label_NC = target_NC if weight_N is None else target_NC * weight_N.unsqueeze(1)
    generator = np.random.default_rng(seed)
    some = np.sort(generator.permutation(n)[:CHOOSING])
    parts = held_out(fold_RN[:, some])
    truths = [truth[some][held] for held in parts]
    best: tuple[float, float, float] | None = None
    for beta in BETAS:
        outputs = [_answers(rows[some[held]], rows[some[~held]], label_NC[some[~held]], beta) for held in parts]
        alpha = _sharpness(outputs, truths, loss)
        score = _mean(outputs, truths, alpha, judge)
        if best is None or score > best[0] + 1e-9:
            best = score, beta, alpha
    assert best is not None
    score, beta, alpha = best
    keys = np.arange(n) if n <= EXACT else np.sort(generator.permutation(n)[:LANDMARKS])
    plain = Adjustment(normalise=True, mean=torch.zeros_like(rows[0]), scale=torch.ones_like(rows[0]))
    facts = {"kind": "cache", "beta": beta, "alpha": alpha, "cv": score}
    values_CK = (alpha * _values(label_NC[keys])).T
    return solution(values_CK, values_CK.new_zeros(len(values_CK)), plain, facts, support=rows[keys], gamma=beta / 2)


def _answers(rows_ND: Tensor, keys_KD: Tensor, label_KC: Tensor, beta: float) -> Tensor:
    """NxC: affinities to the keys, summed over each class."""
    return rbf(rows_ND, keys_KD, beta / 2) @ _values(label_KC)


def _values(label_KC: Tensor) -> Tensor:
    """Labels over the mean number of keys a class, so that alpha means the same however many keys there are."""
    return label_KC * (label_KC.shape[1] / len(label_KC))


def _sharpness(outputs: list[Tensor], truths: list[np.ndarray], loss: Judge) -> float:
    """The factor that makes held-out answers the best logits."""
    return float(min(SCALES, key=lambda s: _mean(outputs, truths, float(s), loss)))


def _mean(outputs: list[Tensor], truths: list[np.ndarray], factor: float, judge: Judge) -> float:
    pairs = zip(outputs, truths, strict=True)
    return float(np.mean([judge((factor * output).numpy(), truth) for output, truth in pairs]))
