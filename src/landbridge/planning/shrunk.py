"""Fewer rows of a pair, where there is no time to read them all."""

from __future__ import annotations

import numpy as np

from landbridge.core.domain import Domain, Pair
from landbridge.core.seeds import numpy_generator

LEAST_ROWS = 3  # of a stratum that are read however little time there is


def shrunk(pair: Pair, domain: Domain, share: float, seed: int) -> Pair:
    """The same share of both parts of a pair and of every stratum in them, at least three rows of each there are."""
    rng = numpy_generator(seed, "shrink")
    return Pair(train=_some(pair.train, domain, share, rng), validation=_some(pair.validation, domain, share, rng))


def _some(rows: np.ndarray, domain: Domain, share: float, rng: np.random.Generator) -> np.ndarray:
    strata = domain.task.strata(domain.targets[rows])
    groups = [np.arange(len(rows))] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]
    kept = [rng.permutation(g)[: max(LEAST_ROWS, round(share * len(g)))] for g in groups]
    return rows[np.sort(np.concatenate(kept))]
