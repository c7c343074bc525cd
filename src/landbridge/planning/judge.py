"""Open the test set once: refit the best recipe and the controls on all other rows and look at the same test rows."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from landbridge.core.contracts import Predictor
from landbridge.core.domain import Domain, Fold, Pair
from landbridge.core.errors import OutOfTimeError
from landbridge.core.finding import Judgement
from landbridge.core.progress import Tick
from landbridge.core.recipe import Recipe
from landbridge.core.seeds import numpy_generator, stream
from landbridge.engine.attempt import LATE, Attempt, Order, attempt
from landbridge.engine.blend import blend
from landbridge.engine.ensemble import Ensemble
from landbridge.engine.precision import pick_precision
from landbridge.engine.predictor import first_model
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import ANSWERS
from landbridge.planning.ensemble import averaged, spreads_of
from landbridge.planning.search import Search, refits
from landbridge.planning.standing import Standing

TRANSFER = "transfer"
SAMPLE = 64  # test rows on which the time of the others is foretold
HASTE = 0.5  # share of the time left that the test of one role may take
LEAST_TEST = 200  # test rows that are predicted however late it is
SPARE = 0.4  # share of the time left that refitting the scratch control may take
MANY = 1_000  # test rows from which bfloat16 is used where the machine gains by it
LEAST_GROWTH = 1.02  # a refit must bring at least this many times the rows
FAR = 3.0  # errors by which a scratch control is so far behind that more rows would change no verdict


@dataclass
class Opened:
    """What one fold's test rows showed: outputs by role (transfer, trivial, rival, scratch), and who was chosen."""

    fold: Fold
    winners: Mapping[str, Standing]
    finals: dict[str, Attempt]
    outputs: dict[str, np.ndarray]
    chosen: str
    validation_rows: np.ndarray
    validation_output: np.ndarray
    standings: Sequence[Standing] = ()
    refitted: dict[str, bool] = field(default_factory=dict)


def winners(search: Search) -> dict[str, Standing]:
    """The best standing of each role."""
    found: dict[str, Standing] = {}
    for role in ("trivial", "rival", "candidate", "scratch"):  # of equals the simpler wins
        best = search.settle([s for s in search.standings if s.candidate.role == role])
        if best is not None:
            found[TRANSFER if role == "candidate" else role] = best
    return found


def open_test(search: Search, reserve: float) -> Opened:
    """Refit each role's winner on all rows that are not test and predict the test rows.

    Which of them is chosen was decided on validation before. A refit that the time left does not allow is replaced
    by the model of the trial, which saw the training part only; so is that of a scratch control out of all reach.
    """
    workshop, fold = search.workshop, search.fold
    best = winners(search)
    leader = search.settle(list(best.values()))
    assert leader is not None
    chosen = next(role for role, s in best.items() if s is leader)
    finals: dict[str, Attempt] = {}
    refitted: dict[str, bool] = {}
    outputs: dict[str, np.ndarray] = {}
    test = fold.test
    order = sorted(best, key=lambda role: (role != TRANSFER, best[role].seconds))
    for role in order:
        workshop.progress(Tick(stage="judge", done=len(finals) / len(best), detail=best[role].candidate.name))
        others = [best[r].seconds for r in order if r not in finals and r != role and _lacks_model(best[r])]
        room = 0.0 if _out_of_reach(search, best, role) else search.budget.left - reserve - sum(others)
        member = _member(best, finals, role) if refitted.get(TRANSFER) else None
        made = (member, True) if member is not None else refit(workshop, best[role], fold, search.seed, room)
        finals[role], refitted[role] = made
        predictor = finals[role].predictor
        assert predictor is not None
        room = search.budget.left - reserve - sum(others)
        if not outputs:
            test = _affordable(workshop, predictor, test, room, search.seed)
        outputs[role] = _predicted(workshop, predictor, test)
    validation = np.concatenate([a.output for a in leader.attempts.values()])
    _release(search.standings, finals)
    return Opened(
        fold=replace(fold, test=test),
        winners=best,
        finals=finals,
        outputs=outputs,
        chosen=chosen,
        validation_rows=leader.validation,
        validation_output=validation,
        standings=tuple(search.standings),
        refitted=refitted,
    )


