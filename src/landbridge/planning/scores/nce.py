"""How much of the target's labels is left open once the source's labels are known."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from landbridge.core.parts import part
from landbridge.planning.scores.empirical import hard, log_likelihood, probabilities
from landbridge.planning.scores.rows import Rows


@part("nce", paper="Tran et al. 2019, Transferability and hardness of supervised classification, arXiv:1908.08142")
class NCE:
    """Minus the conditional entropy -H(Y | Z) in nats of the target's labels given the source's likeliest classes.

    At most 0; the features are not looked at.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset({"source_probabilities"})

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray, *, source_probabilities: np.ndarray) -> float:
        """`source_probabilities` NxZ: what the source's own head says of the target's rows."""
        rows = Rows.of(self, features_ND, labels_N)
        source_NZ = probabilities(self.part_name, source_probabilities, rows.count)
        return log_likelihood(hard(source_NZ), rows.hot)
