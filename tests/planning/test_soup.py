"""The greedy soup: recomputed by hand, within its time, refitted as a whole, and delivered."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planning_builders import noisy

import landbridge
from landbridge.core import codec
from landbridge.core.clock import Budget
from landbridge.core.domain import Domain
from landbridge.core.errors import OutOfTimeError
from landbridge.engine import workshop as workshop_file
from landbridge.engine.journal import Journal
from landbridge.engine.precision import Precision
from landbridge.engine.workshop import Workshop
from landbridge.planning import soup as soup_file
from landbridge.planning.candidates import ASKED, WEIGHTS, Candidate, single
from landbridge.planning.judge import final_fit, open_test, refit, winners
from landbridge.planning.search import Search
from landbridge.planning.soup import MOST, alike, can_be_averaged, greedy_soup
from landbridge.planning.standing import Standing

NATIVE = codec.parse("bridges", "native")
WAYS = (("full", 3e-4), ("full", 3e-3), ("partial(1)", 1e-2), ("lora(rank=2)", 3e-2), ("full", 3e-2))


@pytest.fixture(autouse=True)
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers by hand are those of float32, whatever this machine gains by."""
    plain = Precision(device=torch.device("cpu"), dtype=torch.float32)
    monkeypatch.setattr(workshop_file, "pick_precision", lambda *_: plain)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Search]:
    """A search over noisy texts."""

    def build(pairs: int = 1, domain: Domain | None = None, **how: bool) -> Search:
        chosen = domain if domain is not None else noisy(pairs=pairs)
        shop = Workshop(chosen, device=torch.device("cpu"), folder=tmp_path / "work")
        journal = Journal(tmp_path / f"journal{len(list(tmp_path.iterdir()))}")
        return Search(shop, chosen.folds[0], 0, Budget(), journal, 0, **{"ensembles": False, **how})

    return build


def trained(search: Search, encoder: str, ways: Sequence[tuple[str, float]] = WAYS) -> list[Standing]:
    """Trials that start alike, on all pairs, the best first."""
    search.early = 2.0
    for tuning, lr in ways:
        recipe = single(encoder, NATIVE, "probe(head='logistic')", tuning, epochs=2, lr=lr, patience=0)
        candidate = Candidate(recipe=recipe, reason="proposed", called=f"{tuning} {lr}")
        search._try(candidate, pairs=len(search.fold.pairs), seconds=math.inf)
    best = search.best(search.transfer())
    return alike(search.standings, best, sorted(best.attempts))


def mean_output(search: Search, members: Sequence[Standing], pair: int) -> np.ndarray:
    """Validation outputs of the plain mean of the members' weights."""
    models = [m.attempts[pair].predictor.model for m in members]
    model = copy.deepcopy(models[0])
    states = [m.state_dict() for m in models]
    model.load_state_dict({n: torch.stack([s[n] for s in states]).mean(0) for n in states[0]})
    predictor = copy.copy(members[0].attempts[pair].predictor)
    predictor.model = model
    return predictor.predict(search.workshop.domain.examples(search.fold.pairs[pair].validation))


@pytest.mark.parametrize("pairs", [1, 2])
def test_recipe_1_of_the_paper_by_hand(make: Callable[..., Search], encoder: str, pairs: int) -> None:
    search = make(pairs)
    pool = trained(search, encoder)
    domain, numbers = search.workshop.domain, list(range(pairs))
    assert len(pool) == len(WAYS) and [s.score for s in pool] == sorted((s.score for s in pool), reverse=True)

    def score(members: Sequence[Standing]) -> float:
        found = [
            domain.task.score(mean_output(search, members, p), domain.targets[search.fold.pairs[p].validation])
            for p in numbers
        ]
        return float(np.mean(found))

    kept = pool[:1]
    for one in pool[1:]:
        kept = [*kept, one] if score([*kept, one]) >= score(kept) else kept
    made = greedy_soup(search.workshop, pool, numbers, lambda: math.inf)
    assert made is not None and len(kept) > 1
    assert [m.candidate for m in made.members] == [s.candidate for s in kept] == list(made.candidate.members)
    assert made.score == pytest.approx(score(kept)) and made.score >= pool[0].score
    for pair in numbers:
        np.testing.assert_allclose(made.attempts[pair].output, mean_output(search, kept, pair), atol=1e-5)
    assert [a.predictor is not None for a in made.attempts.values()] == [p == 0 for p in numbers]
    assert made.candidate.name.startswith(f"soup of {kept[0].candidate.name}; ")
    assert f"{len(kept)} of {len(pool)} models" in made.candidate.reason


