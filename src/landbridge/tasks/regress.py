"""A number for each example."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional

from landbridge.core.errors import DataError, UnknownName, UsageError
from landbridge.tasks import counting, ranking

BINS, ROWS_PER_BIN = 10, 10


@dataclass(frozen=True, kw_only=True)
class Regress:
    """A real number; output Nx1 is standardised: value = center + scale * output.

    `error` is the training loss: `squared`, or `huber` (Huber 1964, threshold one scale) where outliers must not pull.
    """

    part_name: ClassVar[str] = "regress"
    metric_names: ClassVar[tuple[str, ...]] = ("r2", "neg_rmse", "neg_mae", "spearman")

    center: float
    scale: float
    metric: str = "r2"
    error: str = "squared"

    def __post_init__(self) -> None:
        if self.metric not in self.metric_names:
            raise UnknownName("metric", self.metric, self.metric_names)
        if self.error not in ("squared", "huber"):
            raise UnknownName("error", self.error, ("squared", "huber"))
        if not (math.isfinite(self.center) and math.isfinite(self.scale) and self.scale > 0):
            raise UsageError(
                f"regress: center and scale must be finite and scale above 0, got {self.center, self.scale}"
            )

    @classmethod
    def from_labels(cls, labels: Sequence[Any], metric: str | None = None) -> Regress:
        """The task that numbers pose: center is their mean, scale their standard deviation."""
        values = np.array([_number(label, row) for row, label in enumerate(labels)])
        if len(values) == 0 or values.min() == values.max():
            shown = values[:1].tolist()
            raise DataError(f"the target has no two different values ({shown}); there is nothing to learn from")
        return cls(center=float(values.mean()), scale=float(values.std()), metric=metric or "r2")

    @property
    def outputs(self) -> int:
        """1."""
        return 1

    def encode(self, labels: Sequence[Any]) -> np.ndarray:
        """Values in original units, N float32; DataError naming the row when one is no finite number."""
        return np.array([_number(label, row) for row, label in enumerate(labels)], dtype=np.float32)

    def loss(self, output: Tensor, target: Tensor, *, weight: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
        """Squared or Huber error of each example in standardised units, B; target B in original units.

        `weight` and `smoothing` belong to classes and have no meaning here.
        """
        standard = (target.float() - self.center).div(self.scale).to(output.dtype).reshape(-1)
        if self.error == "huber":
            return functional.huber_loss(output.reshape(-1), standard, reduction="none")
        return functional.mse_loss(output.reshape(-1), standard, reduction="none")

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """Predicted values in original units, N float64."""
        return output.astype(np.float64).reshape(-1) * self.scale + self.center

    def decode(self, output: np.ndarray) -> list[float]:
        """Predicted values in original units."""
        return [float(v) for v in self.probabilities(output)]

    def describe(self, output: np.ndarray) -> list[dict[str, float]]:
        """Empty for each row: there are no classes."""
        return [{} for _ in output]

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
        """The named metrics (default all) under each of R weightings RxN, R values each; errors in original units."""
        guess, truth = self.probabilities(output), target.astype(np.float64)
        residual = guess - truth
        found: dict[str, np.ndarray] = {}
        for name in names or self.metric_names:
            if name == "r2":
                centred = truth - truth.mean()  # keeps the difference of squares below exact to rounding
                spread = counting.mean(weights, centred**2) - counting.mean(weights, centred) ** 2
                found[name] = 1.0 - counting.ratio(counting.mean(weights, residual**2), spread)
            elif name == "neg_rmse":
                found[name] = -np.sqrt(counting.mean(weights, residual**2))
            elif name == "neg_mae":
                found[name] = -counting.mean(weights, np.abs(residual))
            else:
                found[name] = ranking.spearman(guess, truth, weights)
        return found

    def trivial(self, target: np.ndarray) -> np.ndarray:
        """The standardised mean, one value."""
        return np.array([(target.astype(np.float64).mean() - self.center) / self.scale], dtype=np.float32)

    def strata(self, target: np.ndarray) -> np.ndarray | None:
        """Quantile bins of about equal size, at most ten with ten rows or more each; None when rows are too few."""
        bins = min(BINS, len(target) // ROWS_PER_BIN)
        if bins < 2:
            return None
        edges = np.unique(np.quantile(target, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
        found = np.searchsorted(edges, target, side="right")
        return np.unique(found, return_inverse=True)[1]

    def class_weight(self, target: np.ndarray) -> None:
        """None: there are no classes."""
        return

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with the part's name."""
        kept = {"center": self.center, "scale": self.scale, "metric": self.metric, "error": self.error}
        return {"part": self.part_name, **kept}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Regress:
        """The task that `to_json` wrote."""
        return cls(**{name: data[name] for name in ("center", "scale", "metric", "error")})


def _number(label: Any, row: int) -> float:
    """A finite number from a cell; DataError naming the row otherwise."""
    try:
        value = float(label)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"row {row}: the target must be a finite number, got {label!r}; mend or drop the row")
    return value
