"""How surely a discriminant tells the classes apart once it has been made hard for it."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from landbridge.core.parts import part, real
from landbridge.planning.scores.rows import Rows

_LEAST, _FLOOR = 1e-6, 1e-12  # of the amount, and of the variance along an axis where classes are points


@part("sfda", paper="Shao et al. 2022, Not all models are equal: self-challenging Fisher space, arXiv:2207.03036")
class SFDA:
    """The mean probability of the right class under a regularised Fisher discriminant, fitted twice.

    The covariance within classes is `(1 - a) S + a trace(S)/D I` with a = exp(-strength * its largest eigenvalue). The
    first fit says how sure each row is; every row is then drawn toward the mean of the other classes' means by its
    doubt, and the second fit is judged. As in the authors' program the probability is averaged rather than its log.
    Features are scaled to a total variance of 1 first, as an eigenvalue in the source's own unit would make the amount
    a matter of that unit.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes"})
    needs: ClassVar[frozenset[str]] = frozenset()

    strength: float = real(5.0, 0.0, 100.0, help="how fast regularisation falls with the spread within classes")

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray) -> float:
        """The mean probability, from 0 to 1; that of the class shares for constant features."""
        rows = Rows.of(self, features_ND, labels_N)
        share_C = rows.sizes / rows.count
        own = torch.from_numpy(rows.labels).unsqueeze(1)
        if rows.constant:
            return float(share_C.square().sum())
        turned = rows.turned / rows.spread.sum().sqrt()
        within = _within(turned, rows.hot)
        amount = math.exp(-self.strength * float(torch.linalg.eigvalsh(within)[-1]))
        first_NC = _probabilities(turned, rows.hot, within, amount, rows.width)
        sure_N1 = first_NC.softmax(1).gather(1, own)  # softened, as the authors do, so that no row is left untouched
        mean_CR = _means(turned, rows.hot)
        other_CR = (mean_CR.sum(0) - mean_CR) / (len(mean_CR) - 1)
        harder = sure_N1 * turned + (1 - sure_N1) * other_CR[rows.labels]
        second_NC = _probabilities(harder, rows.hot, _within(harder, rows.hot), amount, rows.width)
        return float(second_NC.gather(1, own).mean())


def _means(turned_NR: Tensor, hot_NC: Tensor) -> Tensor:
    """Mean of each class, CxR."""
    return hot_NC.T @ turned_NR / hot_NC.sum(0).unsqueeze(1)


def _within(turned_NR: Tensor, hot_NC: Tensor) -> Tensor:
    """Covariance within classes, RxR."""
    mean_CR = _means(turned_NR, hot_NC)
    share_C1 = hot_NC.mean(0).unsqueeze(1)
    return turned_NR.T @ turned_NR / len(turned_NR) - mean_CR.T @ (share_C1 * mean_CR)


def _probabilities(turned_NR: Tensor, hot_NC: Tensor, within_RR: Tensor, amount: float, width: int) -> Tensor:
    """Class probabilities of the rows under the discriminant fitted to them, NxC."""
    mean_CR = _means(turned_NR, hot_NC)
    level = max(amount, _LEAST) * within_RR.diagonal().sum().clamp_min(0.0) / width + _FLOOR
    cover_RR = (1 - amount) * within_RR
    cover_RR.diagonal().add_(level)
    weight_CR = torch.cholesky_solve(mean_CR.T, torch.linalg.cholesky(cover_RR)).T
    bias_C = hot_NC.mean(0).log() - 0.5 * (weight_CR * mean_CR).sum(1)
    return (turned_NR @ weight_CR.T + bias_C).softmax(1)
