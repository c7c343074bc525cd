"""The greedy soup: models that were trained from one start are averaged, each only if validation gets no worse by it.

Wortsman et al. 2022, Model soups, arXiv:2203.05482, recipe 1. It costs a pass over the validation rows for each model
that is tried, and an answer costs what one model's does. It departs from the paper in four ways. Where a fold has
several pairs there is one list of members for all: the models of each pair are averaged by themselves, and the mean
score over pairs decides. Members may differ in which weights moved, as those that did not are the source's own. Where
the winner is trained again on more rows, a member must leave time for the refits of all. A few models are tried, not
dozens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from landbridge.core import codec
from landbridge.core.errors import OutOfTimeError
from landbridge.core.recipe import LENGTH, Recipe
from landbridge.engine.attempt import Attempt
from landbridge.engine.blend import blend, plain_model
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import ASKED, Candidate
from landbridge.planning.neighbours import AXES, moving, shown
from landbridge.planning.standing import Standing

MOST = 8  # models that are tried, the best first
REFITS = 0.4  # of the time left and kept for later that refits of members may take: scratch and test need the rest


def can_be_averaged(standing: Standing) -> bool:
    """Whether a standing's models were trained whole by steps in the recipe's last stage, are at hand, and are plain.

    What a person named is delivered as it stands, and never a part of something else.
    """
    candidate = standing.candidate
    whole = standing.trial is not None and standing.trial.status == "done"
    if not whole or candidate.role != "candidate" or candidate.reason == ASKED or candidate.members:
        return False
    last = moving(candidate.recipe) == len(candidate.recipe.stages) - 1
    return last and all(plain_model(a) is not None for a in standing.attempts.values())


def alike(standings: Sequence[Standing], best: Standing, pairs: Sequence[int]) -> list[Standing]:
    """Of those that can be averaged, the ones that start as the best does and ran on these pairs, the best first."""
    found = [
        s
        for s in standings
        if can_be_averaged(s) and _start(s.candidate.recipe) == _start(best.candidate.recipe)
        and s.pairs is best.pairs and set(pairs) <= set(s.attempts)
    ]  # fmt: skip
    return sorted(found, key=lambda s: -s.over(set(pairs)))


def _start(recipe: Recipe) -> tuple[object, ...]:
    """What decides the weights from which the last stage sets out: the same rows and seed come beside it."""
    return recipe.source, codec.text(recipe.bridge), recipe.stages[:-1]


def greedy_soup(
    workshop: Workshop, pool: Sequence[Standing], pairs: Sequence[int], room: Callable[[], float], *, rows: int = 0,
    kept: float = 0.0,
) -> Standing | None:  # fmt: skip
    """The average that recipe 1 of the paper comes to over a sorted pool; None where nothing joins the first.

    `room()` seconds are left, and `kept` beside them for what comes later. `rows` are those on which the winner will be
    trained again, 0 where it will not. Only the first pair's model is kept, which stands in for a refit that fails.
    """
    members, score, attempts, look = [pool[0]], pool[0].over(set(pairs)), dict[int, Attempt](), 0.0
    for one in pool[1:MOST]:
        wider = [*members, one]
        if look > room():
            break
        if sum(s.seconds_on(rows) for s in wider) > REFITS * (room() + kept):
            continue
        began = time.monotonic()
        try:
            made = {p: _look(workshop, wider, p, began + room(), keep=p == pairs[0]) for p in pairs}
        except OutOfTimeError:
            break
        look = time.monotonic() - began
        found = float(np.mean([a.trial.validation for a in made.values() if a.trial.validation is not None]))
        if found >= score:
            members, score, attempts = wider, found, made
    return _standing(members, attempts, pool) if attempts else None


def _look(workshop: Workshop, members: Sequence[Standing], pair: int, ends: float, *, keep: bool) -> Attempt:
    made = blend(workshop, [m.attempts[pair] for m in members], members[0].pairs[pair], ends=ends)
    made.predictor = made.predictor if keep else None
    return made


def _standing(members: Sequence[Standing], attempts: dict[int, Attempt], pool: Sequence[Standing]) -> Standing:
    first, others = members[0].candidate, [m.candidate for m in members[1:]]
    alone = members[0].over(set(attempts))
    names = [first.name, *(_apart(first.recipe, c.recipe) for c in others)]
    reason = (
        f"the mean of the weights of {len(members)} of {min(MOST, len(pool))} models that were trained from one start; "
        f"the best of them alone has {alone:.3f}"
    )
    candidate = Candidate(
        recipe=first.recipe, reason=reason, called=f"soup of {'; '.join(names)}", members=(first, *others)
    )
    return Standing(candidate, members[0].pairs, attempts, members=tuple(members))


def _apart(first: Recipe, other: Recipe) -> str:
    """What sets a recipe's last stage apart from the first's."""
    one, two, called = first.stages[-1], other.stages[-1], {a.field: a.called for a in AXES}
    told = [codec.text(two.tuning)] if one.tuning != two.tuning else []
    told += ["+".join(codec.text(o) for o in two.objectives)] if one.objectives != two.objectives else []
    for name in LENGTH:
        if getattr(one, name) != getattr(two, name):
            told.append(f"{called.get(name, name)} {shown(getattr(two, name))}")
    return ", ".join(told)
