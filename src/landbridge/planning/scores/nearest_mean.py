"""How often a row lies nearest to the mean of its own class."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from landbridge.core.parts import part
from landbridge.planning.scores.rows import Rows

_TIE = 1e-9  # of the total variance: distances as near as this are the same


@part("nearest_mean", paper="Mensink et al. 2013, Distance-based image classification; Snell et al. 2017")
class NearestMean:
    """The share of rows that are nearest to the mean of their own class, the row itself left out of that mean.

    Squared Euclidean distance; leaving a row out of the mean of n rows makes its distance n / (n - 1) as long. A row
    that is alone in its class cannot be right, and one that is equally near to k means counts 1 / k.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset()

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray) -> float:
        """The share of right rows, from 0 to 1."""
        rows = Rows.of(self, features_ND, labels_N)
        centred, own = rows.centred, torch.from_numpy(rows.labels).unsqueeze(1)
        mean_CD = rows.hot.T @ centred / rows.sizes.unsqueeze(1)
        size_N1 = rows.sizes[rows.labels].unsqueeze(1)
        square_N1 = centred.square().sum(1, keepdim=True)
        far_NC = square_N1 - 2 * centred @ mean_CD.T + mean_CD.square().sum(1)
        left_out = (size_N1 / (size_N1 - 1).clamp_min(1)).square() * far_NC.gather(1, own)
        left_out = left_out.masked_fill(size_N1 == 1, torch.inf)
        far_NC = far_NC.scatter(1, own, left_out)
        slack = _TIE * square_N1.mean()
        rivals_N1 = (far_NC <= left_out + slack).sum(1, keepdim=True)
        nearest = left_out <= far_NC.amin(1, keepdim=True) + slack
        return float((nearest & left_out.isfinite()).double().div(rivals_N1).mean())
