"""Evidence: a measured finding with an interval and the way to reproduce it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from landbridge.core.contracts import Task

Severity = Literal["good", "note", "warning", "bad"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One measured fact. `data` carries what a figure or a table needs, as plain JSON."""

    name: str  # dotted: `slices.sex=Female`
    value: float | None
    interval: tuple[float, float] | None = None
    how: str  # how it was computed, in one sentence
    severity: Severity = "note"
    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What evaluators look at: outputs on test rows, of the chosen model and of every control, row by row.

    target N.., outputs NxC; `validation_*` are the chosen model's outputs on validation rows, the only place where
    calibration may be fitted. `rows` are row numbers in the domain; the same row may come up in several folds.
    """

    task: Task
    rows: np.ndarray
    target: np.ndarray
    output: np.ndarray
    controls: Mapping[str, np.ndarray]
    validation_target: np.ndarray
    validation_output: np.ndarray
    groups: np.ndarray | None = None
    slices: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    labels: Sequence[str] = ()
    seed: int = 0


@dataclass(kw_only=True)
class Trial:
    """One recipe run on one split with one seed, with its cost. `outputs` are kept beside, not in the JSON."""

    name: str
    recipe: dict[str, Any]
    validation: float | None = None
    interval: tuple[float, float] | None = None
    seconds: float = 0.0
    peak_mb: float = 0.0
    trainable: int = 0
    total: int = 0
    status: str = "planned"  # done, eliminated, out of time, cannot win, diverged, failed
    reason: str = ""  # why it was planned, or why it ended as it did
    role: str = "candidate"  # candidate, trivial, rival, scratch
    fold: int = 0
    pair: int = 0
    seed: int = 0
    epochs: float = 0.0  # length that was best on validation, for refitting
    curve: list[dict[str, float]] = field(default_factory=list[dict[str, float]])  # epoch, loss, validation, seconds
    members: list[str] = field(default_factory=list[str])  # names of the trials whose mean it is, the first leads
    near: str = ""  # name of the trial that it is a neighbour of
    predicted: dict[str, Any] | None = None  # what the plan foretold: value, seconds, peak_mb, each with its interval

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)
