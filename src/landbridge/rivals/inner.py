"""How rivals choose their own hyper-parameters: folds inside the training rows, and one criterion to choose by."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from landbridge.core import seeds
from landbridge.core.contracts import Task
from landbridge.core.domain import Domain

Link = Literal["softmax", "sigmoid", "identity"]


@dataclass(frozen=True)
class Goal:
    """What a rival learns: the task's targets of some rows in the form that a solver reads.

    `target` as the task encoded it; `matrix` one-hot, zero-one, or standardised; `link` from output to prediction.
    """

    task: Task
    target: np.ndarray
    matrix: np.ndarray  # NxC
    link: Link

    @classmethod
    def of(cls, task: Task, target: np.ndarray) -> Goal:
        """The goal of encoded targets: class numbers N, zero-one NxC, or values N in original units."""
        if task.part_name == "regress":
            facts = task.to_json()
            values = (target.astype(np.float64) - facts["center"]) / facts["scale"]
            return cls(task, target, values.reshape(-1, 1).astype(np.float32), "identity")
        if target.ndim == 2:
            return cls(task, target, target.astype(np.float32), "sigmoid")
        return cls(task, target, np.eye(task.outputs, dtype=np.float32)[target], "softmax")

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Goal:
        """The same goal for some of the rows."""
        return Goal(self.task, self.target[rows], self.matrix[rows], self.link)

    def loss(self, output_NC: np.ndarray) -> float:
        """The task's mean loss."""
        losses = self.task.loss(torch.from_numpy(np.ascontiguousarray(output_NC)), torch.from_numpy(self.target))
        return float(losses.double().mean())

    def worth(self, output_NC: np.ndarray) -> float:
        """Higher is better: the task's primary metric, less a small share of the loss that settles near ties."""
        score = self.task.score(output_NC, self.target)
        return (score if np.isfinite(score) else 0.0) - 0.05 * self.loss(output_NC)


def folds(domain: Domain, rows: np.ndarray, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """`count` divisions of positions 0..len(rows)-1 into fit and held-out, stratified; a group is never divided.

    Fewer come back when there are fewer groups or rows than `count`; none when there is only one.
    """
    generator = seeds.numpy_generator(seed, "inner folds")
    target = domain.targets[rows]
    strata = domain.task.strata(target)
    strata = np.zeros(len(rows), np.int64) if strata is None else strata
    named = np.arange(len(rows)) if domain.groups is None else np.unique(domain.groups[rows], return_inverse=True)[1]
    groups, first, size = np.unique(named, return_index=True, return_counts=True)
    count = min(count, len(groups))
    if count < 2:
        return []
    shuffled = generator.permutation(len(groups))
    # groups of one stratum follow each other, large ones first, and are dealt out in turn
    order = shuffled[np.lexsort((-size[shuffled], strata[first[shuffled]]))]
    place = np.empty(len(groups), np.int64)
    place[order] = np.arange(len(groups)) % count
    home = place[np.searchsorted(groups, named)]
    return [(np.flatnonzero(home != f), np.flatnonzero(home == f)) for f in range(count)]


def time_left(deadline: float | None) -> float:
    """Seconds until a monotonic deadline, infinite without one."""
    return float("inf") if deadline is None else deadline - time.monotonic()
