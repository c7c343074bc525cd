"""Where the loop gets its batches: from inputs (seen through random views) or from the activation store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch

from landbridge.core.batch import Batch
from landbridge.core.model import Views
from landbridge.engine.memory import batched
from landbridge.engine.store import Activations
from landbridge.engine.supply import Supply, in_order, shuffled

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Training and validation batches of one stage.

    `stored` holds one set of activations per view over `stored_rows`, the rest of which the loop never computes
    again; without it batches are inputs. With `strata`, one for each training row, a batch holds pairs of one stratum.
    With `looks` a batch of inputs also holds so many views of its examples, each through `strong`.
    """

    supply: Supply
    train: np.ndarray
    validation: np.ndarray
    size: int
    augment: bool
    strata: np.ndarray | None = None
    looks: int = 0
    strong: Views | None = None
    stored: tuple[Activations, ...] = ()
    stored_rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def steps(self) -> int:
        """Optimiser steps in one epoch."""
        n = len(self.train)
        joined = n > self.size > 1 and n % self.size == 1  # see `shuffled`
        return -(-n // self.size) - joined

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """One pass over the training rows in random batches of like length."""
        lengths = self.supply.lengths(self.train)
        for positions in shuffled(lengths, self.size, generator, strata=self.strata):
            rows = self.train[positions]
            if self.stored:
                view = int(torch.randint(len(self.stored), (1,), generator=generator))
                yield self._stored(rows, view)
            else:
                views = self.supply.suited if self.augment else None
                batch = self.supply.batch(rows, views, generator)
                looks = tuple(self.supply.batch(rows, self.strong, generator) for _ in range(self.looks))
                yield replace(batch, views=looks)

    def check(self, compute: Callable[[Batch], T]) -> Iterator[tuple[np.ndarray, T]]:
        """What `compute` makes of validation batches, with their positions: plain, in an order that costs least
        padding, and in smaller pieces where memory asks for it."""

        def one(positions: np.ndarray) -> T:
            rows = self.validation[positions]
            return compute(self._stored(rows, 0) if self.stored else self.supply.batch(rows))

        lengths = self.supply.lengths(self.validation)
        return batched(in_order(self.validation, lengths, 2 * self.size), one, "prediction")

    def _stored(self, rows: np.ndarray, view: int) -> Batch:
        places = np.searchsorted(self.stored_rows, rows)
        return self.stored[view].batch(places, torch.from_numpy(rows.copy()), self.supply.target(rows))
