"""How unlike two sources see the same rows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from landbridge.core.errors import UsageError
from landbridge.core.parts import flag, part
from landbridge.planning.scores.rows import checked

FEWEST = 4  # rows that the unbiased estimate needs


@part(
    "cka",
    paper="Kornblith et al. 2019, Similarity of neural network representations, arXiv:1905.00414; Song et al. 2012",
)
class CKA:
    """One minus the linear centred kernel alignment of two representations of the same rows: 0 where they are alike.

    Rotating or scaling either side changes nothing, and widths may differ. `debiased` takes the unbiased estimate of
    HSIC (Song et al. 2012, equation 5), without which wide features of few rows look alike; it may pass 1 a little.
    No NxN matrix is made: the kernels are linear.
    """

    paired: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    debiased: bool = flag(True, help="unbiased estimate of each term")

    def distance(self, one_ND: np.ndarray, other_MD: np.ndarray) -> float:
        """One minus the alignment; 1 where one side is constant and the other is not, 0 where both are."""
        one, other = checked("cka", "features", one_ND), checked("cka", "features", other_MD)
        if len(one) != len(other) or len(one) < FEWEST:
            raise UsageError(f"cka: both sets must be the same {FEWEST} or more rows, got {len(one)} and {len(other)}")
        one, other = _unit(one), _unit(other)
        alone = [self._hsic(one, one), self._hsic(other, other)]
        if min(alone) <= 0.0:
            return float(max(alone) > 0.0)
        return 1.0 - self._hsic(one, other) / (alone[0] * alone[1]) ** 0.5

    def _hsic(self, one_ND: Tensor, other_NE: Tensor) -> float:
        """The Hilbert-Schmidt independence criterion of linear kernels, up to a factor that cancels."""
        shared = (one_ND.T @ other_NE).square().sum()
        if not self.debiased:
            return float(shared)
        count = len(one_ND)
        one_N, other_N = one_ND.square().sum(1), other_NE.square().sum(1)  # the diagonals, which are left out
        total_N, rest_N = one_ND @ one_ND.sum(0) - one_N, other_NE @ other_NE.sum(0) - other_N
        trace = shared - one_N @ other_N
        means = total_N.sum() * rest_N.sum() / ((count - 1) * (count - 2))
        return float((trace + means - 2 / (count - 2) * (total_N @ rest_N)) / (count * (count - 3)))


def _unit(features_ND: Tensor) -> Tensor:
    """Features less their mean, rows of length about 1; exactly 0 where they vary by rounding only."""
    centred = features_ND - features_ND.mean(0)
    if float(centred.abs().max()) <= 1e-12 * float(features_ND.abs().max()):
        return torch.zeros_like(centred)
    return centred / centred.square().sum(1).mean().sqrt()
