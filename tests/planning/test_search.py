"""The search within its time; the choice on validation; the test opened once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core import codec
from landbridge.core.clock import Budget
from landbridge.core.domain import Domain, Fold, Pair
from landbridge.core.errors import OutOfTimeError
from landbridge.core.finding import Trial
from landbridge.core.progress import Tick
from landbridge.engine.attempt import Attempt
from landbridge.engine.journal import Journal, key_of, state_folder
from landbridge.engine.workshop import Workshop
from landbridge.planning.belief import Belief, prior_of, updated
from landbridge.planning.candidates import ASKED, Candidate, controls, rival, single
from landbridge.planning.judge import TRANSFER, open_test, pool, refit, seen_as, steadiest, winners
from landbridge.planning.search import EARNED, LEAST_STEPS, Search
from landbridge.planning.sharing import LEAST_SCRATCH, fair_to_scratch, for_scratch
from landbridge.planning.sharing import kept as kept_of
from landbridge.planning.shrunk import shrunk
from landbridge.planning.standing import Standing
from landbridge.road import _final, _verdict
from landbridge.testing import toy_domain

NATIVE = codec.parse("bridges", "native")


class Clock:
    """Seconds that pass only when an attempt begins."""

    def __init__(self, step: float) -> None:
        self.time, self.step, self.began = 0.0, step, 0

    def __call__(self, tick: Tick) -> None:
        """Progress: an attempt of its own takes `step` seconds."""
        if tick.stage == "compare" and tick.done == 0.0:
            self.time += self.step
            self.began += 1


def two_pairs(domain: Domain) -> Domain:
    """The same test rows, the rest divided in two ways."""
    fold = domain.folds[0]
    rest = fold.rest
    pairs = (fold.pairs[0], Pair(train=rest[len(rest) // 3 :], validation=rest[: len(rest) // 3]))
    return domain.with_folds(Fold(test=fold.test, pairs=pairs))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Search]:
    """A search over toy texts."""

    def build(domain: Domain | None = None, seconds: float | None = None, step: float = 0.0) -> Search:
        clock = Clock(step)
        chosen = domain if domain is not None else toy_domain("text", rows=40)
        workshop = Workshop(chosen, device=torch.device("cpu"), folder=tmp_path / "work", progress=clock)
        budget = Budget(seconds=seconds, now=lambda: clock.time, began=0.0)
        return Search(workshop, chosen.folds[0], 0, budget, Journal(tmp_path / "journal"), 0)

    return build


def candidates(encoder: str) -> list[Candidate]:
    """Two probes and a short tuning."""
    recipes = [single(encoder, NATIVE, "probe"), single(encoder, NATIVE, "probe(head='ridge')"),
               single(encoder, NATIVE, "probe", "full", epochs=1)]  # fmt: skip
    return [Candidate(recipe=r, reason=ASKED) for r in recipes]


def standing(search: Search, role: str, scores: dict[int, float], seconds: float = 1.0) -> Standing:
    """A standing with made-up results."""
    recipe = rival("trivial")
    made = Standing(Candidate(recipe=recipe, reason="", role=role), search.fold.pairs)
    for pair, score in scores.items():
        rows = search.fold.pairs[pair].validation
        trial = Trial(name=role, recipe={}, validation=score, seconds=seconds)
        made.attempts[pair] = Attempt(trial=trial, predictor=None, output=np.zeros((len(rows), 2), np.float32))
    return made


def test_without_a_limit_everything_is_tried_on_every_pair(make: Callable[..., Search], encoder: str) -> None:
    search = make(two_pairs(toy_domain("text", rows=40)))
    found = search.run(candidates(encoder), controls(search.workshop.domain), 0.0)
    by_name = {s.candidate.recipe.name: s for s in found}
    assert {s.trial.status for s in found} <= {"done", "eliminated"}
    assert all(set(s.attempts) == {0, 1} for s in found)
    probe = by_name[f"probe on transformers:{Path(encoder).name}"] if len(encoder) >= 48 else found[2]
    scores = [a.trial.validation for a in probe.attempts.values()]
    assert probe.trial.validation == pytest.approx(np.mean(scores))
    assert probe.trial.interval == (min(scores), max(scores))


@pytest.mark.parametrize(("seconds", "started"), [(1000.0, 5), (9.0, 4), (0.5, 3), (-20.0, 3)])
def test_the_search_keeps_to_its_clock_and_allots_no_negative_time(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch, seconds: float, started: int
) -> None:
    search = make(seconds=seconds, step=2.0)
    allotted: list[float] = []
    real = Search._attempt
    monkeypatch.setattr(
        Search, "_attempt", lambda self, s, pair, left, *least: (allotted.append(left), real(self, s, pair, left))[1]
    )
    found = search.run(candidates(encoder), controls(search.workshop.domain), 1.0)
    assert all(left >= 0.0 for left in allotted)
    assert search.workshop.progress.began <= started and search.transfer()
    late = [s.trial for s in found if not s.attempts]
    assert all(t.status == "out of time" and t.validation is None for t in late)
    assert len(found) == 5


@pytest.mark.parametrize(
    ("left", "ran"),  # seconds there are, and those that attempts take whose whole schedule asks for 30
    [(1000.0, [30, 30]), (100.0, [30, 30]), (75.0, [30]), (61.0, [30]), (40.0, [20])],
)
def test_whole_schedules_on_fewer_pairs_go_before_parts_of_them(
    make: Callable[..., Search], encoder: str, left: float, ran: list[float]
) -> None:
    search = make(two_pairs(toy_domain("text", rows=40)), seconds=left)
    took = list[float]()

    def attempt(made: Standing, pair: int, seconds: float, least: int) -> Attempt:
        took.append(min(30.0, seconds))
        search.workshop.progress.time += took[-1]
        return standing(search, "candidate", {pair: 0.5}, seconds=took[-1]).attempts[pair]

    search._attempt = attempt
    search._runoff = lambda room: None
    search.run([Candidate(recipe=single(encoder, NATIVE, "full", epochs=3), reason=ASKED)], [], 0.0)
    assert took == pytest.approx(ran, abs=0.1)
    assert left - sum(took) >= took[0] - 0.1  # for the refit


def test_without_a_limit_and_without_a_refit_nothing_is_kept_for_one(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landbridge.planning.search.refits", lambda fold: False)
    search, kept = make(two_pairs(toy_domain("text", rows=40))), list[float]()
    search._try = lambda candidate, **given: (kept.append(given["again"]), standing(search, "candidate", {0: 0.5}))[1]
    search.run([Candidate(recipe=single(encoder, NATIVE, "full", epochs=3), reason=ASKED)], [], 0.0)
    assert kept == [0.0]  # no share of no limit


def test_a_failure_is_recorded_and_the_rest_goes_on(make: Callable[..., Search], encoder: str) -> None:
    bad = Candidate(recipe=single(encoder, NATIVE, "probe", "lora(targets='nowhere')"), reason=ASKED)
    search = make()
    search.run([bad, candidates(encoder)[0]], [], 0.0)
    failed = next(s for s in search.standings if "nowhere" in s.candidate.recipe.name)
    assert failed.trial.status == "failed" and "match no layer" in failed.trial.reason
    assert len(search.transfer()) == 1


def test_an_interrupted_search_finds_its_attempts_again(make: Callable[..., Search], encoder: str) -> None:
    first, second = make(), make()
    first.run(candidates(encoder)[:1], controls(first.workshop.domain), 0.0)
    second.run(candidates(encoder)[:1], controls(second.workshop.domain), 0.0)
    assert second.workshop.progress.began == 0 and second.journal.taken == 3
    for one, two in zip(first.standings, second.standings, strict=True):
        assert one.score == two.score and all(a.predictor is None for a in two.attempts.values())
    opened = open_test(second, 0.0)  # weights are trained again
    assert set(opened.outputs) == {TRANSFER, "trivial", "rival"}


def test_the_key_changes_with_all_that_decides_an_attempt() -> None:
    recipe, data, other = rival("trivial"), toy_domain("text").fingerprint, toy_domain("text", rows=52).fingerprint
    keys = [key_of(recipe, 0, 0, 1, data), key_of(rival("tfidf"), 0, 0, 1, data), key_of(recipe, 1, 0, 1, data),
            key_of(recipe, 0, 1, 1, data), key_of(recipe, 0, 0, 2, data), key_of(recipe, 0, 0, 1, other)]  # fmt: skip
    assert len(set(keys)) == 6 and keys[0] == key_of(rival("trivial"), 0, 0, 1, toy_domain("text").fingerprint)
    assert state_folder(Path("a/out")) == Path("a/.out.state")


def test_what_an_even_share_is_too_little_for_takes_all_that_is_left_the_most_promising_first(
    make: Callable[..., Search], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: of 100 s three recipes and a refit get 25 s each, where one needs 30 s and as much for its refit; then
    one gets half of 100 s, one half of 70 s, and half of 40 s is too little again."""
    search, begun = make(seconds=100.0), list[tuple[str, float]]()
    ways = {"lora": "supervised", "partial(blocks=1)": "supervised", "full": "contrastive"}
    slow = [Candidate(recipe=single("embedded:minilm", NATIVE, t, objective=o), reason="") for t, o in ways.items()]
    probe = Candidate(recipe=single("embedded:minilm", NATIVE, "probe"), reason="")

    def attempted(found: Standing, pair: int, seconds: float, least: int = 0) -> Attempt:
        if found.candidate is not probe:
            assert least == LEAST_STEPS
            if seconds < 30.0:
                raise OutOfTimeError("3 of 20 epochs fit", 0.15)
            begun.append((found.candidate.name, seconds))
            search.workshop.progress.time += 30.0
        return standing(search, "candidate", {0: 0.6}).attempts[0]

    monkeypatch.setattr(search, "_attempt", attempted)
    search.climbs = search.soups = search.ensembles = False
    search.run([probe, *slow], [], 0.0)
    assert begun == [(slow[2].name, 50.0), (slow[1].name, 35.0)]
    told = {s.candidate.name: s.trial.status for s in search.standings if s.trial is not None}
    assert told == {c.name: "done" for c in (probe, *slow[1:])} | {slow[0].name: "out of time"}


