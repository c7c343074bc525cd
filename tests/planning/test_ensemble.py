"""The ensemble: who is in it and why, recomputed by hand, trained again as a whole, and delivered."""

from __future__ import annotations

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
from landbridge.core.domain import Domain, Fold, Pair
from landbridge.core.recipe import Recipe
from landbridge.engine import workshop as workshop_file
from landbridge.engine.ensemble import Ensemble, mean_of, spread_of
from landbridge.engine.journal import Journal
from landbridge.engine.precision import Precision
from landbridge.engine.workshop import Workshop
from landbridge.planning import judge as judge_file
from landbridge.planning.belief import Belief, prior_of_mean, updated
from landbridge.planning.candidates import ANSWERS, ASKED, Candidate, rival, single
from landbridge.planning.ensemble import MOST, NEAR, ensemble
from landbridge.planning.judge import final_fit, open_test, refit
from landbridge.planning.prior import expected_of_mean
from landbridge.planning.search import Search
from landbridge.planning.standing import Standing
from landbridge.tasks.regress import Regress
from landbridge.testing import toy_domain

NATIVE = codec.parse("bridges", "native")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Search]:
    """A search over noisy texts, in float32 whatever this machine gains by."""
    plain = Precision(device=torch.device("cpu"), dtype=torch.float32)
    monkeypatch.setattr(workshop_file, "pick_precision", lambda *_: plain)

    def build(domain: Domain | None = None) -> Search:
        chosen = domain if domain is not None else noisy(pairs=2)
        shop = Workshop(chosen, device=torch.device("cpu"), folder=tmp_path / "work")
        journal = Journal(tmp_path / f"journal{len(list(tmp_path.iterdir()))}")
        return Search(shop, chosen.folds[0], 0, Budget(), journal, 0, climbs=False, soups=False, ensembles=False)

    return build


def tried(search: Search, encoder: str) -> dict[str, Standing]:
    """A probe, another head, a tuned model and the rival on all pairs."""
    ways = {
        "probe": single(encoder, NATIVE, "probe"),
        "ridge": single(encoder, NATIVE, "probe(head='ridge')"),
        "tuned": single(encoder, NATIVE, "probe", "partial(1)", epochs=1),
        "rival": rival("tfidf"),
    }
    search.early = 2.0
    for name, recipe in ways.items():
        role = "rival" if name == "rival" else "candidate"
        search._try(Candidate(recipe=recipe, reason="p", role=role, called=name), pairs=2, seconds=math.inf)
    return {s.candidate.name: s for s in search.standings}


def believed(monkeypatch: pytest.MonkeyPatch, **means: float) -> None:
    """Beliefs with a deviation of 0.1 about the given means."""
    found = {name: Belief(mean, 0.1) for name, mean in means.items()}
    monkeypatch.setattr(Search, "belief", lambda self, standing, plain: found[standing.candidate.name])


def named(made: Standing | None) -> list[str]:
    """The members' names."""
    return [] if made is None else [m.candidate.name for m in made.members]


