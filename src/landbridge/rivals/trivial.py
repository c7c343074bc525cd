"""The control that never looks: class shares, or the mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.model import Example
from landbridge.core.parts import part


@dataclass(frozen=True)
class Constant:
    """Gives every example the same output row."""

    row: np.ndarray  # C

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32."""
        count = sum(1 for _ in examples)
        return np.tile(self.row, (count, 1))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The row alone."""
        return {}, {"row": self.row}


@part("trivial")
class Trivial:
    """The task's own trivial baseline, fitted on the training rows."""

    modalities: ClassVar[tuple[str, ...]] = ("*",)

    def fit(self, domain: Domain, rows: np.ndarray, seed: int, deadline: float | None = None) -> Constant:
        """Count the targets; seed and deadline do not matter."""
        return Constant(np.asarray(domain.task.trivial(domain.targets[rows]), np.float32))

    def rebuild(self, task: Task, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Constant:
        """The predictor that `state` wrote."""
        return Constant(np.asarray(arrays["row"], np.float32))
