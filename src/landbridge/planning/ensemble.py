"""The ensemble: what validation cannot tell apart is averaged, answer by answer, and not drawn by lot.

On a few hundred rows several recipes lie within the doubt about them, among them at times the rival, and the best score
is partly luck. The mean of their answers (Dietterich 2000, Ensemble Methods in Machine Learning) costs no training that
was not paid for. Members are those that the belief about them (`belief.py`) puts next to the leader, the best of each
kind, each counted once. By hand, on training rows of 32 cells of pictures, sounds, series, texts and tables, the leader
alone had 0.755 on the mean and these 0.765; greedy picks by the validation score (Caruana et al. 2004, Ensemble
selection from libraries of models) had 0.762, all heads on the same features and the rival 0.765.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landbridge.core import codec
from landbridge.core.contracts import Task
from landbridge.core.finding import Trial
from landbridge.core.recipe import Recipe
from landbridge.engine.attempt import Attempt
from landbridge.engine.ensemble import Ensemble, centres, mean_of, spread_of
from landbridge.planning.candidates import ANSWERS, ASKED, Candidate
from landbridge.planning.neighbours import moving
from landbridge.planning.soup import REFITS
from landbridge.planning.standing import Standing

if TYPE_CHECKING:
    from landbridge.planning.search import Search

MOST = 4  # members: what answers costs as much as all of them
NEAR = 2.0  # standard deviations by which a member may lie behind the leader, in belief and on validation rows
TASKS = ("classify", "regress")  # whose outputs can be brought to one scale


def ensemble(search: Search, room: Callable[[], float], *, rows: int = 0, kept: float = 0.0) -> Standing | None:
    """The mean of what lies next to the leader; None where that is one alone, or where time does not allow refits.

    `room()` seconds are left, and `kept` beside them for what comes later; `rows` are those on which members will be
    trained again, 0 where they will not.
    """
    members = list[Standing]()
    for one in _near(search):
        wider = [*members, one]
        if sum(s.seconds_on(rows) for s in wider) <= REFITS * (room() + kept):
            members = wider
    carries = [s for s in members if s.candidate.role == "candidate"]
    if len(members) < 2 or not carries:
        return None
    ordered = [*carries, *(s for s in members if s not in carries)]  # who stands for all carries a source's knowledge
    shared = sorted(set.intersection(*(set(s.attempts) for s in ordered)))
    domain, pairs = search.workshop.domain, ordered[0].pairs
    spreads = spreads_of(ordered, domain.task)
    attempts = {
        p: averaged([s.attempts[p] for s in ordered], spreads, domain.task, domain.targets[pairs[p].validation])
        for p in shared
    }
    first, others = ordered[0].candidate, tuple(s.candidate for s in ordered[1:])
    reason = f"the mean of the answers of {len(ordered)} that validation cannot tell apart"
    called = f"mean of {'; '.join(s.candidate.name for s in ordered)}"
    candidate = Candidate(recipe=first.recipe, reason=reason, called=called, members=(first, *others), mean=ANSWERS)
    return Standing(candidate, pairs, attempts, members=tuple(ordered))


def _near(search: Search) -> list[Standing]:
    """What may be averaged, the most believed first: none further from the leader than the doubt about either, nor, on
    the validation rows of both, than the error of the difference."""
    plain = search.plain()
    able = [s for s in search.standings if plain is not None and _can_be_averaged(s, plain)]
    if plain is None or not able or search.workshop.domain.task.part_name not in TASKS:
        return []
    believed = {id(s): search.belief(s, plain) for s in able}
    able.sort(key=lambda s: -believed[id(s)].mean)
    top, best = believed[id(able[0])], dict[tuple[object, ...], Standing]()
    for one in able:
        found, (lead, error) = believed[id(one)], search.gap(able[0], one)
        if top.mean - found.mean <= NEAR * max(top.spread, found.spread) and lead <= NEAR * max(
            error, _half_a_row(one)
        ):
            best.setdefault(_kind(one.candidate.recipe), one)
    return list(best.values())[:MOST]


def _half_a_row(standing: Standing) -> float:
    """The least error of a difference: on few rows two may answer all alike and yet not be equal."""
    return 0.5 / len(np.unique(standing.validation))


def _kind(recipe: Recipe) -> tuple[object, ...]:
    """Heads on the same features make much the same mistakes, and so do tunings that set out from them."""
    return recipe.source, codec.text(recipe.bridge), moving(recipe) is not None


def _can_be_averaged(standing: Standing, plain: Standing) -> bool:
    """Whether it came to a result on half at least of the pairs that the plain probe was validated on, is no mean, and
    was not named by a person: what was named is delivered as it stands, and never a part of something else."""
    candidate, trial = standing.candidate, standing.trial
    shared = len(set(standing.attempts) & set(plain.attempts))
    done = trial is not None and trial.status == "done" and 2 * shared >= len(plain.attempts)
    proposed = candidate.role in ("candidate", "rival") and candidate.reason != ASKED and not candidate.members
    return done and proposed and standing.pairs is plain.pairs


def averaged(parts: Sequence[Attempt], spreads: Sequence[float], task: Task, target: np.ndarray) -> Attempt:
    """The mean of the answers of attempts on the same rows, judged on their validation rows, whose targets are given;
    without a predictor where a part has none."""
    output = mean_of([p.output for p in parts], spreads, centred=centres(task))
    first, trials = parts[0].trial, [p.trial for p in parts]
    trial = Trial(name=first.name, recipe=first.recipe, status="done", seed=first.seed)
    if len(target):
        trial.validation = task.score(output, target)
    trial.seconds, trial.peak_mb = sum(t.seconds for t in trials), max(t.peak_mb for t in trials)
    trial.trainable, trial.total = sum(t.trainable for t in trials), sum(t.total for t in trials)
    members = [p.predictor for p in parts if p.predictor is not None]
    whole = len(members) == len(parts)
    predictor = Ensemble(members, spreads, centred=centres(task)) if whole else None
    return Attempt(trial=trial, predictor=predictor, output=output)


def spreads_of(members: Sequence[Standing], task: Task) -> list[float]:
    """Each member's spread over all rows that it was validated on."""
    return [spread_of(np.concatenate([a.output for a in m.attempts.values()]), task) for m in members]
