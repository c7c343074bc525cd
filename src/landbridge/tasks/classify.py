"""One class for each example: two or many, balanced or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.nn import functional

from landbridge.core.errors import DataError, UnknownName
from landbridge.tasks import counting, ranking
from landbridge.tasks.labels import Label, classes_of, plain, position, positions

RARE = 0.1  # two classes, one rarer than this: accuracy says little, so the primary metric is the AUC


@dataclass(frozen=True, kw_only=True)
class Classify:
    """Exactly one of C classes for each example; output_NC are logits.

    `classes` are in natural order and keep their type (text, whole number, true or false).
    """

    part_name: ClassVar[str] = "classify"

    classes: tuple[Label, ...]
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(f"a classification needs two classes or more, got {list(self.classes)}; check the target")
        if self.metric not in self.metric_names:
            raise UnknownName("metric", self.metric, self.metric_names)

    @classmethod
    def from_labels(cls, labels: Sequence[Any], metric: str | None = None) -> Classify:
        """The task that labels pose; with two classes, one under 10 %, the AUC is the primary metric."""
        values = [plain(label, row) for row, label in enumerate(labels)]
        classes = classes_of(values)
        if len(classes) < 2:
            raise DataError(f"the target has one class only ({list(classes)}); two or more are needed to learn from")
        known = positions(classes)
        counts = np.bincount([known[str(v)] for v in values], minlength=len(classes))
        rare = len(classes) == 2 and counts.min() < RARE * counts.sum()
        return cls(classes=classes, metric=metric or ("auc" if rare else "accuracy"))

    @property
    def outputs(self) -> int:
        """C."""
        return len(self.classes)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """All metrics; higher is better, so the log loss is negated."""
        names = ("accuracy", "balanced_accuracy", "macro_f1", "neg_log_loss", "auc")
        return (*names, "average_precision") if self.outputs == 2 else names

    def encode(self, labels: Sequence[Any]) -> np.ndarray:
        """Class numbers, N int64; DataError naming row and label when a class is unknown."""
        known = positions(self.classes)
        return np.array([position(known, label, row) for row, label in enumerate(labels)], dtype=np.int64)

    def loss(self, output: Tensor, target: Tensor, *, weight: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
        """Cross entropy of each example, B; target B class numbers or BxC soft, weight C.

        `smoothing` mixes the target with the uniform distribution (Szegedy et al. 2016, section 7).
        """
        weight = None if weight is None else weight.to(output)
        target = target.to(output.dtype) if target.ndim == 2 else target.long()
        return functional.cross_entropy(output, target, weight=weight, reduction="none", label_smoothing=smoothing)

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """Softmax, NxC float64."""
        return softmax(output.astype(np.float64), axis=1)

    def decode(self, output: np.ndarray) -> list[Label]:
        """The most probable class of each row."""
        return [self.classes[int(c)] for c in output.argmax(1)]

    def describe(self, output: np.ndarray) -> list[dict[str, float]]:
        """Per row, class name to probability."""
        names = [str(c) for c in self.classes]
        return [dict(zip(names, map(float, row), strict=True)) for row in self.probabilities(output)]

    def metrics(self, output: np.ndarray, target: np.ndarray) -> dict[str, float]:
        """Every metric, the primary first; NaN where one is undefined (AUC with one class in the rows)."""
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

        Classes without weight are left out of macro averages; macro AUC is one class against the rest, over the
        classes for which it is defined.
        """
        guess, right = output.argmax(1), output.argmax(1) == target
        found: dict[str, np.ndarray] = {}
        for name in names or self.metric_names:
            if name == "accuracy":
                found[name] = counting.mean(weights, right)
            elif name == "neg_log_loss":
                floor = np.log(np.finfo(np.float64).eps)
                log_p = log_softmax(output.astype(np.float64), axis=1)[np.arange(len(target)), target]
                found[name] = counting.mean(weights, np.maximum(log_p, floor))
            elif name in ("balanced_accuracy", "macro_f1"):
                hit = counting.class_sums(weights, np.where(right, target, -1), self.outputs)
                true = counting.class_sums(weights, target, self.outputs)
                if name == "balanced_accuracy":
                    found[name] = counting.mean_defined(counting.ratio(hit, true))
                else:
                    predicted = counting.class_sums(weights, guess, self.outputs)
                    found[name] = counting.mean_defined(counting.f1(hit, true, predicted))
            else:
                found[name] = self._ranked(name, output, target, weights)
        return found

    def _ranked(self, name: str, output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """AUC or average precision: of the second class with two classes, macro one-against-rest with more."""
        if self.outputs == 2:
            measure = ranking.auc if name == "auc" else ranking.average_precision
            return measure(output[:, 1].astype(np.float64) - output[:, 0], target == 1, weights)
        shares = self.probabilities(output)
        each = [ranking.auc(shares[:, c], target == c, weights) for c in range(self.outputs)]
        return counting.mean_defined(np.stack(each, axis=1))

    def trivial(self, target: np.ndarray) -> np.ndarray:
        """Logs of the class shares, C; one is added to each count so that none is impossible."""
        counts = np.bincount(target, minlength=self.outputs) + 1.0
        return np.log(counts / counts.sum()).astype(np.float32)

    def strata(self, target: np.ndarray) -> np.ndarray:
        """The classes themselves."""
        return target

    def class_weight(self, target: np.ndarray) -> np.ndarray:
        """N / (C n_c), C: mean 1 over the rows, so that the loss keeps its size; 1 for a class without rows."""
        counts = np.bincount(target, minlength=self.outputs)
        return np.where(counts > 0, len(target) / (self.outputs * np.maximum(counts, 1)), 1.0).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with the part's name."""
        return {"part": self.part_name, "classes": list(self.classes), "metric": self.metric}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Classify:
        """The task that `to_json` wrote."""
        return cls(classes=tuple(data["classes"]), metric=str(data["metric"]))