def test_the_choice_is_made_over_pairs_that_all_share_and_among_equals_is_the_first(
    make: Callable[..., Search],
) -> None:
    search = make(two_pairs(toy_domain("text", rows=40)))
    lucky = standing(search, "candidate", {0: 0.6, 1: 1.0})
    rival_ = standing(search, "rival", {0: 0.7})
    assert lucky.score == 0.8 and Search.best([lucky, rival_]) is rival_
    cheap = standing(search, "candidate", {0: 0.7}, seconds=0.1)
    assert Search.best([rival_, cheap, lucky]) is rival_ and Search.best([cheap, rival_]) is cheap
    assert Search.best([]) is None
    search.standings = [lucky, rival_, cheap, standing(search, "trivial", {0: 0.1})]
    found = winners(search)
    assert found == {TRANSFER: cheap, "rival": rival_, "trivial": search.standings[3]}


@pytest.mark.parametrize(
    ("spread", "room", "lead", "ran"),
    [(0.05, 100.0, 0.02, [3, 4]), (0.01, 100.0, 0.02, []), (0.05, 100.0, -0.02, [3, 4]), (0.05, 100.0, -0.06, []),
     (0.05, 3.0, 0.02, [3]), (0.05, 1.0, 0.02, [])],
)  # fmt: skip
def test_an_open_decision_gets_the_pairs_that_time_allows(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch,
    spread: float, room: float, lead: float, ran: list[int],
) -> None:  # fmt: skip
    domain = toy_domain("text", rows=40)
    fold = domain.folds[0]
    parts = np.array_split(fold.rest, 5)
    pairs = tuple(Pair(train=np.setdiff1d(fold.rest, p), validation=p) for p in parts)
    search = make(domain.with_folds(Fold(test=fold.test, pairs=pairs)))
    probe, _, tuned = candidates(encoder)
    steady = standing(search, "candidate", dict.fromkeys(range(5), 0.8))
    leader = standing(search, "candidate", dict.fromkeys(range(3), 0.8 + lead))
    steady.candidate, leader.candidate = probe, tuned
    search.standings, taken, seconds = [steady, leader], list[int](), iter([room, room, room - 2])
    further = standing(search, "candidate", dict.fromkeys(range(5), 0.8 + lead))
    monkeypatch.setattr(search, "_attempt", lambda s, n, _: (taken.append(n), further.attempts[n])[1])
    monkeypatch.setattr(search, "belief", lambda s, _: Belief(lead, spread) if s is leader else Belief(0.0, 0.0))
    monkeypatch.setattr("landbridge.planning.search.EARNED", 0.0)
    search._runoff((lambda: room) if room > 3 else lambda: next(seconds))
    assert taken == ran and sorted(leader.attempts) == [0, 1, 2, *ran]
    assert not ran or leader.trial.seconds == pytest.approx(3 + len(ran))


