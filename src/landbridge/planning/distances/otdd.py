"""What it costs to turn one labelled set into another, labels included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from landbridge.core.errors import UsageError
from landbridge.core.parts import part, real, whole
from landbridge.core.seeds import numpy_generator
from landbridge.nn.gaussians import between, factor
from landbridge.nn.sinkhorn import divergence
from landbridge.planning.scores.rows import checked, kind_of, some


@dataclass(frozen=True)
class Labelled:
    """Rows NxD of one set, their class numbers, and each class as a Gaussian: mean and factor of its covariance."""

    features: Tensor
    labels: np.ndarray
    means: Tensor
    factors: tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A squared distance and how far the solver can be off, both in squared units of the features."""

    square: float
    gap: float


@part("otdd", paper="Alvarez-Melis & Fusi 2020, Geometric dataset distances via optimal transport, arXiv:2002.02923")
class OTDD:
    """The root of the transport cost between labelled rows, which is |x - x'|^2 + W^2(class of x, class of x').

    Classes are compared as Gaussians by the exact Bures-Wasserstein distance; neither set needs the other's classes.
    The outer problem is a debiased Sinkhorn divergence that is solved to the end, so that a set is at distance 0 from
    itself and both ways are the same; `measure` tells the duality gap. The cost grows with the square of the rows: at
    most `most` of each set are drawn, class by class. Classes of few rows look further apart than they are.
    """

    paired: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"one_labels", "other_labels", "seed"})

    blur: float = real(0.02, 1e-4, 10.0, log=True, help="epsilon of the entropy, as a share of the mean cost")
    most: int = whole(1000, 2, 10_000, help="rows of each set")

    def distance(
        self, one_ND: np.ndarray, other_MD: np.ndarray, *, one_labels: np.ndarray, other_labels: np.ndarray, seed: int
    ) -> float:
        """The distance in the features' own unit."""
        found = self.measure(one_ND, other_MD, one_labels=one_labels, other_labels=other_labels, seed=seed)
        return max(found.square, 0.0) ** 0.5

    def measure(
        self, one_ND: np.ndarray, other_MD: np.ndarray, *, one_labels: np.ndarray, other_labels: np.ndarray, seed: int
    ) -> Measured:
        """The squared distance, debiased, with its duality gap."""
        one, other = (
            self._labelled("one", one_ND, one_labels, seed),
            self._labelled("other", other_MD, other_labels, seed),
        )
        if one.features.shape[1] != other.features.shape[1]:
            widths = f"{one.features.shape[1]} and {other.features.shape[1]}"
            raise UsageError(f"otdd: both sets must have features of one width, got {widths}; read both by one source")
        across = _cost(one, other)
        if float(across.max()) == 0.0:
            return Measured(square=0.0, gap=0.0)
        weights = [torch.full((len(s.labels),), 1.0 / len(s.labels), dtype=torch.float64) for s in (one, other)]
        epsilon = self.blur * float(across.mean())
        square, gap = divergence(across, _cost(one, one), _cost(other, other), *weights, epsilon)
        return Measured(square=square, gap=gap)

    def _labelled(self, side: str, features_ND: np.ndarray, labels_N: np.ndarray, seed: int) -> Labelled:
        """The rows taken of one set, and its classes as Gaussians over those rows."""
        features, labels = checked("otdd", f"features of the {side} set", features_ND), np.asarray(labels_N)
        if kind_of(labels) != "classes" or len(labels) != len(features):
            raise UsageError(
                f"otdd: {side}_labels must be one class for each of {len(features)} rows; give class numbers"
            )
        number = np.unique(labels, return_inverse=True)[1].reshape(-1)
        taken = some(number, self.most, numpy_generator(seed, "otdd"))
        features, number = features[taken], number[taken]
        means, factors = [], []
        for c in range(int(number.max()) + 1):
            rows = features[number == c]
            means.append(rows.mean(0))
            factors.append(factor(rows - means[-1]))
        return Labelled(features=features, labels=number, means=torch.stack(means), factors=tuple(factors))


def _cost(one: Labelled, other: Labelled) -> Tensor:
    """Squared distance of each pair of rows plus that of their classes, NxM."""
    middle = 0.5 * (one.features.mean(0) + other.features.mean(0))  # near 0 squares lose the least to rounding
    here, there = one.features - middle, other.features - middle
    apart = here.square().sum(1, keepdim=True) + there.square().sum(1) - 2 * here @ there.T
    classes = between(one.means, one.factors, other.means, other.factors)
    return apart.clamp_min(0.0) + classes[one.labels][:, other.labels]
