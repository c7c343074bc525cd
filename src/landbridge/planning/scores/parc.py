"""Whether rows that are alike in features are alike in labels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from landbridge.core.parts import part, whole
from landbridge.core.seeds import numpy_generator
from landbridge.planning.scores.rows import Rows, some


@part("parc", paper="Bolya et al. 2021, Scalable diverse model selection for accessible transfer learning")
class PARC:
    """Spearman's correlation, over pairs of rows, of one minus Pearson's correlation of features and of labels.

    arXiv:2111.06977, section 3, from -1 to 1 rather than in per cent. Columns of features are standardised first, as
    in the authors' program. The number of pairs grows with the square of the rows, so at most `most` rows are drawn,
    class by class; a row without any spread correlates with none.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset({"seed"})

    most: int = whole(1000, 10, 10_000, help="rows compared with each other")

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray, *, seed: int) -> float:
        """The rank correlation; 0 for constant features."""
        rows = Rows.of(self, features_ND, labels_N)
        taken = some(rows.labels, self.most, numpy_generator(seed, "parc"))
        centred = rows.centred[taken]
        spread = centred.std(0, correction=0)
        alike_NN = _correlations(centred[:, spread > 0] / spread[spread > 0])
        one, other = np.triu_indices(len(taken), 1)
        same = rows.labels[taken][one] == rows.labels[taken][other]
        ranks = rankdata(alike_NN.numpy()[one, other]) - (len(one) + 1) / 2
        if same.all() or not same.any() or not ranks.any():
            return 0.0
        # with one class for each row the labels' correlation has two values, so their ranks are `same` up to a scale
        aim = same - same.mean()
        return float(ranks @ aim / np.sqrt((ranks @ ranks) * (aim @ aim)))


def _correlations(rows_ND: Tensor) -> Tensor:
    """Pearson's correlation of each pair of rows; 0 for a row without spread. Rounded so that equals stay equal."""
    centred = rows_ND - rows_ND.mean(1, keepdim=True) if rows_ND.shape[1] else rows_ND.new_zeros(len(rows_ND), 1)
    length = centred.square().sum(1, keepdim=True).sqrt()
    unit = torch.where(length > 1e-12 * length.max(), centred / length.clamp_min(1e-300), torch.zeros_like(centred))
    return (unit @ unit.T).round(decimals=12)