def _member(best: Mapping[str, Standing], finals: Mapping[str, Attempt], role: str) -> Attempt | None:
    """The role's best where an ensemble that was trained again holds it already, as it may the rival."""
    whole = finals[TRANSFER].predictor
    place = next((n for n, m in enumerate(best[TRANSFER].members) if m is best[role]), None)
    if place is None or not isinstance(whole, Ensemble):
        return None
    return replace(next(iter(best[role].attempts.values())), predictor=whole.members[place])


def _out_of_reach(search: Search, best: Mapping[str, Standing], role: str) -> bool:
    """Whether a scratch control is so far behind both transfer and the rival on validation rows that no refit matters:
    the verdict is told against the rival then."""
    if role != "scratch" or not {TRANSFER, "rival"} <= set(best):
        return False
    gaps = [search.gap(best[other], best[role]) for other in (TRANSFER, "rival")]
    return all(lead > FAR * max(error, 1e-9) for lead, error in gaps)


def _release(standings: Sequence[Standing], finals: Mapping[str, Attempt]) -> None:
    """Let go of the models that nobody needs once the test was opened: all but the finals'."""
    kept = [id(a) for a in finals.values()]
    for made in (a for s in standings for a in s.attempts.values()):
        made.predictor = made.predictor if id(made) in kept else None


def refit(workshop: Workshop, standing: Standing, fold: Fold, seed: int, room: float) -> tuple[Attempt, bool]:
    """The standing's recipe trained on all rows that are not test, for the length that was best on validation.

    `room` seconds allow it or not; without room, or where the time ended amid the schedule, the trial's own model is
    returned, and False.
    """
    rest = fold.rest
    first = min(standing.attempts)
    trial = standing.attempts[first]
    if standing.candidate.role == "scratch":
        room = SPARE * room
    growth = len(rest) / max(1, len(standing.pairs[first].train))
    again = refits(fold) or not (standing.lengths or standing.members)
    if trial.predictor is not None and (standing.seconds_on(len(rest)) > room or growth < LEAST_GROWTH or not again):
        return trial, False
    own = None if trial.predictor is None else trial
    return whole_or(own, workshop, standing, rest, seed, max(1.0, room))


def whole_or(
    own: Attempt | None, workshop: Workshop, standing: Standing, rows: np.ndarray, seed: int, room: float
) -> tuple[Attempt, bool]:
    """The standing's recipe trained on `rows`, and True; where `room` seconds were too few for that, `own` and False.

    Without `own` what was reached is returned, or OutOfTimeError raised where that is nothing.
    """
    try:
        made = _trained(workshop, standing, rows, seed, room)
    except OutOfTimeError:
        if own is None:
            raise
        return own, False
    return (own, False) if own is not None and made.trial.reason == LATE else (made, True)


def _trained(workshop: Workshop, standing: Standing, rows: np.ndarray, seed: int, room: float) -> Attempt:
    """The standing's recipe trained on `rows`; of a mean each member, and the mean of their weights or answers."""
    if not standing.members:
        recipe, lengths, shares = standing.candidate.recipe, standing.lengths, standing.shares
        return final_fit(workshop, recipe, rows, lengths, seed, room, shares=shares)
    ends, parts = time.monotonic() + room, list[Attempt]()
    for member in standing.members:
        parts.append(_trained(workshop, member, rows, seed, max(1.0, ends - time.monotonic())))
        if parts[-1].trial.reason == LATE:
            raise OutOfTimeError("no time for the refits of all members", len(parts) / len(standing.members))
    if standing.candidate.mean == ANSWERS:
        task = workshop.domain.task
        return averaged(parts, spreads_of(standing.members, task), task, workshop.domain.targets[:0])
    return blend(workshop, parts, Pair(train=rows, validation=rows[:0]), ends=ends)


