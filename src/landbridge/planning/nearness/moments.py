"""A set of features as a Gaussian that fits into a small file: centre, main axes, and the spread of all the rest.

Shapes: N rows, D width, K axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from landbridge.nn.gaussians import squared

AXES = (32, 16, 8, 4, 2, 1)  # that a comparison may go by
LEAST = 8  # rows for each axis: with fewer, an axis follows single rows, which nobody wishes to give away


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean, the axes of the largest variance in their order, the variance along each, and over all directions.

    That is the Gaussian of probabilistic principal components (Tipping & Bishop 1999): directions that are no axis
    count together. No row can be read off it.
    """

    rows: int
    mean: Tensor  # D
    axes: Tensor  # KxD, of length 1, at right angles
    variance: Tensor  # K
    total: float  # variance over all directions: the mean square of a row's distance from the mean

    @classmethod
    def of(cls, features_ND: np.ndarray, most: int = AXES[0]) -> Moments:
        """The moments of some rows, at least two, along at most so many axes."""
        rows_ND = _double(features_ND)
        centred = rows_ND - rows_ND.mean(0)
        count, width = centred.shape
        wide = width > count  # the smaller of both products has the same eigenvalues
        spread, turned = torch.linalg.eigh((centred @ centred.T if wide else centred.T @ centred) / count)
        kept = min(most, count - 1, width)
        spread, turned = spread.flip(0)[:kept].clamp_min(0.0), turned.flip(1)[:, :kept]
        axes = turned.T @ centred if wide else turned.T
        axes = axes / axes.norm(dim=1, keepdim=True).clamp_min(1e-30)
        total = float(centred.square().sum() / count)
        return cls(rows=count, mean=rows_ND.mean(0), axes=axes, variance=spread, total=total)

    def square(self, features_ND: np.ndarray, axes: int) -> float:
        """Squared Frechet distance to the Gaussian of other rows, along the first `axes` and over all other directions.

        What is off the axes counts by its centre and its whole spread, whatever its shape. The distance is therefore
        never more than that of the full Gaussians, as a projection only brings them nearer.
        """
        return self.squares(features_ND, [axes])[0]

    def squares(self, features_ND: np.ndarray, axes: Sequence[int]) -> list[float]:
        """The same for several numbers of axes."""
        rows_ND = _double(features_ND)
        mean_D = rows_ND.mean(0)
        centred = rows_ND - mean_D
        along = centred @ self.axes[: max(axes)].T
        there_KK, whole = along.T @ along / len(rows_ND), float(centred.square().sum() / len(rows_ND))
        apart = (mean_D - self.mean).square().sum()
        found: list[float] = []
        for k in axes:
            here, there = torch.diag(self.variance[:k]), there_KK[:k, :k]
            own, other = (max(0.0, v) ** 0.5 for v in (self.total - float(here.trace()), whole - float(there.trace())))
            found.append(float(squared(apart, here, there)) + (own - other) ** 2)
        return found


def spread_of(features_ND: np.ndarray) -> float:
    """Root mean square distance of rows from their mean."""
    rows_ND = _double(features_ND)
    return float((rows_ND - rows_ND.mean(0)).square().sum(1).mean().sqrt())


def axes_for(rows: int, kept: int) -> int:
    """The axes along which so many rows may be compared, of those that there are."""
    return next((k for k in AXES if k <= min(kept, rows // LEAST)), 1)


def _double(features_ND: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(features_ND, dtype=np.float64))
