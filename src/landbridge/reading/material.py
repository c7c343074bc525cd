"""What a reader found before anything is decided about task and splits: rows, raw labels and what was assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from landbridge.core.domain import Assumption
from landbridge.reading.cells import Chosen

SPLITS = ("train", "validation", "test")
_ALIASES = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "test": "test",
    "testing": "test",
    "te": "test",
    "eval": "test",
    "evaluation": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "develop": "validation",
    "development": "validation",
}


def split_name(word: str) -> str | None:
    """`train`, `validation` or `test` for any usual spelling of them, otherwise None."""
    return _ALIASES.get(word.strip().lower())


@dataclass(frozen=True, kw_only=True)
class Material:
    """N rows of one modality. `labels` are plain values (None where missing) or None when there are none at all.

    `split` holds `train`, `validation` or `test` per row where the data says so; `label_kind` is how the labels are
    stored: `text`, `integer`, `real`, `truth` or `list`.
    """

    name: str
    modality: str
    cells: Sequence[Any]
    names: Sequence[str]
    labels: Sequence[Any] | None = None
    label_kind: str = "text"
    split: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    slices: Mapping[str, np.ndarray] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()
    asked_group: bool = False  # the person named the groups, so they outrank an official split
    asked_time: bool = False

    def __len__(self) -> int:
        return len(self.cells)

    def take(self, rows: np.ndarray) -> Material:
        """The given rows only, in order."""
        labels = None if self.labels is None else [self.labels[int(i)] for i in rows]
        return replace(
            self,
            cells=Chosen(self.cells, rows),
            names=Chosen(self.names, rows),
            labels=labels,
            split=None if self.split is None else self.split[rows],
            groups=None if self.groups is None else self.groups[rows],
            times=None if self.times is None else self.times[rows],
            slices={k: v[rows] for k, v in self.slices.items()},
        )

    def noting(self, *found: Assumption | dict[str, Any]) -> Material:
        """The same with more assumptions (`Assumption`) or checks (dict)."""
        assumptions = tuple(f for f in found if isinstance(f, Assumption))
        checks = tuple(f for f in found if isinstance(f, dict))
        return replace(self, assumptions=self.assumptions + assumptions, checks=self.checks + checks)


def check(name: str, found: int, detail: str) -> dict[str, Any]:
    """One finding about the data, as it goes into the report."""
    return {"name": name, "found": int(found), "detail": detail}
