"""How sure a validation score is, and the difference of two: both by resampling the validation rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from landbridge.core.domain import Domain
from landbridge.core.seeds import numpy_generator
from landbridge.planning.standing import Standing

RESAMPLES = 50  # of the validation rows for a standard error
LEAST_ERROR = 0.3  # of one row: that of a share of 0.9, so that a perfect leader drops nobody for one mistake


def standard_error(domain: Domain, standing: Standing, pair: int, seed: int, fold: int) -> float:
    """Of a score on one pair, in the metric's own units; infinite where no resample has a score."""
    task, rows = domain.task, standing.pairs[pair].validation
    rng = numpy_generator(seed, "standard error", fold, pair)
    weights = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), RESAMPLES).astype(np.float64)
    output, target = standing.attempts[pair].output, domain.targets[rows]
    scores = task.resampled(output, target, weights, (task.metric,))[task.metric]
    scores = scores[np.isfinite(scores)]
    return max(float(scores.std()), LEAST_ERROR / math.sqrt(len(rows))) if len(scores) > 1 else math.inf


def paired_error(
    domain: Domain, first: Standing, second: Standing, pairs: Sequence[int], seed: int
) -> float | None:  # fmt: skip
    """Of the difference of two scores over shared pairs; None where they were validated on other rows."""
    task = domain.task
    rows = [first.pairs[p].validation for p in pairs]
    if not pairs or not all(np.array_equal(r, second.pairs[p].validation) for r, p in zip(rows, pairs, strict=True)):
        return None
    target = domain.targets[np.concatenate(rows)]
    unique, place = np.unique(np.concatenate(rows), return_inverse=True)  # a row that comes up twice is one row
    drawn = numpy_generator(seed, "settle").multinomial(len(unique), [1 / len(unique)] * len(unique), RESAMPLES)
    weight = drawn[:, place]
    scores = [
        task.resampled(np.concatenate([s.attempts[p].output for p in pairs]), target, weight, (task.metric,))
        for s in (first, second)
    ]
    return float(np.nanstd(scores[0][task.metric] - scores[1][task.metric]))
