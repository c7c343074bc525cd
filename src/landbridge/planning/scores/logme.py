"""The evidence of a Bayesian linear model of the labels."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from landbridge.core.parts import part
from landbridge.planning.scores.rows import Rows, kind_of

STEPS, TOLERANCE = 100, 1e-6
_FLOOR = 1e-5  # added to squared lengths of weights and residuals, which may be 0, as the authors do
_BOUNDS = (1e-10, 1e10)  # of the penalty, where the fixed point runs off to no fit or to a perfect one


@part("logme", paper="You et al. 2021, LogME: practical assessment of pre-trained models, arXiv:2102.11005")
class LogME:
    """The log evidence for each row of `y = f w + noise`, priors fitted by the fixed point of You et al. 2021.

    The mean over classes (one target of 0 and 1 each), over labels, or the one of a value, which is brought to mean 0
    and variance 1 first so that its unit does not count. One decomposition serves all targets (arXiv:2110.10545,
    algorithm 2). Features are scaled to mean square 1; the evidence is that of all D weights also where N < D, which
    the authors' program leaves out.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes", "labels", "values"})
    needs: ClassVar[frozenset[str]] = frozenset()

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray) -> float:
        """The mean log evidence for each row and target."""
        rows = Rows.of(self, features_ND, labels_N)
        if kind_of(np.asarray(labels_N)) == "classes":
            target_NC = rows.hot
        else:
            target_NC = torch.from_numpy(rows.labels.astype(np.float64)).reshape(rows.count, -1)
        if target_NC.shape[1] == 1:
            centred = target_NC - target_NC.mean(0)
            target_NC = centred / centred.square().mean().sqrt().clamp_min(1e-30)
        features = rows.features / rows.features.square().mean().sqrt().clamp_min(1e-30)
        return float(evidence(features, target_NC).mean())


def evidence(features_ND: Tensor, target_NC: Tensor) -> Tensor:
    """The greatest log evidence for each row of a linear model for each target, C."""
    count = len(features_ND)
    square_R, project_RC = _axes(features_ND, target_NC)
    power_RC = project_RC.square()
    rest_C = (target_NC.square().sum(0) - power_RC.sum(0)).clamp_min(0.0)
    ratio_C, square_R1 = torch.ones_like(rest_C), square_R.unsqueeze(1)
    for _ in range(STEPS):
        used_C, weight_C, residual_C = _moments(square_R1, power_RC, rest_C, ratio_C)
        alpha_C = used_C / (weight_C + _FLOOR)
        beta_C = (count - used_C) / (residual_C + _FLOOR)
        before_C, ratio_C = ratio_C, (alpha_C / beta_C).clamp(*_BOUNDS)
        if bool(((ratio_C - before_C).abs() <= TOLERANCE * before_C).all()):
            break
    used_C, weight_C, residual_C = _moments(square_R1, power_RC, rest_C, ratio_C)
    beta_C = ((count - used_C) / (residual_C + _FLOOR)).clamp_min(1e-30)
    log_C = count * beta_C.log() - (1 + square_R1 / ratio_C).log().sum(0)
    log_C = log_C - beta_C * (residual_C + ratio_C * weight_C) - count * math.log(2 * math.pi)
    return 0.5 * log_C / count


def _moments(square_R1: Tensor, power_RC: Tensor, rest_C: Tensor, ratio_C: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Effective number of weights, squared length of the mean weights and of the residual, each C."""
    used_C = (square_R1 / (square_R1 + ratio_C)).sum(0)
    weight_C = (square_R1 * power_RC / (square_R1 + ratio_C).square()).sum(0)
    residual_C = (power_RC * (ratio_C / (square_R1 + ratio_C)).square()).sum(0) + rest_C
    return used_C, weight_C, residual_C


def _axes(features_ND: Tensor, target_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Squared singular values R that are not 0, and the targets along the left singular vectors, RxC."""
    count, width = features_ND.shape
    wide = width > count
    square, axes = torch.linalg.eigh(features_ND @ features_ND.T if wide else features_ND.T @ features_ND)
    kept = square > torch.finfo(square.dtype).eps * max(count, width) * square[-1].clamp_min(1e-30)
    square_R, axes = square[kept], axes[:, kept]
    along = axes.T @ target_NC if wide else axes.T @ (features_ND.T @ target_NC) / square_R.sqrt().unsqueeze(1)
    return square_R, along
