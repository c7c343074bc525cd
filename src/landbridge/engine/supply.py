"""Batches: which rows go together, prepared once and kept, so that an epoch does not decode the same file again.

Long passes prepare their rows in windows ahead of time, in threads: while one window is computed the next is decoded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from landbridge.core.batch import Batch, Inputs
from landbridge.core.domain import Domain
from landbridge.core.model import Prepare, Views
from landbridge.engine.chunk import DIGEST
from landbridge.engine.mirrored import Sides, sides
from landbridge.nn.views import FlipCrop

KEEP_BYTES = 2 << 30  # prepared examples held in memory; beyond it they are prepared again each time
SURE = 64  # examples whose mean size tells that of all
WINDOW_ROWS, WINDOW_BYTES = 8192, 64 << 20  # the most of a window that is prepared ahead
EARLY_BYTES = 4 << 20  # that the first window may hold: what is small is quickly prepared
FEW = 4  # rows that tell how small they are
THREADS = 8  # at most
LOOKED_AT = 400  # pictures of which it is asked whether they may be mirrored

Prepared = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Window:
    """Rows that are prepared, and the digest of each."""

    rows: np.ndarray
    digests: np.ndarray


@dataclass
class Supply:
    """Prepared examples of one domain for one body, kept in memory where all of them take at most `keep` bytes.

    Otherwise each is prepared again when asked for, so that a set larger than memory costs time, not memory: a part
    that is kept would spare only its own share of the time.
    """

    domain: Domain
    prepare: Prepare
    views: Views | None = None
    keep: int = KEEP_BYTES
    _kept: dict[int, Prepared] = field(default_factory=dict)
    _held: dict[int, Prepared] = field(default_factory=dict)  # of the window that is being computed
    _bytes: int = 0
    _large: bool = False  # whether all together would take more than `keep`

    def __post_init__(self) -> None:
        self.sides: Sides | None = None  # of the pictures, once it was asked whether they may be mirrored
        self._named = np.zeros(len(self.domain), bool)
        self._names = np.zeros(len(self.domain), DIGEST)

    @cached_property
    def suited(self) -> Views | None:
        """The views, without mirroring where the domain's pictures are one-sided, by those that are not test in the
        first fold; labels are not looked at."""
        if not isinstance(self.views, FlipCrop) or not self.views.flip:
            return self.views
        rows = self.domain.folds[0].rest
        some = rows[:: max(1, len(rows) // LOOKED_AT)][:LOOKED_AT].tolist()
        self.sides = sides(self.prepared(row)["pixels"] for row in some)
        return replace(self.views, flip=not self.sides.one)

    def prepared(self, row: int) -> Prepared:
        """The arrays of one row."""
        found = self._held.get(row) or self._kept.get(row)
        if found is None:
            found = self.prepare(self.domain.example(row))
            self._keep(row, found)
        return found

    def _keep(self, row: int, found: Prepared) -> None:
        if row in self._kept or self._large:
            return
        self._kept[row] = found
        self._bytes += sum(a.nbytes for a in found.values())
        foretold = self._bytes / len(self._kept) * len(self.domain) if len(self._kept) >= SURE else self._bytes
        if foretold > self.keep:
            self._large = True
            self._kept.clear()

    def digests(self, rows: np.ndarray) -> np.ndarray:
        """What names each row's prepared arrays (N,), whatever data set they come from: 16 bytes of BLAKE2."""
        for row in rows[~self._named[rows]].tolist():
            self._name(row, digest(self.prepared(row)))
        return self._names[rows]

    def _name(self, row: int, name: bytes) -> None:
        self._names[row], self._named[row] = name, True

    def windows(self, rows: np.ndarray, first: int) -> Iterator[Window]:
        """The rows in windows of `first` rows, more where they are small, then twice as many each time while memory
        allows, prepared ahead. The more there are in one, the less is padded."""
        threads = max(1, min(THREADS, (os.cpu_count() or 1) - 1))
        some = self._look(rows[:FEW].tolist())
        each = sum(a.nbytes for _, found, _ in some for a in found.values()) / max(1, len(some))
        start, count = 0, min(WINDOW_ROWS, max(first, int(EARLY_BYTES / (each + 1))))
        with ThreadPoolExecutor(threads) as pool:

            def ahead(some: np.ndarray) -> list[Future[list[tuple[int, Prepared, bytes]]]]:
                return [pool.submit(self._look, part.tolist()) for part in np.array_split(some, threads) if len(part)]

            try:
                coming = ahead(rows[:count])
                while start < len(rows):
                    some = rows[start : start + count]
                    held = [one for future in coming for one in future.result()]
                    each = sum(a.nbytes for _, found, _ in held for a in found.values()) / len(held)
                    start, count = (
                        start + len(some),
                        max(1, min(2 * count, WINDOW_ROWS, int(WINDOW_BYTES / (each + 1)))),
                    )
                    coming = ahead(rows[start : start + count])
                    for row, found, name in held:
                        self._keep(row, found)
                        self._name(row, name)
                    self._held = {row: found for row, found, _ in held}
                    yield Window(some, self.digests(some))
            finally:
                self._held = {}
                pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, rows: Sequence[int]) -> list[tuple[int, Prepared, bytes]]:
        """Prepared rows and their digests, made in a thread, which changes nothing here."""
        made = []
        for row in rows:
            found = self._kept.get(row) or self.prepare(self.domain.example(row))
            made.append((row, found, self._names[row] if self._named[row] else digest(found)))
        return made

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


def digest(prepared: Prepared) -> bytes:
    """16 bytes that differ wherever name, shape, type or content of the arrays do."""
    made = hashlib.blake2b(digest_size=16)
    for name, array in sorted(prepared.items()):
        made.update(f"{name} {array.shape} {array.dtype.str}\0".encode())
        made.update(array.tobytes())
    return made.digest()


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