def steadiest(opened: Sequence[Opened], role: str) -> Opened:
    """The first fold with the recipe that did best for a role: of those that won a fold, the one with the highest mean
    validation score over folds; one that came to a result in more folds goes first, as folds differ."""

    def mean(fold: Opened) -> tuple[int, float]:
        recipe = fold.winners[role].candidate.recipe
        tried = [s for o in opened for s in o.standings if s.candidate.recipe == recipe and s.attempts]
        return len(tried), float(np.mean([s.score for s in tried]))

    return max((o for o in opened if role in o.winners), key=mean)


def final_fit(
    workshop: Workshop,
    recipe: Recipe,
    rows: np.ndarray,
    lengths: Sequence[tuple[int, int]],
    seed: int,
    room: float = math.inf,
    *,
    shares: Sequence[float] = (),
) -> Attempt:
    """Train a recipe on `rows` without looking at a validation score, for known lengths and shares of the end."""
    order = Order(
        recipe=recipe,
        train=rows,
        validation=rows[:0],
        seed=stream(seed, "final") % 2**31,
        seconds=room,
        lengths=tuple(lengths),
        shares=tuple(shares),
    )
    return attempt(workshop, order)


def pool(domain: Domain, opened: Sequence[Opened], seed: int) -> tuple[Judgement, dict[str, np.ndarray]]:
    """One judgement over all folds; `controls` hold every role that is not the chosen one, also `transfer`."""
    rows = np.concatenate([o.fold.test for o in opened])
    roles = [r for r in opened[0].outputs if all(r in o.outputs for o in opened)]
    by_role = {r: np.concatenate([o.outputs[r] for o in opened]) for r in roles}
    chosen = np.concatenate([o.outputs[o.chosen] for o in opened])
    validation = np.concatenate([o.validation_rows for o in opened])
    judgement = Judgement(
        task=domain.task,
        rows=rows,
        target=domain.targets[rows],
        output=chosen,
        controls={r: by_role[r] for r in roles if r != TRANSFER},
        validation_target=domain.targets[validation],
        validation_output=np.concatenate([o.validation_output for o in opened]),
        groups=None if domain.groups is None else domain.groups[rows],
        slices={name: values[rows] for name, values in domain.slices.items()},
        labels=[domain.labels[int(r)] for r in rows] if len(domain.labels) else [f"row {r}" for r in rows],
        seed=seed,
    )
    return judgement, by_role


def seen_as(domain: Domain, judgement: Judgement, opened: Sequence[Opened], role: str) -> Judgement:
    """The judgement of one role: its outputs on the test rows, and its own on validation rows for calibration."""
    standings = [o.winners[role] for o in opened]
    rows = np.concatenate([s.validation for s in standings])
    return replace(
        judgement,
        output=np.concatenate([o.outputs[role] for o in opened]),
        validation_target=domain.targets[rows],
        validation_output=np.concatenate([a.output for s in standings for a in s.attempts.values()]),
    )


def _affordable(workshop: Workshop, predictor: Predictor, rows: np.ndarray, room: float, seed: int) -> np.ndarray:
    """All test rows, or as many at random as there is time to predict; the same ones then judge every role."""
    sample = rows[:SAMPLE]
    began = time.monotonic()
    _predicted(workshop, predictor, sample, len(rows))
    each = (time.monotonic() - began) / max(1, len(sample))
    count = int(HASTE * max(0.0, room) / max(each, 1e-9)) if math.isfinite(room) else len(rows)
    if count >= len(rows):
        return rows
    return np.sort(numpy_generator(seed, "test sample").permutation(rows)[: max(LEAST_TEST, count)])


def _predicted(workshop: Workshop, predictor: Predictor, rows: np.ndarray, many: int | None = None) -> np.ndarray:
    """Outputs on the test rows; of many in bfloat16, from which the artifact's float32 differs by rounding."""
    if (many or len(rows)) > MANY and first_model(predictor) is not None:
        with pick_precision(workshop.device).autocast():
            return predictor.predict(workshop.domain.examples(rows))
    return predictor.predict(workshop.domain.examples(rows))


def _lacks_model(standing: Standing) -> bool:
    return all(a.predictor is None for a in standing.attempts.values())
