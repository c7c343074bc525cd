"""How far two sets of features are apart as Gaussians."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import Tensor

from landbridge.core.errors import UsageError
from landbridge.core.parts import flag, part
from landbridge.nn.discriminant import shrinkage
from landbridge.nn.gaussians import squared
from landbridge.planning.scores.rows import checked


@part("frechet", paper="Heusel et al. 2017, GANs trained by a two time-scale update rule, arXiv:1706.08500")
class Frechet:
    """The Frechet distance of two Gaussians with the sets' means and covariances; its square is the FID's formula.

    With `shrink` each covariance is pulled toward a multiple of the identity as far as its few rows ask for (Ledoit &
    Wolf 2004); without it, sets of fewer rows than columns look far apart for lack of rows.
    """

    paired: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    shrink: bool = flag(True, help="shrink the covariances")

    def distance(self, one_ND: np.ndarray, other_MD: np.ndarray) -> float:
        """The distance in the features' own unit."""
        one, other = checked("frechet", "features", one_ND), checked("frechet", "features", other_MD)
        if one.shape[1] != other.shape[1]:
            widths = f"{one.shape[1]} and {other.shape[1]}"
            raise UsageError(
                f"frechet: both sets must have features of one width, got {widths}; use cka for paired rows"
            )
        apart = (one.mean(0) - other.mean(0)).square().sum()
        return float(squared(apart, self._covariance(one), self._covariance(other)).sqrt())

    def _covariance(self, features_ND: Tensor) -> Tensor:
        """Covariance DxD, shrunk if wished."""
        centred = features_ND - features_ND.mean(0)
        cover = centred.T @ centred / len(centred)
        if self.shrink and cover.shape[0] > 1:
            amount = shrinkage(centred)
            level = cover.diagonal().mean()
            cover = (1 - amount) * cover
            cover.diagonal().add_(amount * level)
        return cover
