"""How much of the features' spread lies between classes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.parts import part
from landbridge.nn.discriminant import shrinkage
from landbridge.planning.scores.rows import Rows


@part("h_score", paper="Bao et al. 2019, An information-theoretic approach to transferability; Ibrahim et al. 2022")
class HScore:
    """The trace of cov(f)^-1 cov(E[f | y]), from 0 to C - 1, with the covariance shrunk as few rows ask for.

    Ibrahim et al. 2022 (arXiv:2110.06893): the covariance becomes `(1 - a) S + a trace(S)/D I` with a from Ledoit &
    Wolf 2004, and that of the class means counts by 1 - a. So features that are white already score near 0. One
    decomposition of the smaller Gram matrix serves.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset()

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray) -> float:
        """The shrunk H-score; 0 for constant features."""
        rows = Rows.of(self, features_ND, labels_N)
        if rows.constant:
            return 0.0
        amount = shrinkage(rows.centred) if rows.width > 1 else 0.0
        between_R = (rows.sizes / rows.count) @ rows.means.square()
        total_R = (1 - amount) * rows.spread + amount * rows.spread.sum() / rows.width
        return float((1 - amount) * (between_R / total_R).sum())
