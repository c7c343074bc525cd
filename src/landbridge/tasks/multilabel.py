"""Any number of labels for each example, none included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from landbridge.core.errors import DataError, UnknownName
from landbridge.tasks import counting, ranking
from landbridge.tasks.labels import Label, classes_of, plain, position, positions

MIN_STRATUM = 5  # rows; rarer label combinations are merged
MAX_WEIGHT = 20.0  # a positive of a very rare label counts at most this much


@dataclass(frozen=True, kw_only=True)
class Multilabel:
    """Each of C labels holds or not; output_NC are logits, a label is given where its probability exceeds 0.5."""

    part_name: ClassVar[str] = "multilabel"
    metric_names: ClassVar[tuple[str, ...]] = ("macro_f1", "micro_f1", "mean_average_precision", "subset_accuracy")

    classes: tuple[Label, ...]
    metric: str = "macro_f1"

    def __post_init__(self) -> None:
        if not self.classes:
            raise DataError("a multilabel task needs at least one label, got none; check the target")
        if self.metric not in self.metric_names:
            raise UnknownName("metric", self.metric, self.metric_names)

    @classmethod
    def from_labels(cls, labels: Sequence[Any], metric: str | None = None) -> Multilabel:
        """The task that rows of labels pose; a row is a list, tuple, set or array of labels, or a single one."""
        classes = classes_of(plain(one, row) for row, cell in enumerate(labels) for one in _cell(cell))
        return cls(classes=classes, metric=metric or "macro_f1")

    @property
    def outputs(self) -> int:
        """C."""
        return len(self.classes)

    def encode(self, labels: Sequence[Any]) -> np.ndarray:
        """0 or 1 for each label, NxC float32; DataError naming row and label when one is unknown."""
        known = positions(self.classes)
        target = np.zeros((len(labels), self.outputs), dtype=np.float32)
        for row, cell in enumerate(labels):
            for one in _cell(cell):
                target[row, position(known, one, row)] = 1.0
        return target

    def loss(self, output: Tensor, target: Tensor, *, weight: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
        """Binary cross entropy of each example, mean over labels, B; target BxC may be soft.

        `weight` C multiplies the positive term of each label; `smoothing` draws targets towards 0.5.
        """
        soft = target.to(output.dtype) * (1.0 - smoothing) + 0.5 * smoothing
        positive = None if weight is None else weight.to(output)
        return functional.binary_cross_entropy_with_logits(output, soft, pos_weight=positive, reduction="none").mean(1)

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """Sigmoid, NxC float64; rows do not add to 1."""
        return expit(output.astype(np.float64))

    def decode(self, output: np.ndarray) -> list[list[Label]]:
        """The labels of each row whose probability exceeds 0.5."""
        return [[self.classes[int(c)] for c in np.flatnonzero(row > 0)] for row in output]

    def describe(self, output: np.ndarray) -> list[dict[str, float]]:
        """Per row, label name to probability."""
        names = [str(c) for c in self.classes]
        return [dict(zip(names, map(float, row), strict=True)) for row in self.probabilities(output)]

    def metrics(self, output: np.ndarray, target: np.ndarray) -> dict[str, float]:
        """Every metric, the primary first; NaN where one is undefined."""
        names = (self.metric, *(n for n in self.metric_names if n != self.metric))
        found = self.resampled(output, target, np.ones((1, len(target))), names)
        return {name: float(values[0]) for name, values in found.items()}

    def score(self, output: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
        """The primary metric; `weight` N counts rows."""
        weights = np.ones(len(target)) if weight is None else np.asarray(weight, dtype=np.float64)
        return float(self.resampled(output, target, weights[None], (self.metric,))[self.metric][0])

    def resampled(
        self, output: np.ndarray, target: np.ndarray, weights: np.ndarray, names: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """The named metrics (default all) under each of R weightings RxN, R values each.

        Labels that neither occur nor are predicted are left out of macro_f1, labels without a positive out of
        mean_average_precision (scikit-learn counts both as 0).
        """
        guess, truth = output > 0, target > 0.5
        hit, true, predicted = (weights @ m.astype(np.float64) for m in (guess & truth, truth, guess))
        found: dict[str, np.ndarray] = {}
        for name in names or self.metric_names:
            if name == "macro_f1":
                found[name] = counting.mean_defined(counting.f1(hit, true, predicted))
            elif name == "micro_f1":
                found[name] = counting.f1(hit.sum(1), true.sum(1), predicted.sum(1))
            elif name == "subset_accuracy":
                found[name] = counting.mean(weights, (guess == truth).all(1))
            else:
                columns = range(self.outputs)
                each = [ranking.average_precision(output[:, c], truth[:, c], weights) for c in columns]
                found[name] = counting.mean_defined(np.stack(each, axis=1))
        return found

    def trivial(self, target: np.ndarray) -> np.ndarray:
        """The logit of each label's share, C; half a row is added to both sides so that it is finite."""
        positive = target.sum(0) + 0.5
        return np.log(positive / (len(target) + 1.0 - positive)).astype(np.float32)

    def strata(self, target: np.ndarray) -> np.ndarray:
        """One stratum for each frequent label combination; rarer ones are merged by their rarest label, then into one.

        After Sechidis et al. 2011, who split label by label; combinations are simpler and serve small C as well.
        """
        truth = target > 0.5
        _, combination, count = np.unique(truth, axis=0, return_inverse=True, return_counts=True)
        stratum = combination.reshape(-1).astype(np.int64)
        rarest = np.where(truth, truth.sum(0), np.iinfo(np.int64).max).argmin(1)
        rare = count[stratum] < MIN_STRATUM
        stratum[rare] = len(count) + rarest[rare]
        names, stratum, count = np.unique(stratum, return_inverse=True, return_counts=True)
        rare = count[stratum] < MIN_STRATUM
        stratum[rare] = len(names) if rare.sum() >= MIN_STRATUM else count.argmax()
        return np.unique(stratum, return_inverse=True)[1]

    def class_weight(self, target: np.ndarray) -> np.ndarray:
        """Negatives over positives of each label, C, between 1/20 and 20: both sides of a label count alike."""
        positive = np.maximum(target.sum(0), 1.0)
        return np.clip((len(target) - positive) / positive, 1.0 / MAX_WEIGHT, MAX_WEIGHT).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with the part's name."""
        return {"part": self.part_name, "classes": list(self.classes), "metric": self.metric}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Multilabel:
        """The task that `to_json` wrote."""
        return cls(classes=tuple(data["classes"]), metric=str(data["metric"]))


def _cell(cell: Any) -> Iterable[Any]:
    """The labels of one row; a single label counts as a list of one."""
    return cell if isinstance(cell, list | tuple | set | frozenset | np.ndarray) else (cell,)
