"""A domain is data from one world: what it is made of, what is to be predicted, and how it is split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from landbridge.core.contracts import Modality, Task
from landbridge.core.model import Example

Rows = np.ndarray  # int64 row numbers


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One way of dividing the rows that are not test: fit on `train`, choose on `validation`."""

    train: Rows
    validation: Rows


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One test set and the repeated train/validation pairs of all other rows (one pair when labels are many)."""

    test: Rows
    pairs: tuple[Pair, ...]

    @property
    def rest(self) -> Rows:
        """Every row that is not test."""
        pair = self.pairs[0]
        return np.sort(np.concatenate([pair.train, pair.validation]))


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """Something that was guessed about the data, said aloud, with the option that overrules it."""

    what: str
    because: str
    option: str


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Rows of one modality with a target. `cells` is memory-mapped: row i is decoded only when it is asked for.

    `targets` is what `task.encode` made: N (class or value) or NxC (multilabel). `slices` are columns that the report
    breaks the metric down by. `folds` has one fold when test rows are enough, several when labels are few.
    """

    name: str
    modality: Modality
    task: Task
    cells: Sequence[Any]
    targets: np.ndarray
    folds: tuple[Fold, ...]
    fingerprint: str  # sha256 over the data and its reading, part of every journal key
    labels: Sequence[str] = ()  # how each row names itself in reports: its path, or `row 17`
    groups: np.ndarray | None = None
    slices: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    assumptions: tuple[Assumption, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])  # counts, column kinds, split origin: for reports
    reading: Mapping[str, Any] = field(default_factory=dict[str, Any])  # columns and kinds that `predict` needs again

    def __len__(self) -> int:
        return len(self.cells)

    def example(self, row: int) -> Example:
        """Row `row`, decoded; DataError naming the row when it cannot be."""
        return self.modality.decode(self.cells[int(row)])

    def examples(self, rows: Rows) -> Iterator[Example]:
        """The given rows, decoded one by one."""
        for row in rows:
            yield self.example(int(row))

    def with_folds(self, *folds: Fold) -> Domain:
        """The same rows, split otherwise."""
        return replace(self, folds=folds)
