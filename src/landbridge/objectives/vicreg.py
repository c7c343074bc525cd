"""Two views agree while every column varies and no two columns say the same.

Shapes: B batch, D width of the expansion.
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

FLOOR = 1e-4  # epsilon of equation 2


@part(
    "vicreg",
    paper="Bardes et al. 2022, VICReg: Variance-Invariance-Covariance Regularization, arXiv:2105.04906",
)
class VICReg:
    """Learn without labels by three terms: invariance, variance and covariance (equation 6).

    `invariance * s(Z, Z') + variance * (v(Z) + v(Z')) + covariance * (c(Z) + c(Z'))` over the expansions Z of two
    views: s the mean squared difference; v the mean over columns of `max(0, 1 - sqrt(var + 0.0001))`; c the sum of
    squared covariances of different columns, divided by D. As in the authors' program s is a mean over columns too,
    where equation 5 sums over them, and v counts half. Nothing is told apart, so small batches serve.
    """

    invariance: float = real(25.0, 0.0, 1000.0, log=True, help="lambda, the pull of two views to each other")
    variance: float = real(25.0, 0.0, 1000.0, log=True, help="mu, that no column becomes constant")
    covariance: float = real(1.0, 0.0, 1000.0, log=True, help="nu, that no two columns say the same")
    width: int = whole(512, 2, 65_536, log=True, help="D, of all three layers of the expander")
    views: ClassVar[int] = 2
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """The expander."""
        widths = (model.body.width, self.width, self.width, self.width)
        return projector("vicreg", widths).to(next(model.parameters()).device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The three terms by name, in float32 at least."""
        first, second = (state(features) for features in two_views(model, batch, "vicreg"))
        with torch.autocast(first.device.type, enabled=False):
            exact = torch.promote_types(first.dtype, torch.float32)
            first, second = first.to(exact), second.to(exact)
            return {
                "invariance": self.invariance * nn.functional.mse_loss(first, second),
                "variance": self.variance * 0.5 * (spread(first) + spread(second)),
                "covariance": self.covariance * (redundancy(first) + redundancy(second)),
            }

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: the expander goes."""
        return memory


def spread(rows_BD: Tensor) -> Tensor:
    """v: how far the columns' standard deviations lie below 1 (equations 1 and 2)."""
    return torch.relu(1 - (rows_BD.var(0) + FLOOR).sqrt()).mean()


def redundancy(rows_BD: Tensor) -> Tensor:
    """c: the squared covariances of different columns over D (equations 3 and 4)."""
    centred = rows_BD - rows_BD.mean(0)
    covariance_DD = centred.T @ centred / (len(rows_BD) - 1)
    return (covariance_DD.square().sum() - covariance_DD.diagonal().square().sum()) / rows_BD.shape[1]
