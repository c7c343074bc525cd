"""What a score is given, checked and made ready once: rows of features and what is known of each.

Shapes: N rows, D width, C classes among the rows, R axes along which the rows vary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from landbridge.core.contracts import Score
from landbridge.core.errors import UsageError
from landbridge.nn.logistic import Rotation

KINDS = {"classes": "one class for each row", "values": "a number for each row", "labels": "several labels of 0 and 1"}
_STILL = 1e-12  # a column that varies less than this share of its size does so by rounding


@dataclass(frozen=True)
class Rows:
    """Features in double precision, and labels: class numbers 0 to C - 1, values, or NxC of 0 and 1."""

    features: Tensor  # NxD
    labels: np.ndarray

    @classmethod
    def of(cls, score: Score, features_ND: np.ndarray, labels_N: np.ndarray) -> Rows:
        """Check what a score is given against what it reads; UsageError in one line where it does not fit."""
        name, labels = score.part_name, np.asarray(labels_N)
        kind = kind_of(labels)
        if kind not in score.reads:
            read = " or ".join(KINDS[k] for k in KINDS if k in score.reads)
            raise UsageError(f"{name} reads {read}, got {KINDS[kind]}; take a score that reads {kind}")
        features = checked(name, "features", features_ND)
        if len(labels) != len(features):
            raise UsageError(f"{name}: features have {len(features)} rows, labels {len(labels)}; they must be the same")
        if kind == "classes":
            labels = np.unique(labels, return_inverse=True)[1].reshape(-1)
            if labels.max() == 0:
                raise UsageError(f"{name}: all {len(labels)} rows are of one class; two or more are needed")
        elif not np.isfinite(labels.astype(np.float64)).all():
            raise UsageError(f"{name}: labels hold numbers that are not finite; leave those rows out")
        return cls(features=features, labels=labels)

    @property
    def count(self) -> int:
        """N."""
        return len(self.labels)

    @property
    def width(self) -> int:
        """D."""
        return int(self.features.shape[1])

    @cached_property
    def sizes(self) -> Tensor:
        """Rows of each class, C."""
        return torch.from_numpy(np.bincount(self.labels)).double()

    @cached_property
    def hot(self) -> Tensor:
        """Class of each row as NxC of 0 and 1."""
        return torch.nn.functional.one_hot(torch.from_numpy(self.labels)).double()

    @cached_property
    def centred(self) -> Tensor:
        """Features less their mean, NxD; exactly 0 in columns that vary by rounding only."""
        centred = self.features - self.features.mean(0)
        still = centred.abs().amax(0) <= _STILL * self.features.abs().amax(0)
        return centred.masked_fill(still, 0.0)

    @cached_property
    def rotation(self) -> Rotation:
        """The axes of the features' covariance."""
        return Rotation.of(self.centred)

    @cached_property
    def turned(self) -> Tensor:
        """Features along their axes, NxR, the least spread first: all that a rotation does not change."""
        return self.rotation.turn(self.centred)

    @cached_property
    def spread(self) -> Tensor:
        """Variance along each axis, R; all 0 where the features are constant."""
        return self.turned.square().mean(0)

    @cached_property
    def means(self) -> Tensor:
        """Mean of each class along the axes, CxR."""
        return self.hot.T @ self.turned / self.sizes.unsqueeze(1)

    @property
    def constant(self) -> bool:
        """Whether no feature varies."""
        return not bool(self.centred.any())


def kind_of(labels: np.ndarray) -> str:
    """The kind of labels: NxC are labels, N floats are values, all else N are classes."""
    if labels.ndim == 2:
        return "labels"
    return "values" if labels.dtype.kind == "f" else "classes"


def checked(name: str, what: str, matrix_ND: np.ndarray) -> Tensor:
    """A matrix of finite numbers in double precision; UsageError naming it otherwise."""
    if matrix_ND.ndim != 2 or 0 in matrix_ND.shape:
        raise UsageError(f"{name}: {what} must be rows times columns, got the shape {matrix_ND.shape}")
    matrix = torch.from_numpy(np.ascontiguousarray(matrix_ND, dtype=np.float64))
    if not bool(torch.isfinite(matrix).all()):
        bad = int((~torch.isfinite(matrix)).any(1).sum())
        raise UsageError(f"{name}: {what} are not finite in {bad} of {len(matrix)} rows; try another precision")
    return matrix


def some(class_N: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """Numbers of at most `most` rows, ascending, drawn so that each class keeps its share and at least one row."""
    count = len(class_N)
    if count <= most:
        return np.arange(count)
    order = generator.permutation(count)
    order = order[np.argsort(class_N[order], kind="stable")]
    sizes = np.bincount(class_N)
    place = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # of each row within its class
    share = (place + 0.5) / sizes[class_N[order]]
    taken = order[np.lexsort((share, place > 0))][: max(most, int((sizes > 0).sum()))]
    return np.sort(taken)
