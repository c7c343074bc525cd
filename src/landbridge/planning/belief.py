"""Which recipe to trust: what validation shows of each and what was known of its kind before, each by its precision.

On a few validation rows the best score is a matter of luck, and a recipe that has rarely been the better one needs
more than luck. A difference to the plain probe is normal around the truth with the error of the paired rows, and the
truth around what the table of priors expects (DeGroot 1970, section 9.5). As rows grow, the evidence decides alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from landbridge.core.recipe import Recipe
from landbridge.planning.foretell import Known, gain_of
from landbridge.planning.prior import expected_of_control, expected_of_mean


@dataclass(frozen=True)
class Belief:
    """The difference to the plain probe in the metric's unit, and its standard deviation."""

    mean: float
    spread: float


def prior_of(recipe: Recipe, role: str, known: Known) -> Belief:
    """What is believed before any validation; `known` is of the plain probe."""
    if role == "candidate":
        share, doubt = gain_of(recipe, known)
    else:
        share, doubt = expected_of_control(role, crossing=known.crossing)
    room = _room(known)
    return Belief(share * room, doubt * room)


def prior_of_mean(members: Sequence[Belief], known: Known) -> Belief:
    """What is believed of the mean of answers before it was looked at: as much as of the most believed member, and a
    share of the error besides, as some of their mistakes are not the same."""
    (share, doubt), room = expected_of_mean(), _room(known)
    return Belief(max(m.mean for m in members) + share * room, doubt * room)


def _room(known: Known) -> float:
    """The error that the plain probe leaves. One that makes few mistakes on few rows may make more on others; of none
    at all no error can be told but the next row's by the rule of succession (Laplace 1774)."""
    return known.room + max(known.error, 1 / (known.rows + 2))


def updated(prior: Belief, lead: float, error: float) -> Belief:
    """The belief after a lead was seen with such a standard error."""
    evidence, before = 1 / max(error, 1e-9) ** 2, 1 / max(prior.spread, 1e-9) ** 2
    mean = (evidence * lead + before * prior.mean) / (evidence + before)
    return Belief(mean, (evidence + before) ** -0.5)