def test_who_wins_is_a_matter_of_evidence_and_of_what_was_known_before(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make(two_pairs(toy_domain("text", rows=40)))
    probe, _, tuned = candidates(encoder)
    plain, moved, cheap = (standing(search, "candidate", {0: v}) for v in (0.7, 0.75, 0.75))
    plain.candidate, moved.candidate = probe, tuned
    cheap.candidate = Candidate(recipe=rival("tfidf"), reason="", role="rival")
    search.standings = [plain, moved, cheap]
    monkeypatch.setattr(search, "paired_error", lambda *_: 0.2)
    assert search.settle([plain, cheap]) is plain, "a rival that is ahead by chance"
    assert search.belief(plain, plain) == Belief(0.0, 0.0)
    monkeypatch.setattr(search, "paired_error", lambda *_: 0.0)
    assert search.settle([plain, cheap]) is cheap, "a rival that is ahead"
    pair = search.fold.pairs[0]
    error = 0.5 / len(pair.validation) * math.sqrt(1 + len(pair.validation) / len(pair.train))
    prior = prior_of(tuned.recipe, "candidate", search._known_of(plain))
    found = search.belief(moved, plain)
    assert found.mean == pytest.approx(updated(prior, 0.05, error).mean)
    assert found.mean > EARNED * found.spread and search.settle([plain, moved]) is moved
    monkeypatch.setattr(search, "belief", lambda s, _: Belief(0.01 * (s is moved), 0.05 * (s is moved)))
    assert search.settle([plain, moved]) is plain, "steps that may be luck"
    search.standings = [cheap]
    assert search.settle([cheap, standing(search, "scratch", {0: 0.8})]) is not cheap, "without a probe the best"


def test_scores_on_unlike_rows_are_compared_by_the_errors_of_both(make: Callable[..., Search]) -> None:
    search = make(two_pairs(toy_domain("text", rows=40)))
    probe, moved = (standing(search, "candidate", {0: v}) for v in (0.7, 0.75))
    paired, pair = search.paired_error(probe, moved, [0]), moved.pairs[0]
    moved.pairs = (Pair(train=pair.train, validation=np.sort(pair.validation)[::-1].copy()), *moved.pairs[1:])
    both = math.hypot(search.doubt(probe), search.doubt(moved))
    assert search.paired_error(probe, moved, [0]) == search.paired_error(probe, moved, []) == pytest.approx(both)
    assert paired != pytest.approx(both)
    assert search.belief(moved, probe).spread > 0


def test_the_error_of_a_leader_is_in_the_units_of_the_metric(make: Callable[..., Search]) -> None:
    search = make(toy_domain("text", rows=400))
    leader = standing(search, "candidate", {0: 0.5})
    rows = len(search.fold.pairs[0].validation)
    assert search._standard_error(leader, 0) == pytest.approx(0.5 / math.sqrt(rows), rel=0.35)
    target = search.workshop.domain.targets[search.fold.pairs[0].validation]
    leader.attempts[0].output[np.arange(rows), target] = 9.0
    assert search._standard_error(leader, 0) == pytest.approx(0.3 / math.sqrt(rows))


def test_shrunk_pairs_keep_enough_rows_and_stay_inside(make: Callable[..., Search]) -> None:
    domain = toy_domain("text", rows=80)
    pair = domain.folds[0].pairs[0]
    small = shrunk(pair, domain, 0.5, 0)
    assert (
        len(small.train) == 20 and set(small.train) <= set(pair.train) and set(small.validation) <= set(pair.validation)
    )
    assert len(shrunk(pair, domain, 0.0, 0).train) == 6 and len(shrunk(pair, domain, 1.0, 0).train) == 40
    again = shrunk(pair, domain, 0.5, 0)
    assert np.array_equal(small.train, again.train) and (np.diff(small.train) > 0).all()


def test_shrunk_pairs_keep_three_rows_of_every_class_that_has_them(make: Callable[..., Search]) -> None:
    domain = toy_domain("text", rows=200)
    rows = domain.folds[0].rest
    zeros, ones = (rows[domain.targets[rows] == c] for c in (0, 1))
    uneven = Pair(
        train=np.sort(np.concatenate([zeros[:60], ones[:4]])), validation=np.concatenate([zeros[60:70], ones[4:6]])
    )
    small = shrunk(uneven, domain, 0.1, 0)
    assert np.bincount(domain.targets[small.train]).tolist() == [6, 3]
    assert np.bincount(domain.targets[small.validation]).tolist() == [3, 2]


def test_what_becomes_the_same_over_the_better_bridge_is_tried_once(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    native, rerouted = NATIVE, codec.parse("bridges", "native(crop='squash')")
    ways = [single(encoder, b, "full", epochs=1) for b in (native, rerouted)] + [single(encoder, native, "lora")]
    slow = [Candidate(recipe=r, reason="a test") for r in ways]
    probe = standing(search, "candidate", {0: 0.7})
    probe.candidate = Candidate(recipe=single(encoder, rerouted, "probe"), reason="")
    assert search.worth(slow) == slow
    search.standings = [probe]
    names = [(c.recipe.stages[0].tuning.part_name, c.recipe.bridge) for c in search.worth(slow)]
    assert names == [("full", rerouted), ("lora", rerouted)]
    asked = [Candidate(recipe=r, reason=ASKED) for r in ways]
    assert search.worth(asked) == asked  # what a person named is run as it stands


@pytest.mark.parametrize(
    ("ends", "status"),
    [(["", ""], "done"), (["patience", ""], "done"), (["", "out of time"], "out of time"), (["diverged"], "diverged"),
     (["eliminated", "patience"], "eliminated")],
)  # fmt: skip
def test_the_record_says_how_a_trial_ended_and_why_it_was_tried(
    make: Callable[..., Search], ends: list[str], status: str
) -> None:
    search = make(two_pairs(toy_domain("text", rows=40)))
    made = standing(search, "candidate", dict(enumerate([0.5] * len(ends))))
    made.candidate = replace(made.candidate, reason="worth a try")
    for attempt, end in zip(made.attempts.values(), ends, strict=True):
        attempt.trial.reason = end
    trial = search._summary(made)
    assert (trial.status, trial.reason, trial.validation) == (status, "worth a try", 0.5)


def test_where_reading_all_rows_is_too_slow_some_are_read(make: Callable[..., Search], encoder: str) -> None:
    search = make(toy_domain("text", rows=80), seconds=60.0)
    real, asked = search.workshop.features, []

    def slow(road, taps, rows, *, ends=math.inf):
        asked.append(len(rows))
        if math.isfinite(ends):
            raise OutOfTimeError("too slow", 0.5)
        return real(road, taps, rows, ends=ends)

    search.workshop.features = slow
    search.run(candidates(encoder)[:1], [], 0.0)
    (only,) = search.transfer()
    assert len(only.pairs[0].train) == 14 and asked[1] == 14 and only.trial.status == "done"
    done, again = refit(search.workshop, only, search.fold, 0, 1000.0)
    assert not again and done is only.attempts[0]  # all rows would be too slow again


def test_the_scratch_control_gets_as_long_as_transfer_would_have_taken_without_a_cache(
    make: Callable[..., Search], encoder: str
) -> None:
    search = make()
    search.run(candidates(encoder)[:1], [], 0.0)
    given: list[float] = []

    def told(candidate: Candidate, *, pairs: int, seconds: float, among: tuple[Pair, ...]) -> Standing:
        given.append(seconds)
        return Standing(candidate, search.fold.pairs)

    search._try = told
    search.scratch_control(math.inf)
    ((_, shelf),) = search.workshop.store._shelves.values()
    shelf.seconds = 200.0  # an earlier run read the rows in that time
    search.scratch_control(math.inf)
    search.scratch_control(60.0)
    assert given[0] == LEAST_SCRATCH and 200.0 < given[1] < 240.0 and given[2] == 60.0


def test_the_scratch_control_gets_more_than_any_one_recipe_where_all_of_them_took_long() -> None:
    assert fair_to_scratch([], 0.0) == fair_to_scratch([10.0, 20.0], 0.0) == LEAST_SCRATCH
    assert fair_to_scratch([100.0, 100.0], 50.0) == 250.0  # as long as all of them
    assert fair_to_scratch([100.0] * 9, 0.0) == 300.0
    assert fair_to_scratch([400.0] * 9, 0.0) == 500.0
    assert fair_to_scratch([500.0], 10.0) == 510.0  # of one recipe: what it took, not more


def test_a_control_that_cannot_check_its_rows_in_time_takes_fewer(make: Callable[..., Search], encoder: str) -> None:
    search, taken = make(toy_domain("text", rows=120)), list[tuple[int, int]]()
    search.run(candidates(encoder)[:1], [], 0.0)
    whole = search.fold.pairs[0]

    def late(made: Standing, pair: int, seconds: float, least: int) -> Attempt:
        given = made.pairs[pair]
        taken.append((len(given.train), len(given.validation)))
        if len(taken) == 1:
            raise OutOfTimeError("too many rows", 0.5)
        return standing(search, "scratch", {0: 0.5}).attempts[0]

    search._attempt = late
    made = search.scratch_control(60.0)
    assert taken[0] == (len(whole.train), len(whole.validation))
    assert taken[1][0] < 0.5 * taken[0][0] and 0 < taken[1][1] < 0.5 * taken[0][1]
    assert [s for s in search.standings if s.candidate.role == "scratch"] == [made]


def test_a_refit_is_made_where_there_is_room_and_something_to_gain(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    search.run(candidates(encoder)[:1], [], 0.0)
    only, fold = search.standings[0], search.fold
    assert refit(search.workshop, only, fold, 0, math.inf)[1] is True
    kept, again = refit(search.workshop, only, fold, 0, -5.0)
    assert again is False and kept is only.attempts[0]
    whole = Fold(test=fold.test, pairs=(Pair(train=fold.rest, validation=fold.rest[:0]),))
    only.pairs = (Pair(train=fold.rest, validation=fold.pairs[0].validation),)
    assert refit(search.workshop, only, whole, 0, math.inf)[1] is False  # no more rows than it has seen


def test_a_refit_takes_the_mean_share_of_the_tuned_end_over_pairs(make: Callable[..., Search], encoder: str) -> None:
    search = make(two_pairs(toy_domain("text", rows=40)))
    recipe = single(encoder, codec.parse("bridges", "native"), "probe", "partial(1)", epochs=1, average="wise")
    only = search._try(Candidate(recipe=recipe, reason=""), pairs=2, seconds=math.inf)
    for pair, share in ((0, 0.0), (1, 0.4)):
        only.attempts[pair].shares = (share,)
    assert only.shares == (0.2,)
    made, again = refit(search.workshop, only, search.fold, 0, math.inf)
    assert again and made.shares == (0.2,)


def test_a_refit_cut_amid_its_schedule_gives_way_to_the_model_of_the_trial(
    make: Callable[..., Search], encoder: str
) -> None:
    search = make()
    long = Candidate(recipe=single(encoder, NATIVE, "full", epochs=10_000, patience=0), reason="")
    search._try(long, pairs=1, seconds=2.0)
    (only,) = search.standings
    only.attempts[0].trial.seconds = 0.01  # as if there were time for the refit
    only.attempts[0].lengths = ((10_000, 10_000),)
    kept, again = refit(search.workshop, only, search.fold, 0, 2.0)
    assert again is False and kept is only.attempts[0]
    only.attempts[0].predictor = None  # read back from the journal: what was reached is all there is
    made, again = refit(search.workshop, only, search.fold, 0, 2.0)
    assert again is True and made.trial.reason == "out of time" and made.predictor is not None


def test_over_folds_the_recipe_with_the_best_mean_is_delivered(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = toy_domain("text", rows=40)
    first, *others = (f.recipe for f in candidates(encoder))
    scores = [{first: 0.9, others[0]: 0.8}, {first: 0.5, others[0]: 0.8}, {first: 0.5, others[0]: 0.7, others[1]: 1.0}]
    opened = []
    for table in scores:
        search = make(domain)
        search.run(candidates(encoder)[:1], [], 0.0)
        fold = open_test(search, 0.0)
        made = [standing(search, "candidate", {0: v}) for v in table.values()]
        for one, recipe in zip(made, table, strict=True):
            one.candidate = Candidate(recipe=recipe, reason="")
        winner = max(made, key=lambda s: s.score)
        opened.append(replace(fold, winners={TRANSFER: winner}, standings=made))
    assert steadiest(opened, TRANSFER) is opened[1]  # 0.63 and 0.77 over three folds; 1.0 in one alone
    attempt, chosen, seen = _final(search.workshop, opened, TRANSFER, 0, Budget())
    assert (chosen.recipe, seen) == (others[0], "all rows") and attempt not in opened[1].finals.values()
    assert _final(search.workshop, opened[:1], TRANSFER, 0, Budget())[::2] == (opened[0].finals[TRANSFER], "fold")
    monkeypatch.setattr(search.workshop, "features", _never)
    attempt, chosen, seen = _final(search.workshop, opened, TRANSFER, 0, Budget())
    assert (attempt, chosen.recipe, seen) == (opened[1].finals[TRANSFER], others[0], "fold")


def _never(*args: object, **kept: object) -> np.ndarray:
    raise OutOfTimeError("too slow", 0.5)


def test_the_test_is_opened_for_every_role_on_the_same_rows(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    domain = search.workshop.domain
    search.run(candidates(encoder)[:2], controls(domain), 0.0)
    opened = open_test(search, 0.0)
    assert np.array_equal(opened.fold.test, search.fold.test)
    judgement, by_role = pool(domain, [opened], 0)
    assert set(by_role) == {TRANSFER, "trivial", "rival"} and set(judgement.controls) == {"trivial", "rival"}
    assert np.array_equal(judgement.output, by_role[opened.chosen])
    assert opened.winners[opened.chosen] is search.settle(list(opened.winners.values()))
    for role in by_role:  # each role is calibrated on its own validation outputs
        own = seen_as(domain, judgement, [opened], role)
        assert np.array_equal(own.validation_output, opened.winners[role].attempts[0].output)
        assert np.array_equal(own.validation_target, domain.targets[opened.winners[role].validation])


def test_choice_is_by_validation_but_a_loss_delivers_the_control(make: Callable[..., Search], encoder: str) -> None:
    search = make(toy_domain("text", rows=200))
    domain = search.workshop.domain
    search.run(candidates(encoder)[:1], controls(domain), 0.0)
    opened = open_test(search, 0.0)
    target = domain.targets[search.fold.test]
    right = 6.0 * np.eye(2, dtype=np.float32)[target]
    opened.outputs |= {TRANSFER: right[:, ::-1].copy(), "rival": right}
    for chosen, keep, role in [(TRANSFER, "", "rival"), (TRANSFER, TRANSFER, TRANSFER), ("rival", "", "rival"),
                               ("rival", TRANSFER, TRANSFER)]:  # fmt: skip
        opened.chosen = chosen
        judgement, by_role = pool(domain, [opened], 0)
        delivered, findings, gain = _verdict(domain, judgement, by_role, [opened], keep)
        assert delivered == role and gain["verdict"] == "loss" and gain["value"] == pytest.approx(-1.0)
        measured = next(f for f in findings if f.name.startswith("test."))
        assert measured.value == pytest.approx(1.0 if role == "rival" else 0.0)


def test_over_folds_the_test_block_is_of_what_is_delivered(make: Callable[..., Search], encoder: str) -> None:
    search = make(toy_domain("text", rows=200))
    domain = search.workshop.domain
    search.run(candidates(encoder)[:1], controls(domain), 0.0)
    first = open_test(search, 0.0)
    right = 6.0 * np.eye(2, dtype=np.float32)[domain.targets[first.fold.test]]
    half = np.where(np.arange(len(right))[:, None] % 2, right, right[:, ::-1])
    first.outputs |= {TRANSFER: right, "rival": half}
    first.chosen = TRANSFER
    opened = [first, replace(first, chosen=TRANSFER), replace(first, chosen="rival")]
    judgement, by_role = pool(domain, opened, 0)
    role, findings, gain = _verdict(domain, judgement, by_role, opened, "")
    found = {f.name: f for f in findings}
    assert role == TRANSFER and gain["verdict"] == "gain"
    assert found[f"test.{domain.task.metric}"].value == pytest.approx(1.0)
    assert found["choice by fold"].value == pytest.approx((2 * 1.0 + np.mean(np.arange(len(half)) % 2)) / 3)
    _, agreed, _ = _verdict(domain, *pool(domain, opened[:2], 0), opened[:2], "")
    assert "choice by fold" not in {f.name for f in agreed}


def test_time_that_is_left_goes_to_the_neighbours_of_the_best(make: Callable[..., Search], encoder: str) -> None:
    many = toy_domain("text", rows=400)
    search = make(many)
    recipe = single(encoder, NATIVE, "lora(rank=2)", epochs=1, lr=1e-4)
    found = search.run([Candidate(recipe=recipe, reason="proposed")], [], 0.0)
    names = [s.trial.name for s in found]
    assert names[:2] == [recipe.name, f"{recipe.name}, learning rate 0.0003"] and len(set(names)) == len(names)
    assert {s.candidate.recipe.stages[0].tuning.rank for s in found} >= {2, 4}
    best = search.best(found)
    assert best.score == max(s.score for s in found)
    few = make()
    few.run([Candidate(recipe=recipe, reason="proposed")], [], 0.0)
    assert len(few.standings) == 1  # luck would choose
    asked = make(many, seconds=None)
    asked.run([Candidate(recipe=recipe, reason=ASKED)], [], 0.0)
    assert len(asked.standings) == 1  # what a person named is run as it stands
    short = make(toy_domain("text", rows=404), seconds=30.0, step=31.0)
    short.run([Candidate(recipe=recipe, reason="proposed")], [], 0.0)
    assert len(short.standings) == 1
    perfect = make(many)
    perfect.run([Candidate(recipe=single(encoder, NATIVE, "probe", "lora", epochs=1, lr=1e-3), reason="")], [], 0.0)
    assert perfect.standings[0].score == 1.0 and len(perfect.standings) == 1  # nothing can be better


def test_neighbours_are_not_tried_where_a_probe_is_clearly_ahead(make: Callable[..., Search], encoder: str) -> None:
    domain = toy_domain("text", rows=600)
    wrong = np.arange(len(domain)) % 10 == 0  # so that nothing is perfect
    search = make(replace(domain, targets=np.where(wrong, 1 - domain.targets, domain.targets)))
    still = Candidate(recipe=single(encoder, NATIVE, "lora", epochs=1, lr=1e-7), reason="proposed")
    search.run([candidates(encoder)[0], still], [], 0.0)
    probe, chance = (s.score for s in search.standings[:2])
    assert chance + 0.2 < probe < 1.0 and len(search.standings) == 2


@pytest.mark.parametrize(
    ("share", "again", "kept", "scratch"),
    [(600.0, True, 180.0, 63.0), (600.0, False, 120.0, 80.0), (300.0, False, 80.0, 40.0), (50.0, False, 15.0, 5.25)],
)
def test_time_is_kept_for_the_control_the_refits_and_the_test(
    share: float, again: bool, kept: float, scratch: float
) -> None:
    assert kept_of(share, again) == pytest.approx(kept)
    assert for_scratch(kept, again) == pytest.approx(scratch)
