"""Batches: which rows go together, prepared once and kept, so that an epoch does not decode the same file again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from landbridge.core.batch import Batch, Inputs
from landbridge.core.domain import Domain
from landbridge.core.model import Prepare, Views

KEEP_BYTES = 2 << 30  # prepared examples held in memory; beyond it they are prepared again each time


@dataclass
class Supply:
    """Prepared examples of one domain for one body, kept in memory up to `keep` bytes.

    What does not fit is prepared again when asked for, so a set larger than memory only costs time.
    """

    domain: Domain
    prepare: Prepare
    views: Views | None = None
    keep: int = KEEP_BYTES
    _kept: dict[int, Mapping[str, np.ndarray]] = field(default_factory=dict)
    _bytes: int = 0

    def prepared(self, row: int) -> Mapping[str, np.ndarray]:
        """The arrays of one row."""
        found = self._kept.get(row)
        if found is None:
            found = self.prepare(self.domain.example(row))
            size = sum(a.nbytes for a in found.values())
            if self._bytes + size <= self.keep:
                self._kept[row] = found
                self._bytes += size
        return found

    def inputs(self, rows: np.ndarray) -> Inputs:
        """The collated inputs of the given rows."""
        return self.prepare.collate([self.prepared(int(r)) for r in rows])

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """The size of the largest array of each row, by which batches are bucketed."""
        return np.array([max((a.size for a in self.prepared(int(r)).values()), default=1) for r in rows])

    def batch(self, rows: np.ndarray, views: Views | None = None, generator: torch.Generator | None = None) -> Batch:
        """A batch of the given rows, seen through random `views` when both are given."""
        inputs = self.inputs(rows)
        if views is not None and generator is not None:
            inputs = views(inputs, generator)
        return Batch(index=torch.from_numpy(rows.copy()), target=self.target(rows), inputs=inputs)

    def target(self, rows: np.ndarray) -> Tensor:
        """The targets of the given rows."""
        return torch.from_numpy(np.ascontiguousarray(self.domain.targets[rows]))


def in_order(rows: np.ndarray, lengths: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Positions into `rows`, longest first, in batches: for inference, where order only costs padding."""
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(rows), size):
        yield order[start : start + size]


def shuffled(
    lengths: np.ndarray, size: int, generator: torch.Generator, pool: int = 32, *, strata: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Positions in random batches of like length: shuffle, sort within pools of `pool` batches, shuffle batches.

    A remainder of one example is joined to its neighbour, because batch statistics of one example do not exist.
    With `strata` a row stands beside another of its stratum, and the pair counts as long as its first row.
    """
    n = len(lengths)
    order = torch.randperm(n, generator=generator).numpy()
    if strata is not None:
        order, first = _paired(order, strata)
        lengths = lengths[first]
    if lengths.min() != lengths.max():
        span = size * pool
        chunks = [order[i : i + span] for i in range(0, n, span)]
        order = np.concatenate([c[np.argsort(lengths[c], kind="stable")] for c in chunks])
    cuts = list(range(size, n, size))
    if cuts and n - cuts[-1] == 1 < size:
        cuts.pop()
    batches = np.split(order, cuts)
    for i in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[i]


def _paired(order: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order with rows of one stratum in pairs (the last of an odd number makes three), and of each row the first of
    its pair; pairs come in the order of their first rows."""
    grouped = order[np.argsort(strata[order], kind="stable")]
    counts = np.unique(strata, return_counts=True)[1]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    total = np.repeat(counts, counts)
    back = np.where((rank == total - 1) & (total % 2 == 1) & (total > 1), 2, rank % 2)
    leader = grouped[np.arange(len(order)) - back]
    first = np.empty_like(order)
    first[grouped] = leader
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return grouped[np.argsort(place[leader], kind="stable")], first
