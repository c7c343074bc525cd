"""The order in which `run` tries follows what is foretold, and stops where nothing can win."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core import codec
from landbridge.core.clock import Budget
from landbridge.core.finding import Trial
from landbridge.engine.attempt import Attempt
from landbridge.engine.journal import Journal
from landbridge.engine.pace import Pace
from landbridge.engine.workshop import Workshop
from landbridge.planning import turns as room
from landbridge.planning.candidates import ASKED, Candidate, single
from landbridge.planning.search import Search
from landbridge.planning.standing import Standing
from landbridge.planning.turns import CANNOT
from landbridge.testing import toy_domain

NATIVE = codec.parse("bridges", "native")
TUNINGS = ("lora", "full", "partial(blocks=1)")


def search_of(folder: Path, scores: dict[str, float], seconds: float | None = None) -> Search:
    """A search in which the probe of each source has reached a score on validation rows."""
    domain = toy_domain("text", rows=400)
    search = Search(
        Workshop(domain, device=torch.device("cpu"), folder=folder / "work"), domain.folds[0], 0,
        Budget(seconds=seconds), Journal(folder / "journal"), 0, promise=True,
    )  # fmt: skip
    rows = search.fold.pairs[0].validation
    for source, score in scores.items():
        right = np.arange(len(rows)) < score * len(rows)
        output = np.eye(2, dtype=np.float32)[np.where(right, domain.targets[rows], 1 - domain.targets[rows])]
        standing = Standing(Candidate(recipe=single(source, NATIVE, "probe"), reason=""), search.fold.pairs)
        trial = Trial(name=source, recipe={}, validation=float(right.mean()), seconds=1.0)
        standing.attempts[0] = Attempt(trial=trial, predictor=None, output=output)
        search.standings.append(standing)
    return search


def slow(source: str, reason: str = "") -> list[Candidate]:
    return [Candidate(recipe=single(source, NATIVE, "probe", t), reason=reason) for t in TUNINGS]


def paced(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
    """Rehearsals that find given seconds by tuning."""

    def pace(workshop: Workshop, recipe: object, rows: np.ndarray, *, room: float) -> Pace | None:
        name = recipe.stages[-1].tuning.part_name  # type: ignore[attr-defined]
        return Pace(steps=(0.0, seconds[name]), checks=(0.0, 0.0), read=0.0, peak_mb=1.0, trainable=1, total=1)

    monkeypatch.setattr(room, "pace_of", pace)


def test_the_most_promising_for_its_time_comes_first(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = search_of(tmp_path, {encoder: 0.7})
    paced(monkeypatch, {"lora": 1.0, "full": 1e-3, "partial": 1e-1})
    order = [c.recipe.stages[-1].tuning.part_name for c in search._planned(slow(encoder), 100.0)]
    assert order == ["full", "partial", "lora"]
    assert all(search.turns.of(c).seconds > 0 for c in slow(encoder))


def test_in_a_run_trials_come_in_that_order_with_what_was_foretold(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = search_of(tmp_path, {encoder: 0.7})
    paced(monkeypatch, {"lora": 1.0, "full": 1e-3, "partial": 1e-1})
    short = [Candidate(recipe=single(encoder, NATIVE, "probe", t, epochs=1), reason="") for t in TUNINGS]
    found = search.run(short, [], 0.0)[1:]
    assert [s.candidate.recipe.stages[-1].tuning.part_name for s in found] == ["full", "partial", "lora"]
    assert all(s.trial is not None and s.trial.predicted is not None for s in found)
    first = found[0].trial
    assert first is not None and first.predicted is not None and first.to_json()["predicted"]["seconds"] > 0


def test_without_time_to_rehearse_the_order_stays_and_scores_are_foretold_all_the_same(
    tmp_path: Path, encoder: str
) -> None:
    search = search_of(tmp_path, {encoder: 0.7})
    assert search._planned(slow(encoder), 1e-6) == slow(encoder)
    told = [search.turns.of(c) for c in slow(encoder)]
    assert all(f is not None and f.seconds is None for f in told)


def test_a_source_far_behind_cannot_win_and_is_not_begun(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = search_of(tmp_path, {encoder: 0.97, "toy:weak": 0.35})
    paced(monkeypatch, {"lora": 1.0, "full": 1e-3, "partial": 1e-1})
    found = search.run(slow("toy:weak"), [], 0.0)[2:]  # the source does not exist: beginning would fail
    assert [s.trial.status for s in found if s.trial] == [CANNOT] * 3
    assert all(s.trial is not None and "is expected, the best has" in s.trial.reason for s in found)
    search = search_of(tmp_path, {encoder: 0.97, "toy:weak": 0.35})
    named = search.run(slow("toy:weak", ASKED), [], 0.0)[2:]
    assert [s.trial.status for s in named if s.trial] == ["failed"] * 3  # what a person named is begun


def test_above_a_perfect_probe_there_is_nothing_to_win(tmp_path: Path, encoder: str) -> None:
    search = search_of(tmp_path, {encoder: 1.0})
    found = search.run(slow(encoder), [], 0.0)[1:]
    assert {s.trial.status for s in found if s.trial} == {CANNOT}
