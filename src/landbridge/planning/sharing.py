"""How time is shared between the comparison, the scratch control, what judges the best of each, and the report."""

from __future__ import annotations

from collections.abc import Sequence

CLOSING = (10.0, 0.06)  # seconds and share of the budget kept for report, artifact and the proof that it reloads
OPENING = (4.0, 20.0)  # seconds of the proof beside the opening of libraries and sources, and the most counted for that
JUDGING = 0.3  # share of a fold's time kept for the scratch control, the refits and the test
SCRATCH = 0.35  # share of what is left after the comparison that the scratch control may take
UNREFITTED = 0.2  # the share that is kept instead where rows are many and nothing is refitted
LEAST_SCRATCH = 40.0  # seconds that the scratch control may take however quick transfer was
AMPLE = 300.0  # seconds up to which it may take as long as all of transfer
LONGER = 1.25  # times the longest trial of transfer that it may take beyond
TESTING = 40.0  # seconds that are then enough for the test; the scratch control may take the others


def closing(seconds: float, opening: float = 0.0) -> float:
    """Seconds of a budget that come after the last prediction; the proof opens again what took `opening` seconds."""
    return max(CLOSING[0], OPENING[0] + min(opening, OPENING[1])) + CLOSING[1] * seconds


def kept(share: float, again: bool) -> float:
    """Seconds of a fold's share that are kept for scratch control, refits and test; `again` where all are refitted."""
    most = JUDGING * share
    return most if again else max(UNREFITTED * share, min(most, 2 * TESTING))


def for_scratch(left: float, again: bool) -> float:
    """Seconds of what is left after the comparison that the scratch control may take."""
    return SCRATCH * left if again else left - min((1 - SCRATCH) * left, TESTING)


def fair_to_scratch(trials: Sequence[float], saved: float) -> float:
    """Seconds that the scratch control may take after transfer's trials took theirs; `saved` is what a cache spared.

    As long as all of transfer while that is little; where it is much, longer than any one recipe of it had.
    """
    spent, longest = sum(trials) + saved, max(trials, default=0.0) + saved
    return max(LEAST_SCRATCH, min(spent, max(AMPLE, LONGER * longest)))


def for_trials(seconds: float, again: bool) -> float:
    """Seconds of a budget of one fold that the comparison may take."""
    share = seconds - closing(seconds)
    return share - kept(share, again)
