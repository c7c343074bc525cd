"""Where the rows of one domain lie among the chunks of one key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.engine.cache import Cache, reason
from landbridge.engine.chunk import DIGEST, Chunk, Lost, in_memory, read_chunk


class Shelf:
    """For each row its chunk and its slot there; chunks of earlier runs and of other processes are found by digest.

    A new chunk goes to the first of `places` that has room. `seconds` is what the rows that were found would have cost.
    """

    def __init__(self, key: str, rows: int, places: Sequence[Cache]) -> None:
        self.key = key
        self.places = tuple(places)
        self.open = list(places)  # those that have had room so far
        self.chunks: list[Chunk] = []
        self.chunk = np.full(rows, -1, np.int32)
        self.slot = np.zeros(rows, np.int32)
        self.seconds = 0.0
        self._seen: set[str] = set()
        self._used: set[int] = set()
        self._names = np.zeros(0, DIGEST)  # of rows on disk, sorted
        self._where = np.zeros((0, 2), np.int32)  # chunk and slot of each

    def missing(self, rows: np.ndarray) -> np.ndarray:
        """The rows that no known chunk holds."""
        return rows[self.chunk[rows] < 0]

    def find(self, rows: np.ndarray, digests: np.ndarray) -> np.ndarray:
        """Look for rows on disk by their digests; those that must be computed, of equal ones the first."""
        self._list()
        if len(self._names):
            at = np.minimum(np.searchsorted(self._names, digests), len(self._names) - 1)
            hit = (self._names[at] == digests) & (self.chunk[rows] < 0)
            self.chunk[rows[hit]], self.slot[rows[hit]] = self._where[at[hit]].T
            for number, count in zip(*np.unique(self.chunk[rows[hit]], return_counts=True), strict=True):
                self.seconds += float(self.chunks[number].facts.get("seconds", 0.0)) * int(count)
        left = self.chunk[rows] < 0
        firsts = np.unique(digests[left], return_index=True)[1]
        return rows[left][np.sort(firsts)]

    def add(
        self,
        rows: np.ndarray,
        digests: np.ndarray,
        arrays: Mapping[str, np.ndarray],
        facts: Mapping[str, Any],
        *,
        memory: bool,
    ) -> bool:
        """A new chunk of computed rows; where no place has room it is held in `memory`, or False is returned."""
        full = {"rows": digests, **arrays}
        chunk = self._written(full, facts)
        if chunk is None and not memory:
            return False
        number = len(self.chunks)
        self.chunks.append(chunk or in_memory(full, facts))
        self.chunk[rows], self.slot[rows] = number, np.arange(len(rows))
        self._used.add(number)
        return True

    def same(self, rows: np.ndarray, digests: np.ndarray) -> None:
        """Rows whose digest another of the given rows has lie where that one does."""
        known = self.chunk[rows] >= 0
        names, first = np.unique(digests[known], return_index=True)
        if len(names) and not known.all():
            at = np.minimum(np.searchsorted(names, digests[~known]), len(names) - 1)
            twin = rows[known][first[at]]
            right = names[at] == digests[~known]
            self.chunk[rows[~known][right]] = self.chunk[twin[right]]
            self.slot[rows[~known][right]] = self.slot[twin[right]]

    def pieces(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Chunk]]:
        """Positions into `rows` with the chunk that holds them."""
        numbers = self.chunk[rows]
        order = np.argsort(numbers, kind="stable")
        for positions in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
            number = int(numbers[positions[0]])
            self._use(number)
            yield positions, self.chunks[number]

    def forget(self, lost: Lost) -> None:
        """Take a chunk off the shelf that cannot be read any more; one that is damaged off the disk too."""
        for number, chunk in enumerate(self.chunks):
            if chunk is lost.chunk:
                self.chunk[self.chunk == number] = -1
                self._names, self._where = (a[self._where[:, 0] != number] for a in (self._names, self._where))
        self._remove(lost)

    def _written(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> Chunk | None:
        while self.open:
            try:
                chunk = self.open[0].write(self.key, arrays, facts)
            except Lost:
                self.open.pop(0)  # gone as soon as it was written: no place to keep anything
            except OSError as error:
                place = self.open.pop(0)
                then = "the run's own folder" if self.open else "memory, or are computed each time"
                why = reason(error, place.folder)
                place.warn("room", f"{why}: no room for activations; from here on they go to {then}")
            else:
                assert chunk.path is not None
                self._seen.add(chunk.path.name)
                return chunk
        return None

    def _list(self) -> None:
        """Take in the chunks that have come since the last look."""
        names, where = [self._names], [self._where]
        for place in self.places:
            for path in place.paths(self.key):
                if path.name in self._seen:
                    continue
                self._seen.add(path.name)
                try:
                    chunk = read_chunk(path)
                    digests = chunk.digests
                except Lost as lost:
                    self._remove(lost)
                    continue
                slots = np.arange(len(digests), dtype=np.int32)
                names.append(digests)
                where.append(np.stack([np.full_like(slots, len(self.chunks)), slots], axis=1))
                self.chunks.append(chunk)
        if len(names) > 1:
            together = np.concatenate(names)
            order = np.argsort(together, kind="stable")
            self._names, self._where = together[order], np.concatenate(where)[order]

    def _use(self, number: int) -> None:
        """Note once that a chunk of another run is used, by which it is evicted later."""
        path = self.chunks[number].path
        if number not in self._used and path is not None:
            self._used.add(number)
            self._place(path).touch(path)

    def _remove(self, lost: Lost) -> None:
        path = lost.chunk.path
        if lost.damaged and path is not None:
            self._place(path).drop(path)

    def _place(self, path: Path) -> Cache:
        return next(place for place in self.places if place.folder == path.parent)
