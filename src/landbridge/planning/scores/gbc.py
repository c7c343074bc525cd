"""How little the classes overlap as Gaussians."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.parts import choice, part, whole
from landbridge.planning.scores.rows import Rows


@part("gbc", paper="Pandy et al. 2022, Transferability estimation using Bhattacharyya class separability")
class GBC:
    """Minus the sum over ordered pairs of classes of exp(-Bhattacharyya distance), from -C (C - 1) to 0.

    Classes are Gaussians along the principal axes of all rows (arXiv:2111.12780, equations 3 to 5). So that a class of
    few rows has a variance too, one further row of the classes' common variance is counted into each, where the
    authors' program leaves a class of one row without any.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset()

    covariance: str = choice("diagonal", "diagonal", "spherical", help="one variance for each axis, or one for all")
    axes: int = whole(64, 1, 100_000, help="principal axes kept")

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray) -> float:
        """Minus the summed overlap; the least possible for constant features."""
        rows = Rows.of(self, features_ND, labels_N)
        classes = len(rows.sizes)
        if rows.constant:
            return float(-classes * (classes - 1))
        turned, size_C1 = rows.turned[:, -self.axes :], rows.sizes.unsqueeze(1)
        mean_CR = rows.means[:, -self.axes :]
        square_CR = rows.hot.T @ (turned - mean_CR[rows.labels]).square()
        common_R = square_CR.sum(0) / rows.count
        variance_CR = (square_CR + common_R) / (size_C1 + 1)
        if self.covariance == "spherical":
            variance_CR = variance_CR.mean(1, keepdim=True).expand_as(variance_CR)
        variance_CR = variance_CR.clamp_min(1e-9 * float(rows.spread.max()))
        overlap = 0.0
        for c in range(classes - 1):
            middle = 0.5 * (variance_CR[c] + variance_CR[c + 1 :])
            apart = (mean_CR[c] - mean_CR[c + 1 :]).square().div(middle).sum(1) / 8
            unlike = middle.log() - 0.5 * (variance_CR[c].log() + variance_CR[c + 1 :].log())
            overlap += 2 * float((-apart - 0.5 * unlike.sum(1)).exp().sum())
        return -overlap
