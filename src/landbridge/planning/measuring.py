"""Every score of every candidate, on all rows and on random halves of them.

Shapes: N rows, D width, K candidates, S scores, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from landbridge.core.codec import parse
from landbridge.core.contracts import Score, Task
from landbridge.core.seeds import numpy_generator, stream
from landbridge.planning.ranking import DEFAULT, By, Place, ranked
from landbridge.planning.scores.rows import kind_of, some

RESAMPLES, MOST = 10, 4000


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is scored: the features that a source gives for N rows, and its own class probabilities where it has any."""

    features: np.ndarray
    source_probabilities: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Values KxS on all rows, and RxKxS on halves of them; NaN where a score could not be had."""

    candidates: tuple[str, ...]
    scores: tuple[str, ...]
    values: np.ndarray
    resampled: np.ndarray

    def ranked(self, by: By = "standardised") -> list[Place]:
        """The candidates, best first."""
        return ranked(self.candidates, self.values, self.resampled, by)


def measure(
    candidates: Mapping[str, Candidate],
    labels_N: np.ndarray,
    task: Task,
    *,
    scores: Sequence[str] = DEFAULT,
    resamples: int = RESAMPLES,
    most: int = MOST,
    seed: int = 0,
) -> Measured:
    """Score all candidates on the same rows, at most `most`, drawn class by class.

    The error of a score comes from random halves of the rows, drawn without replacement: their spread is the standard
    error on all rows (a jackknife that leaves out half, Shao & Wu 1989), and no row is there twice, as it would be in
    a bootstrap, where a probe's held-out rows would then be known from training. A score that does not read these
    labels, or needs what a candidate has not, is missing (NaN).
    """
    parts: list[Score] = [parse("scores", text) for text in scores]
    strata = task.strata(labels_N)
    strata = np.zeros(len(labels_N), np.int64) if strata is None else np.unique(strata, return_inverse=True)[1]
    rows = some(strata, most, numpy_generator(seed, "scored"))
    halves = [some(strata[rows], len(rows) // 2, numpy_generator(seed, "half", r)) for r in range(resamples)]
    drawn = [rows, *(rows[half] for half in halves)]
    found = np.full((len(drawn), len(candidates), len(parts)), np.nan)
    for r, taken in enumerate(drawn):
        for k, candidate in enumerate(candidates.values()):
            given = _given(candidate, taken, task, stream(seed, "score", r))
            for s, score in enumerate(parts):
                if kind_of(labels_N) in score.reads and score.needs <= given.keys():
                    needed = {name: given[name] for name in score.needs}
                    found[r, k, s] = score.score(candidate.features[taken], labels_N[taken], **needed)
    return Measured(candidates=tuple(candidates), scores=tuple(scores), values=found[0], resampled=found[1:])


def _given(candidate: Candidate, rows: np.ndarray, task: Task, seed: int) -> dict[str, Any]:
    """What scores may ask for by keyword."""
    given: dict[str, Any] = {"task": task, "seed": seed}
    if candidate.source_probabilities is not None:
        given["source_probabilities"] = candidate.source_probabilities[rows]
    return given
