"""One pass of rows through a body, into the chunks of a shelf; what lies on the shelf already is left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from landbridge.engine.memory import batched
from landbridge.engine.shelf import Shelf
from landbridge.engine.supply import Supply, in_order

FIRST = 8  # batches in the first window; windows double from there, so that computing begins early
KEEP_SECONDS = 20.0  # of work that a killed run may lose
KEEP_BYTES = 64 << 20  # of results held before they are written

Arrays = dict[str, np.ndarray]
Read = Callable[[np.ndarray], Arrays]  # rows of the domain to what is kept of them
Join = Callable[[Sequence[Arrays]], tuple[Arrays, dict[str, Any]]]  # batches to the arrays and facts of a chunk
Watch = Callable[[float, int], None]  # the share of the work that is done, and how many rows were lacking


def unwatched(share: float, missing: int) -> None:
    """Nobody watches."""


class NoRoomError(Exception):
    """What was read could not be written, and is too large for memory."""


@dataclass
class _Page:
    """Results that wait to be written."""

    rows: list[np.ndarray] = field(default_factory=list)
    made: list[Arrays] = field(default_factory=list)
    bytes: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, rows: np.ndarray, made: Arrays) -> None:
        self.rows.append(rows)
        self.made.append(made)
        self.bytes += sum(a.nbytes for a in made.values())

    @property
    def full(self) -> bool:
        return self.bytes > KEEP_BYTES or time.monotonic() - self.began > KEEP_SECONDS


def extract(
    shelf: Shelf, supply: Supply, rows: np.ndarray, read: Read, join: Join, *, size: int, what: str, disk: bool,
    watch: Watch = unwatched,
) -> None:  # fmt: skip
    """Fill the shelf with `rows` that it lacks, in batches of `size` rows of like length.

    Where another process computes the same, this one begins at the other end and takes over what that one has written,
    window by window, so that they share the work and neither waits. With `disk` results are never kept in memory:
    NoRoomError when no disk takes them.
    """
    if not len(rows):
        return
    claim = shelf.places[0].claim(shelf.key)
    page = _Page()
    seen = done = wanted = 0.0
    try:
        with closing(supply.windows(rows if claim is not None else rows[::-1], FIRST * size)) as windows:
            for window in windows:
                left = shelf.find(window.rows, window.digests)
                lengths = np.maximum(supply.lengths(left), 1)
                seen, wanted = seen + len(window.rows), wanted + float(lengths.sum())
                page.began = time.monotonic() if not page.rows else page.began
                for positions, made in batched(
                    in_order(left, lengths, size), lambda at, left=left: read(left[at]), what
                ):
                    page.add(left[positions], made)
                    done += float(lengths[positions].sum())
                    if page.full:
                        page = _put(page, shelf, supply, join, disk=disk)
                    watch(done * seen / (wanted * len(rows)), len(rows))
                page = _put(page, shelf, supply, join, disk=disk)
                shelf.same(window.rows, window.digests)
    finally:
        if claim is not None:
            claim.release()
        if page.rows and not (disk and not shelf.open):
            _put(page, shelf, supply, join, disk=disk)


def _put(page: _Page, shelf: Shelf, supply: Supply, join: Join, *, disk: bool) -> _Page:
    """Write a page; the next one."""
    if page.rows:
        rows = np.concatenate(page.rows)
        arrays, facts = join(page.made)
        facts["seconds"] = (time.monotonic() - page.began) / len(rows)
        if not shelf.add(rows, supply.digests(rows), arrays, facts, memory=not disk):
            raise NoRoomError
    return _Page()


def stacked(made: Sequence[Mapping[str, np.ndarray]]) -> Arrays:
    """Batches one after the other."""
    return {name: np.concatenate([m[name] for m in made]) for name in made[0]}
