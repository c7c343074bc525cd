"""Domains for the tests of choosing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landbridge.core.domain import Domain, Fold, Pair
from landbridge.testing import toy_domain


def noisy(rows: int = 160, pairs: int = 1) -> Domain:
    """Toy texts of which some are called by the other class, so that nothing is perfect."""
    domain = toy_domain("text", rows=rows)
    wrong = np.random.default_rng(1).random(rows) < 0.25
    domain = replace(domain, targets=np.where(wrong, 1 - domain.targets, domain.targets))
    fold = domain.folds[0]
    parts = np.array_split(np.random.default_rng(2).permutation(fold.rest), 3)[:pairs]
    made = tuple(Pair(train=np.setdiff1d(fold.rest, p), validation=np.sort(p)) for p in parts)
    return domain.with_folds(Fold(test=fold.test, pairs=made))
