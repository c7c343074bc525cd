"""How many more bits the rows take together than class by class."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from landbridge.core.parts import flag, part, real
from landbridge.planning.scores.rows import Rows


@part("transrate", paper="Huang et al. 2022, Frustratingly easy transferability estimation, arXiv:2106.09362")
class TransRate:
    """The mutual information of features and labels by coding rates: R(Z) less the mean of R(Z of a class).

    R(Z) = 1/2 log det(I + Z'Z / (n epsilon)) of the centred features (equations 4 to 6), classes counted by their rows.
    We take each class about its own mean, as the conditional entropy asks; the paper leaves the class means in, by
    which two classes of equal size score 0 however far apart (`centred=false`). Features are scaled to a total variance
    of 1, so that epsilon means the same for every source; it is far above the paper's 0.0001, which counts axes
    rather than spread: where rows are fewer than columns that score falls as the classes part.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset()

    epsilon: float = real(0.1, 1e-12, 10.0, log=True, help="distortion allowed, of a total variance of 1")
    centred: bool = flag(True, help="take each class about its own mean")

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray) -> float:
        """The difference of the rates in nats for each row; 0 for constant features."""
        rows = Rows.of(self, features_ND, labels_N)
        if rows.constant:
            return 0.0
        total = rows.spread.sum()
        scaled, means = rows.turned / total.sqrt(), rows.means / total.sqrt()
        whole = 0.5 * (rows.spread / (total * self.epsilon)).log1p().sum()
        parts = []
        for c in range(len(rows.sizes)):
            members = scaled[rows.labels == c]
            parts.append(self._rate(members - means[c] if self.centred else members))
        return float(whole - torch.stack(parts) @ rows.sizes / rows.count)

    def _rate(self, rows_NR: Tensor) -> Tensor:
        """Coding rate of rows about the origin."""
        count, width = rows_NR.shape
        gram = rows_NR @ rows_NR.T if count < width else rows_NR.T @ rows_NR
        shifted = gram / (count * self.epsilon)
        shifted.diagonal().add_(1.0)
        return torch.linalg.cholesky(shifted).diagonal().log().sum()
