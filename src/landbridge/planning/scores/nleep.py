"""How well clusters of the features tell the classes."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from landbridge.core.parts import part, real, whole
from landbridge.core.seeds import numpy_generator, stream
from landbridge.planning.scores.empirical import log_likelihood
from landbridge.planning.scores.rows import Rows, some

STEPS = 50  # of expectation maximisation; the posteriors hardly change after these
ROWS_EACH = 5  # rows that a cluster has on average at least, since one for each row would tell every class


@part("nleep", paper="Li et al. 2021, Ranking neural checkpoints, arXiv:2011.11200")
class NLEEP:
    """LEEP with the posteriors of a Gaussian mixture over the features in place of the source's own classes.

    The mixture has `ratio` components for each class and stands on the principal axes that hold `energy` of the
    variance. Its covariances are diagonal along these axes, which a mixture of hundreds needs to be fitted in seconds;
    it is fitted to at most `most` rows, drawn class by class, and there are no more components than a fifth of them.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset({"seed"})

    ratio: int = whole(5, 1, 100, help="components for each class")
    energy: float = real(0.8, 0.01, 1.0, help="share of the variance that the kept axes hold")
    most: int = whole(4000, 10, 100_000, help="rows that the mixture is fitted to")

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray, *, seed: int) -> float:
        """The mean log likelihood of the labels, at most 0; that of the class shares for constant features."""
        rows = Rows.of(self, features_ND, labels_N)
        taken = some(rows.labels, self.most, numpy_generator(seed, "nleep"))
        posterior = torch.ones(len(taken), 1, dtype=torch.float64)
        if not rows.constant:
            share_R = rows.spread.flip(0).cumsum(0) / rows.spread.sum()
            axes = min(int((share_R < self.energy - 1e-9).sum()) + 1, len(share_R))
            turned = rows.turned[taken, -axes:] / rows.spread[-axes:].mean().sqrt()
            components = min(self.ratio * len(rows.sizes), max(2, len(taken) // ROWS_EACH))
            posterior = _posteriors(turned.numpy(), components, stream(seed, "mixture") % 2**32)
        return log_likelihood(posterior, rows.hot[taken])


def _posteriors(turned_NR: np.ndarray, components: int, seed: int) -> torch.Tensor:
    """Probability of each component for each row under a mixture fitted to the rows, NxZ."""
    mixture = GaussianMixture(
        components, covariance_type="diag", reg_covar=1e-4, max_iter=STEPS, random_state=seed, init_params="k-means++"
    )
    with warnings.catch_warnings():  # an unfinished fit, or fewer distinct rows than components, still gives posteriors
        warnings.simplefilter("ignore", ConvergenceWarning)
        return torch.from_numpy(mixture.fit(turned_NR).predict_proba(turned_NR))
