"""Whose turn it is: recipes that take steps in the order of their promise, and none that cannot win any more."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from landbridge.core.domain import Pair
from landbridge.core.errors import LandbridgeError
from landbridge.engine.pace import Pace, available_mb, lengths_of, pace_of
from landbridge.engine.workshop import Workshop
from landbridge.evidence.intervals import Z
from landbridge.planning.candidates import ASKED, Candidate
from landbridge.planning.foretell import Foretold, Known, foretell
from landbridge.planning.labels_worth import ceiling

PLANNING = 0.05  # of the time left may go to rehearsals
CANNOT = "cannot win"  # how a trial ends that was not worth beginning


@dataclass
class Turns:
    """What is foretold of the candidates that take steps, by their recipes' names and sources."""

    metric: str = ""
    foretold: dict[str, Foretold] = field(default_factory=dict)
    memory: float = math.inf  # MB that are free

    def of(self, candidate: Candidate) -> Foretold | None:
        """What is foretold of a candidate."""
        return self.foretold.get(_key(candidate))

    def order(self, candidates: Sequence[Candidate], leader: float, error: float) -> list[Candidate]:
        """The most promising first, by expected improvement for each second; as they came where a time is unknown.

        What cannot win comes last.
        """
        able = [c for c in candidates if not self.excluded(c, leader, error)]
        unable = [c for c in candidates if c not in able]
        seen = [self.of(c) for c in able]
        if any(f is None or f.seconds is None for f in seen):
            return [*able, *unable]
        promise = {_key(c): f.promise(leader, error) for c, f in zip(able, seen, strict=True) if f is not None}
        return [*sorted(able, key=lambda c: -promise[_key(c)]), *unable]

    def excluded(self, candidate: Candidate, leader: float, error: float) -> str:
        """Why a candidate cannot win against a leader with such a score and standard error, or nothing.

        Its upper bound on the same rows must reach the leader's lower bound, and there must be room above the leader:
        of equals the simpler wins. A recipe that a person named is never excluded.
        """
        found = self.of(candidate)
        if found is None or candidate.reason == ASKED or not math.isfinite(leader):
            return ""
        if leader >= ceiling(self.metric) - 1e-12:
            return f"nothing can be better than {leader:.3f}"
        lower = leader - Z * error
        if found.upper() < lower:
            return f"at most {found.upper():.3f} is expected, the best has {leader:.3f} (at least {lower:.3f})"
        if found.peak_mb is not None and found.peak_mb > self.memory:
            return f"needs about {found.peak_mb:.0f} MB, {self.memory:.0f} MB are free"
        return ""


def look_ahead(
    workshop: Workshop, pairs: Sequence[Pair], candidates: Sequence[Candidate], known: Mapping[str, Known],
    leader: tuple[float, float], *, room: float,
) -> Turns:  # fmt: skip
    """Foretell every candidate whose source was probed; times only where rehearsals stay within `room` seconds.

    What cannot win against the leader's score and standard error is not rehearsed.
    """
    turns = Turns(metric=workshop.domain.task.metric, memory=available_mb(workshop.device))
    ends, timed = time.monotonic() + room, True
    for candidate in candidates:
        about = known.get(candidate.recipe.source)
        if about is None or candidate.reason == ASKED:
            continue
        key, recipe = _key(candidate), candidate.recipe
        turns.foretold[key] = foretell(recipe, about, None, None)
        if not timed or turns.excluded(candidate, *leader):
            continue
        try:
            found = _paced(workshop, pairs, candidate, ends - time.monotonic())
        except LandbridgeError:
            found = None  # it will fail again when its turn comes, and be told then
        timed = found is not None  # one that is unknown leaves the order as it is
        if found is not None:
            turns.foretold[key] = foretell(recipe, about, found[0], found[1] + about.seconds)
    return turns


def _paced(workshop: Workshop, pairs: Sequence[Pair], candidate: Candidate, room: float) -> tuple[Pace, float] | None:
    """A candidate's pace, and the seconds of its attempts on all pairs."""
    recipe, rows = candidate.recipe, np.sort(np.concatenate([pairs[0].train, pairs[0].validation]))
    pace = pace_of(workshop, recipe, rows, room=room)
    if pace is None:
        return None
    road = workshop.road(recipe.source, recipe.bridge, rows)
    each = (
        pace.seconds(recipe, lengths_of(road, p.train), lengths_of(road, p.validation), len(p.train)) for p in pairs
    )
    return pace, sum(each)


def _key(candidate: Candidate) -> str:
    return f"{candidate.recipe.source}|{candidate.recipe.name}"
