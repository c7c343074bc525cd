"""The columns of two views correlate with themselves and with nothing else.

Shapes: B batch, D width of the projection.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.model import Model
from landbridge.core.parts import part, real, whole
from landbridge.nn.projector import projector, two_views

FLOOR = 1e-5  # added to variances, as batch norms do


@part(
    "barlow",
    paper="Zbontar et al. 2021, Barlow Twins: Self-Supervised Learning via Redundancy Reduction, arXiv:2103.03230",
)
class Barlow:
    """Learn without labels by bringing the cross-correlation of two views to the identity (equation 1).

    `sum_i (1 - C_ii)^2 + redundancy * sum_i sum_{j != i} C_ij^2`, where C_ij correlates column i of one view's
    projection with column j of the other's over the batch (equation 2). The whole is divided by D, so that its size
    does not depend on the width. Nothing is told apart, so small batches serve, but a column must vary within one.
    """

    redundancy: float = real(0.005, 0.0, 10.0, log=True, help="lambda, the weight of the off-diagonal")
    width: int = whole(512, 2, 65_536, log=True, help="D, of all three layers of the projection")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    views: ClassVar[int] = 2
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """The projection."""
        widths = (model.body.width, self.width, self.width, self.width)
        return projector("barlow", widths).to(next(model.parameters()).device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss of the batch, in float32 at least."""
        first, second = (state(features) for features in two_views(model, batch, "barlow"))
        with torch.autocast(first.device.type, enabled=False):
            exact = torch.promote_types(first.dtype, torch.float32)
            value = twins(first.to(exact), second.to(exact), self.redundancy)
        return {"barlow": self.strength * value / self.width}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: the projection goes."""
        return memory


def twins(first_BD: Tensor, second_BD: Tensor, redundancy: float) -> Tensor:
    """Zbontar et al. 2021, equation 1."""
    correlation_DD = _standard(first_BD).T @ _standard(second_BD) / len(first_BD)
    diagonal_D = correlation_DD.diagonal()
    off = correlation_DD.square().sum() - diagonal_D.square().sum()
    return (1 - diagonal_D).square().sum() + redundancy * off


def _standard(rows_BD: Tensor) -> Tensor:
    """Columns with mean 0 and variance 1 over the batch."""
    return (rows_BD - rows_BD.mean(0)) / (rows_BD.var(0, correction=0) + FLOOR).sqrt()
