"""Linear discriminant analysis with a shrunk covariance: closed form, strong where labels are few.

Shapes: N rows, D width, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

_NEVER = -1e4  # log-odds of a class that no row has


def shrinkage(centred_ND: Tensor) -> float:
    """How far to pull the covariance of centred rows toward a multiple of the identity, in [0, 1].

    Ledoit & Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", equations 14 to 17.
    """
    count, width = centred_ND.shape
    gram = centred_ND @ centred_ND.T if count < width else centred_ND.T @ centred_ND
    squares = gram.square().sum() / count**2  # |S|^2, the same from either Gram matrix
    level = centred_ND.square().sum() / (count * width)  # trace(S) / D
    distance = squares - width * level**2
    noise = (centred_ND.square().sum(1).square().sum() / count - squares) / count
    return float((noise / distance.clamp_min(1e-30)).clamp(0.0, 1.0))


def discriminant(
    features_ND: Tensor, target_NC: Tensor, *, weight_N: Tensor | None = None, amount: float | None = None
) -> tuple[Tensor, Tensor]:
    """Weight CxD and bias C of the Bayes-optimal linear rule for Gaussian classes that share one covariance.

    The pooled covariance is `(1 - a) S + a trace(S)/D I` with a from Ledoit & Wolf unless `amount` is given (Friedman
    1989 for the discriminant; scikit-learn shrinks class by class, we shrink the pool, which needs fewer rows).
    A class without rows is never chosen.
    """
    count = features_ND.shape[0]
    weight_N = features_ND.new_ones(count) if weight_N is None else weight_N
    soft_NC = target_NC * weight_N.unsqueeze(1)
    size_C = soft_NC.sum(0)
    grand_D = (weight_N / weight_N.sum()) @ features_ND
    mean_CD = torch.where(
        size_C.unsqueeze(1) > 0, soft_NC.T @ features_ND / size_C.clamp_min(1e-12).unsqueeze(1), grand_D
    )
    seen = weight_N > 0
    centred = ((features_ND - target_NC @ mean_CD) * (weight_N / weight_N[seen].mean()).sqrt().unsqueeze(1))[seen]
    width, rows = centred.shape[1], centred.shape[0]
    amount = shrinkage(centred) if amount is None else amount
    cover = centred.T @ centred / rows
    level = cover.diagonal().mean().clamp_min(1e-12)
    cover = (1 - amount) * cover + max(amount, 1e-6) * level * torch.eye(width, dtype=cover.dtype)
    weight_CD = torch.cholesky_solve((mean_CD - grand_D).T, torch.linalg.cholesky(cover)).T
    share_C = size_C.clamp_min(0.5) / size_C.sum()
    bias_C = share_C.log() - 0.5 * (weight_CD * (mean_CD + grand_D)).sum(1)
    return weight_CD, bias_C.where(size_C > 0, torch.full_like(bias_C, _NEVER))
