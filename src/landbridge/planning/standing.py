"""What one candidate came to over the pairs of a fold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from landbridge.core.domain import Pair
from landbridge.core.errors import LandbridgeError
from landbridge.core.finding import Trial
from landbridge.engine.attempt import Attempt
from landbridge.planning.candidates import Candidate

SLACK = 1.1  # of the time foretold of a refit


@dataclass
class Standing:
    """One candidate's results over the pairs of a fold; `attempts` by pair, in the order they ran; `members` are those
    whose trained weights it averages."""

    candidate: Candidate
    pairs: tuple[Pair, ...]
    attempts: dict[int, Attempt] = field(default_factory=dict)
    trial: Trial | None = None
    error: LandbridgeError | None = None
    members: tuple[Standing, ...] = ()

    @property
    def validation(self) -> np.ndarray:
        """The validation rows of its attempts, in their order."""
        return np.concatenate([self.pairs[p].validation for p in self.attempts])

    @property
    def score(self) -> float:
        """Mean validation score over its pairs, minus infinity when it has none."""
        scores = [a.trial.validation for a in self.attempts.values() if a.trial.validation is not None]
        return float(np.mean(scores)) if scores else -math.inf

    def over(self, pairs: set[int]) -> float:
        """Mean validation score over some of its pairs."""
        scores = [self.attempts[p].trial.validation for p in sorted(pairs)]
        return float(np.mean([s for s in scores if s is not None])) if scores else self.score

    @property
    def seconds(self) -> float:
        """Seconds of one attempt, the mean."""
        return float(np.mean([a.trial.seconds for a in self.attempts.values()])) if self.attempts else 0.0

    def seconds_on(self, rows: int) -> float:
        """Seconds that training again on so many rows, for the length that was best, is expected to take."""
        if self.members:
            return sum(m.seconds_on(rows) for m in self.members)
        first = min(self.attempts)
        growth, ran = rows / max(1, len(self.pairs[first].train)), len(self.attempts[first].trial.curve)
        share = sum(best for best, _ in self.lengths) / max(1, ran) if self.lengths else 1.0
        return SLACK * self.seconds * growth * min(1.0, share)

    @property
    def lengths(self) -> tuple[tuple[int, int], ...]:
        """Best and scheduled epochs of each gradient stage, the median over pairs."""
        columns = zip(*(a.lengths for a in self.attempts.values()), strict=False)
        return tuple((round(float(np.median([b for b, _ in c]))), max(e for _, e in c)) for c in columns)

    @property
    def shares(self) -> tuple[float, ...]:
        """How much of its tuned end each gradient stage kept, the mean over pairs."""
        return tuple(float(np.mean(c)) for c in zip(*(a.shares for a in self.attempts.values()), strict=False))
