"""How well the source's own class probabilities tell the target's classes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.parts import part
from landbridge.planning.scores.empirical import log_likelihood, probabilities
from landbridge.planning.scores.rows import Rows


@part("leep", paper="Nguyen et al. 2020, LEEP: a new measure to evaluate transferability, arXiv:2002.12462")
class LEEP:
    """The mean log likelihood of the labels under the expected empirical predictor, at most 0.

    Only the source's probabilities count (equation 2 of the paper); the features are not looked at.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset({"source_probabilities"})

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray, *, source_probabilities: np.ndarray) -> float:
        """`source_probabilities` NxZ: what the source's own head says of the target's rows."""
        rows = Rows.of(self, features_ND, labels_N)
        return log_likelihood(probabilities(self.part_name, source_probabilities, rows.count), rows.hot)
