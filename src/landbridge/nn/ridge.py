"""Ridge regression for many penalties at once, with the leave-one-out predictions in closed form.

Shapes: N rows, D width, C outputs, S strengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class RidgePath:
    """Solutions along a path of penalties: weight SxCxD, bias SxC, and leave-one-out outputs SxNxC."""

    weight: Tensor
    bias: Tensor
    left_out: Tensor


def ridge_path(
    features_ND: Tensor, target_NC: Tensor, penalties: Sequence[float], weight_N: Tensor | None = None
) -> RidgePath:
    """Minimise `sum_n weight_n |y_n - W x_n - b|^2 + penalty |W|^2` for each penalty; the bias is unpenalised.

    Leave-one-out outputs are `y - (y - fit) / (1 - leverage)` (Allen 1974; Hastie et al. 2009, equation 7.64). With
    weights the row's own weight enters its leverage. One decomposition serves all penalties.
    """
    count = features_ND.shape[0]
    weight_N = features_ND.new_ones(count) if weight_N is None else weight_N
    share_N = weight_N / weight_N.sum()
    mean_D, mean_C = share_N @ features_ND, share_N @ target_NC
    root_N1 = weight_N.sqrt().unsqueeze(1)
    centred, aim = (features_ND - mean_D) * root_N1, (target_NC - mean_C) * root_N1
    left, spread, right = torch.linalg.svd(centred, full_matrices=False)
    project = left.T @ aim
    weights, biases, outs = [], [], []
    for penalty in penalties:
        keep = spread.square() / (spread.square() + penalty)
        weight_CD = (right.T @ ((spread / (spread.square() + penalty)).unsqueeze(1) * project)).T
        leverage_N = (left.square() @ keep + share_N).clamp_max(1 - 1e-9)
        bias_C = mean_C - weight_CD @ mean_D
        residual = target_NC - features_ND @ weight_CD.T - bias_C
        weights.append(weight_CD)
        biases.append(bias_C)
        outs.append(target_NC - residual / (1 - leverage_N).unsqueeze(1))
    return RidgePath(weight=torch.stack(weights), bias=torch.stack(biases), left_out=torch.stack(outs))