def test_a_member_that_harms_is_left_out(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    pool = trained(search, encoder, WAYS[:3])
    harmful = pool[1]
    for tensor in harmful.attempts[0].predictor.model.head.parameters():
        tensor.data = -100.0 * tensor.data  # it says the opposite, and louder than all others
    twin = replace(pool[0], candidate=replace(pool[0].candidate, called="twin"))
    made = greedy_soup(search.workshop, [pool[0], harmful, twin], [0], lambda: math.inf)
    assert [m.candidate.name for m in made.members] == [pool[0].candidate.name, "twin"]
    assert made.score == pool[0].score  # and of equals the one that was there first wins
    assert search.best([*pool, made]) is pool[0]
    assert greedy_soup(search.workshop, [pool[0], harmful], [0], lambda: math.inf) is None


def test_only_what_starts_alike_and_was_trained_whole_is_averaged(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    best, other, third = trained(search, encoder, WAYS[:3])
    assert alike([best, other, third], best, [0]) == [best, other, third]
    recipe = other.candidate.recipe
    unlike = {
        "bridge": replace(recipe, bridge=codec.parse("bridges", "native(crop='squash')")),
        "source": replace(recipe, source="embedded:minilm"),
        "start": replace(recipe, stages=(replace(recipe.stages[0], decay=0.5), recipe.stages[1])),
        "no steps": replace(recipe, stages=recipe.stages[:1]),
        "solved after": replace(recipe, stages=(*recipe.stages, recipe.stages[0])),
    }
    for name, changed in unlike.items():
        stranger = replace(other, candidate=replace(other.candidate, recipe=changed))
        assert alike([best, stranger], best, [0]) == [best], name
    asked = replace(other, candidate=replace(other.candidate, reason=ASKED))
    scratch = replace(other, candidate=replace(other.candidate, role="scratch"))
    late = replace(other, trial=replace(other.trial, status="out of time"))
    journal = replace(other, attempts={0: replace(other.attempts[0], predictor=None)})
    assert not any(can_be_averaged(s) for s in (asked, scratch, late, journal))
    assert alike([best, other], best, [0, 1]) == []  # neither ran on the second pair


def test_the_soup_keeps_to_the_time_there_is(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make()
    first, *_ = trained(search, encoder, WAYS[:1])
    pool = [replace(first, candidate=replace(first.candidate, called=f"twin {n}")) for n in range(MOST + 3)]
    looks: list[int] = []
    real = soup_file.blend

    def counted(shop: Workshop, parts: Sequence[object], *given: object, **more: object) -> object:
        looks.append(len(parts))
        return real(shop, parts, *given, **more)

    monkeypatch.setattr(soup_file, "blend", counted)
    assert greedy_soup(search.workshop, pool, [0], lambda: -1.0) is None and not looks
    made = greedy_soup(search.workshop, pool, [0], lambda: 100.0)
    assert len(made.members) == MOST and looks == list(range(2, MOST + 1))
    looks.clear()
    left = iter([100.0] * 3 + [0.0] * 9)  # asked thrice for the first member: look, refits, the end of reading
    made = greedy_soup(search.workshop, pool, [0], lambda: next(left))
    assert len(made.members) == 2 and looks == [2]
    monkeypatch.setattr(soup_file, "blend", _never)
    assert greedy_soup(search.workshop, pool, [0], lambda: 100.0) is None


def test_a_member_leaves_time_for_the_refits_of_all(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    first, *_ = trained(search, encoder, WAYS[:1])

    def twin(name: str, seconds: float) -> Standing:
        trial = replace(first.attempts[0].trial, seconds=seconds)
        attempts = {0: replace(first.attempts[0], trial=trial, lengths=())}
        return replace(first, candidate=replace(first.candidate, called=name), attempts=attempts)

    pool, rows = [twin("first", 10.0), twin("dear", 50.0), twin("cheap", 10.0)], len(search.fold.pairs[0].train)
    assert pool[0].seconds_on(rows) == pytest.approx(11.0) and pool[0].seconds_on(2 * rows) == pytest.approx(22.0)

    def members(room: float, rows: int, kept: float = 0.0) -> list[str]:
        made = greedy_soup(search.workshop, pool, [0], lambda: room, rows=rows, kept=kept)
        return [] if made is None else [m.candidate.name for m in made.members]

    assert members(200.0, rows) == ["first", "dear", "cheap"]
    assert members(100.0, rows) == ["first", "cheap"] and members(50.0, rows, kept=50.0) == ["first", "cheap"]
    assert members(30.0, rows) == [] and members(30.0, 0) == ["first", "dear", "cheap"]


def test_the_refit_of_a_soup_is_the_mean_of_its_members_refits(make: Callable[..., Search], encoder: str) -> None:
    search = make(2)
    pool = trained(search, encoder, WAYS)
    made = greedy_soup(search.workshop, pool, [0, 1], lambda: math.inf)
    made.trial = search._summary(made)
    rest = search.fold.rest
    fitted, again = refit(search.workshop, made, search.fold, 0, math.inf)
    assert again and made.seconds_on(len(rest)) == pytest.approx(sum(m.seconds_on(len(rest)) for m in made.members))
    parts = [
        final_fit(search.workshop, m.candidate.recipe, rest, m.lengths, 0, shares=m.shares).predictor.model
        for m in made.members
    ]
    for name, value in fitted.predictor.model.state_dict().items():
        by_hand = torch.stack([p.state_dict()[name] for p in parts]).mean(0)
        torch.testing.assert_close(value, by_hand, rtol=1e-5, atol=1e-6, msg=name)
    for room in (0.0, -5.0):
        kept, again = refit(search.workshop, made, search.fold, 0, room)
        assert not again and kept is made.attempts[0]
    made.members[-1].attempts[0].lengths = ((5000, 5000),)  # which its trial's seconds do not tell
    made.members[-1].attempts[1].lengths = ((5000, 5000),)
    made.members[-1].attempts[0].trial.seconds = made.members[-1].attempts[1].trial.seconds = 0.0
    kept, again = refit(search.workshop, made, search.fold, 0, 3.0)
    assert not again and kept is made.attempts[0]


def test_a_search_without_trials_to_average_is_unchanged(make: Callable[..., Search], encoder: str) -> None:
    probes = [Candidate(recipe=single(encoder, NATIVE, t), reason="") for t in ("probe", "probe(head='ridge')")]
    tunings = ("full", "partial(1)")
    asked = [Candidate(recipe=single(encoder, NATIVE, "probe", t, epochs=1), reason=ASKED) for t in tunings]
    for given in (probes, asked, [*probes, replace(asked[0], reason="proposed")]):
        told = [
            [(s.trial.name, s.score) for s in make(climbs=False, soups=on).run(given, [], 0.0)] for on in (True, False)
        ]
        assert told[0] == told[1] and len(told[0]) == len(given)


def test_a_search_averages_at_its_end_and_not_over_folds(make: Callable[..., Search], encoder: str) -> None:
    given = [
        Candidate(recipe=single(encoder, NATIVE, "probe(head='logistic')", t, epochs=2, lr=lr, patience=0), reason="p")
        for t, lr in WAYS[:4]
    ]
    search = make(climbs=False)
    *alone, made = search.run(given, [], 0.0)
    trial = made.trial
    assert len(alone) == len(given) and trial.name == made.candidate.name and trial.status == "done"
    assert trial.members == [m.candidate.name for m in made.members] and len(trial.members) > 1
    assert trial.members[0] in (s.trial.name for s in alone) and trial.predicted is None and not trial.curve
    assert trial.validation == made.score >= max(s.score for s in made.members)
    best = winners(search)["transfer"]
    assert best is made if made.score > max(s.score for s in alone) else best in alone
    opened = open_test(search, 0.0)
    held = [a for s in search.standings for a in s.attempts.values() if a.predictor is not None]
    assert all(any(a is f for f in opened.finals.values()) for a in held)
    domain = noisy()
    folds = make(domain=domain.with_folds(domain.folds[0], domain.folds[0]), climbs=False).run(given, [], 0.0)
    assert len(folds) == len(given)


def test_a_soup_that_wins_is_delivered_and_says_of_what_it_is(
    encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the scores are here, the soup is taken for the best; the run itself proves that it reloads."""
    real = Search.settle

    def soups_first(self: Search, standings: Sequence[Standing]) -> Standing | None:
        return next((s for s in standings if s.candidate.mean == WEIGHTS and s.members), None) or real(self, standings)

    monkeypatch.setattr(Search, "settle", soups_first)
    result = landbridge.run(noisy(), sources=[encoder], budget=None, out=tmp_path / "made")
    evidence = json.loads((result.path / "evidence.json").read_text())
    chosen, trials = evidence["chosen"], {t["name"]: t for t in evidence["trials"]}
    assert chosen["name"].startswith("soup of ") and chosen["options"] == "" and chosen["role"] == "transfer"
    members = [m["name"] for m in chosen["members"]]
    assert len(members) > 1 and trials[chosen["name"]]["members"] == members
    kept = [m["recipe"]["stages"] for m in chosen["members"]]
    assert kept == [trials[name]["recipe"]["stages"] for name in members]
    assert chosen["recipe"] == chosen["members"][0]["recipe"] and all(m["options"] for m in chosen["members"])
    assert evidence["parity"]["labels_agree"] == 1.0
    loaded = landbridge.load(result.path)
    rows = list(noisy().examples(np.arange(20)))
    np.testing.assert_array_equal(loaded.output(rows), result.adapted.output(rows))
    assert chosen["name"] in repr(loaded)
    card = (result.path / "card.md").read_text()
    assert f"the mean of {len(members)} models" in card and "recipe of the first" in card
    assert "soup of" in (result.path / "report.html").read_text()


def _never(*args: object, **kept: object) -> None:
    raise OutOfTimeError("too slow", 0.5)