def test_the_best_of_each_kind_that_lies_near_and_the_source_first(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make()
    tried(search, encoder)
    believed(monkeypatch, probe=0.0, ridge=0.01, tuned=0.02, rival=0.05)
    made = ensemble(search, lambda: math.inf)
    assert named(made) == ["tuned", "ridge", "rival"] and made.candidate.mean == ANSWERS
    assert made.candidate.name == "mean of tuned; ridge; rival" and made.candidate.role == "candidate"
    assert made.candidate.recipe == made.members[0].candidate.recipe and "3 that validation" in made.candidate.reason
    far = 0.1 * NEAR + 0.03
    believed(monkeypatch, probe=0.0, ridge=-0.01, tuned=0.02, rival=0.02 - far)
    assert named(ensemble(search, lambda: math.inf)) == ["tuned", "probe"]
    believed(monkeypatch, probe=0.0, ridge=-0.01, tuned=-far, rival=-far)
    assert ensemble(search, lambda: math.inf) is None  # one alone is no mean
    believed(monkeypatch, probe=-far, ridge=-far, tuned=-far, rival=0.0)
    assert ensemble(search, lambda: math.inf) is None  # and the rival alone none that carries anything


def test_what_validation_tells_apart_is_left_out_whatever_is_believed(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make()
    found = tried(search, encoder)
    believed(monkeypatch, probe=-0.01, ridge=0.0, tuned=0.01, rival=0.02)
    assert named(ensemble(search, lambda: math.inf)) == ["tuned", "ridge", "rival"]
    for made in found["tuned"].attempts.values():
        made.output = -50.0 * made.output  # it says the opposite
        made.trial.validation = 1.0 - made.trial.validation
    lead, error = search.gap(found["rival"], found["tuned"])
    assert lead > NEAR * error
    assert named(ensemble(search, lambda: math.inf)) == ["ridge", "rival"]


def test_what_is_no_part_of_anything_else(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    found = tried(search, encoder)
    whole = named(ensemble(search, lambda: math.inf))
    assert {"tuned", "rival"} < set(whole) and len(whole) <= MOST
    tuned = found["tuned"]
    changed = {
        "asked": replace(tuned, candidate=replace(tuned.candidate, reason=ASKED)),
        "late": replace(tuned, trial=replace(tuned.trial, status="out of time")),
        "a mean": replace(tuned, candidate=replace(tuned.candidate, members=(tuned.candidate,))),
        "scratch": replace(tuned, candidate=replace(tuned.candidate, role="scratch")),
        "other rows": replace(tuned, pairs=(*tuned.pairs,)[:1]),
        "no result": replace(tuned, attempts={}),
    }
    for name, other in changed.items():
        search.standings = [other if s is tuned else s for s in found.values()]
        assert "tuned" not in named(ensemble(search, lambda: math.inf)), name
    search.standings = [s for s in found.values() if s.candidate.role == "rival"]
    assert ensemble(search, lambda: math.inf) is None  # nothing was probed


def test_half_of_the_pairs_at_least(make: Callable[..., Search], encoder: str) -> None:
    search = make(noisy(pairs=3))
    found = tried(search, encoder)
    for standing in found.values():
        standing.attempts[2] = search._attempt(standing, 2, math.inf)
    del found["tuned"].attempts[2]
    made = ensemble(search, lambda: math.inf)
    assert "tuned" in named(made) and sorted(made.attempts) == [0, 1]
    del found["tuned"].attempts[1]
    made = ensemble(search, lambda: math.inf)
    assert "tuned" not in named(made) and sorted(made.attempts) == [0, 1, 2]


def test_answers_and_score_by_hand(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    tried(search, encoder)
    made = ensemble(search, lambda: math.inf)
    domain, task = search.workshop.domain, search.workshop.domain.task
    spreads = [spread_of(np.concatenate([m.attempts[p].output for p in (0, 1)]), task) for m in made.members]
    for number, pair in enumerate(search.fold.pairs):
        output = mean_of([m.attempts[number].output for m in made.members], spreads, centred=True)
        np.testing.assert_array_equal(made.attempts[number].output, output)
        assert made.attempts[number].trial.validation == task.score(output, domain.targets[pair.validation])
        found = made.attempts[number].predictor.predict(domain.examples(pair.validation))
        np.testing.assert_allclose(found, output, atol=5e-3)  # stored features are in half precision
    assert made.attempts[0].trial.seconds == sum(m.attempts[0].trial.seconds for m in made.members)
    made.members[0].attempts[0].predictor = None  # as of a trial that an interrupted run left
    assert ensemble(search, lambda: math.inf).attempts[0].predictor is None


def test_the_belief_is_that_of_its_best_member_and_a_share_of_the_error(
    make: Callable[..., Search], encoder: str
) -> None:
    search = make()
    tried(search, encoder)
    made, plain = ensemble(search, lambda: math.inf), search.plain()
    members, known = [search.belief(m, plain) for m in made.members], search._known_of(plain)
    (share, doubt), room = expected_of_mean(), known.room + max(known.error, 1 / (known.rows + 2))
    prior = Belief(max(m.mean for m in members) + share * room, doubt * room)
    assert prior_of_mean(members, known).mean == pytest.approx(prior.mean)
    lead, error = search.gap(made, plain)
    rows = sum(len(p.validation) for p in search.fold.pairs)
    widening = math.sqrt(1 + sum(len(p.validation) / len(p.train) for p in search.fold.pairs))
    found = search.belief(made, plain)
    wanted = updated(prior, lead, widening * max(error, 0.5 / rows))
    assert (found.mean, found.spread) == (pytest.approx(wanted.mean), pytest.approx(wanted.spread))


def test_members_leave_time_for_the_refits_of_all(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make()
    found = tried(search, encoder)
    believed(monkeypatch, probe=0.0, ridge=-0.01, tuned=0.02, rival=0.01)
    for name, seconds in {"probe": 5.0, "tuned": 50.0, "rival": 5.0}.items():
        for made in found[name].attempts.values():
            made.trial.seconds, made.lengths = seconds, ()
    rows = len(search.fold.pairs[0].train)
    assert named(ensemble(search, lambda: 1000.0, rows=rows)) == ["tuned", "probe", "rival"]
    assert named(ensemble(search, lambda: 50.0, rows=rows)) == ["probe", "rival"]
    assert named(ensemble(search, lambda: 0.0, rows=rows, kept=50.0)) == ["probe", "rival"]
    assert ensemble(search, lambda: 5.0, rows=rows) is None


def test_the_refit_trains_each_member_on_all_rows(make: Callable[..., Search], encoder: str) -> None:
    search = make()
    tried(search, encoder)
    made = ensemble(search, lambda: math.inf)
    rest, domain = search.fold.rest, search.workshop.domain
    fitted, again = refit(search.workshop, made, search.fold, 0, math.inf)
    assert again and isinstance(fitted.predictor, Ensemble)
    examples = list(domain.examples(search.fold.test))
    parts = [
        final_fit(search.workshop, m.candidate.recipe, rest, m.lengths, 0, shares=m.shares).predictor.predict(examples)
        for m in made.members
    ]
    spreads = [spread_of(np.concatenate([m.attempts[p].output for p in (0, 1)]), domain.task) for m in made.members]
    np.testing.assert_allclose(fitted.predictor.predict(examples), mean_of(parts, spreads, centred=True), atol=1e-4)
    kept, again = refit(search.workshop, made, search.fold, 0, 0.0)
    assert not again and kept is made.attempts[0]


def test_the_rival_is_trained_again_once_though_it_is_a_member_too(
    make: Callable[..., Search], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make()
    tried(search, encoder)
    made = ensemble(search, lambda: math.inf)
    made.trial = search._summary(made)
    search.standings.append(made)
    real, trained = judge_file.final_fit, list[str]()

    def counted(shop: Workshop, recipe: Recipe, *given: object, **more: object) -> object:
        trained.append(recipe.source)
        return real(shop, recipe, *given, **more)

    monkeypatch.setattr(judge_file, "final_fit", counted)
    settle = Search.settle
    monkeypatch.setattr(Search, "settle", lambda self, of: made if made in of else settle(self, of))
    opened = open_test(search, 0.0)
    assert opened.winners["transfer"] is made and opened.refitted["rival"] and trained.count("rival:tfidf") == 1
    held = [a for s in search.standings for a in s.attempts.values() if a.predictor is not None]
    assert not held  # the finals are refits
    assert opened.finals["rival"].predictor in opened.finals["transfer"].predictor.members


def test_a_search_averages_last_and_neither_over_folds_nor_where_it_was_told_not_to(
    make: Callable[..., Search], encoder: str
) -> None:
    given = [Candidate(recipe=single(encoder, NATIVE, "probe"), reason="p")]
    control = [Candidate(recipe=rival("tfidf"), role="rival", reason="r")]
    search = make()
    search.ensembles = True
    *alone, made = search.run(given, control, 0.0)
    assert [s.trial.role for s in alone] == ["rival", "candidate"]
    assert made.trial.members == named(made) == [alone[1].trial.name, alone[0].trial.name]
    assert made.trial.role == "candidate" and made.trial.status == "done"
    assert len(make().run(given, control, 0.0)) == 2
    domain = noisy(pairs=2)
    folds = make(domain.with_folds(domain.folds[0], domain.folds[0]))
    folds.ensembles = True
    assert len(folds.run(given, control, 0.0)) == 2


def test_values_are_averaged_as_they_are(make: Callable[..., Search], encoder: str) -> None:
    domain = toy_domain("text", rows=120, task=Regress.from_labels([float(n) for n in range(9)]))
    fold = domain.folds[0]
    parts = np.array_split(np.random.default_rng(2).permutation(fold.rest), 3)[:2]
    pairs = tuple(Pair(train=np.setdiff1d(fold.rest, p), validation=np.sort(p)) for p in parts)
    search = make(domain.with_folds(Fold(test=fold.test, pairs=pairs)))
    found = tried(search, encoder)
    made = ensemble(search, lambda: math.inf)
    parts = [found[name].attempts[0].output for name in named(made)]
    np.testing.assert_allclose(made.attempts[0].output, np.mean(parts, axis=0), atol=1e-5)


def test_one_that_wins_is_delivered_and_says_of_what_it_is(
    encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the scores are here, it is taken for the best; the run itself proves that it reloads."""
    real = Search.settle

    def means_first(self: Search, standings: Sequence[Standing]) -> Standing | None:
        return next((s for s in standings if s.candidate.mean == ANSWERS), None) or real(self, standings)

    monkeypatch.setattr(Search, "settle", means_first)
    result = landbridge.run(noisy(pairs=2), sources=[encoder], budget=None, out=tmp_path / "made")
    evidence = json.loads((result.path / "evidence.json").read_text())
    chosen, trials = evidence["chosen"], {t["name"]: t for t in evidence["trials"]}
    members = [m["name"] for m in chosen["members"]]
    assert chosen["name"].startswith("mean of ") and chosen["mean"] == "answers" and chosen["role"] == "transfer"
    assert len(members) > 1 and trials[chosen["name"]]["members"] == members
    assert [m["recipe"]["stages"] for m in chosen["members"]] == [trials[n]["recipe"]["stages"] for n in members]
    assert evidence["parity"]["labels_agree"] == 1.0
    loaded = landbridge.load(result.path)
    rows = list(noisy(pairs=2).examples(np.arange(20)))
    assert isinstance(loaded.predictor, Ensemble) and len(loaded.predictor.members) == len(members)
    np.testing.assert_array_equal(loaded.output(rows), result.adapted.output(rows))
    card = (result.path / "card.md").read_text()
    assert f"answers: the mean of {len(members)} models" in card and "recipe of the first" in card
    assert "mean of" in (result.path / "report.html").read_text()
    again = landbridge.run(noisy(pairs=2), sources=[f"artifact:{result.path}"], budget=None, out=tmp_path / "next")
    assert any(f"artifact:{result.path.name}" in t["name"] for t in again.evidence["trials"])
