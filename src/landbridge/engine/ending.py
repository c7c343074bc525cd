"""Whether a schedule's end may stand for an earlier epoch that looked better on few rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.engine.average import copy_into
from landbridge.evidence.bootstrap import resample, units

RESAMPLES = 200
SURE = 2.0  # standard errors by which an earlier epoch must have been better to be gone back to


def as_good(
    task: Task, domain: Domain, rows: np.ndarray, end_NC: np.ndarray, best_NC: np.ndarray, seed: int = 0
) -> bool:
    """Whether the end's score lies within two standard errors of the paired difference below the best epoch's.

    A rule as that of Breiman et al. 1984, section 3.4.3, with the whole schedule as the simple model: its last steps
    are taken at a rate near 0, as it was designed, while the best of many epochs on few rows is best by luck as well.
    """
    target = domain.targets[rows]
    unit_N = units(rows, None if domain.groups is None else domain.groups[rows])
    outputs = {"end": end_NC, "best": best_NC}
    drawn = resample(task, target, outputs, unit_N, (task.metric,), seed, RESAMPLES)
    error = float(np.nanstd(drawn["best"][task.metric] - drawn["end"][task.metric]))
    return task.score(best_NC, target) - task.score(end_NC, target) <= SURE * error


@torch.no_grad()
def seen_with(tensors: dict[str, Tensor], into: dict[str, Tensor], look: Callable[[], np.ndarray]) -> np.ndarray:
    """What `look` sees while the model has other weights; its own are put back."""
    own = {n: t.detach().clone() for n, t in into.items()}
    try:
        copy_into(tensors, into)
        return look()
    finally:
        copy_into(own, into)
