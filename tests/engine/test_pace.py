"""What a rehearsal foretells of a recipe, and that it changes nothing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core import codec
from landbridge.core.model import weights_hash
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.pace import Pace, available_mb, lengths_of, pace_of
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import single
from landbridge.testing import toy_domain

NATIVE = codec.parse("bridges", "native")


def workshop_of(folder: Path, rows: int = 240) -> Workshop:
    return Workshop(toy_domain("text", rows=rows), device=torch.device("cpu"), folder=folder)


@pytest.mark.parametrize("tuning", ["full", "partial(blocks=1)", "lora(rank=2, targets='auto')"])
def test_the_time_of_a_recipe_is_foretold_within_a_factor(tmp_path: Path, encoder: str, tuning: str) -> None:
    workshop, recipe = workshop_of(tmp_path), single(encoder, NATIVE, "probe", tuning, epochs=12, patience=0)
    pair, rest = workshop.domain.folds[0].pairs[0], workshop.domain.folds[0].rest
    made = pace_of(workshop, recipe, rest)
    assert made is not None and made.steps[0] == 0.0 and made.steps[1] > 0 and made.peak_mb > 10
    road = workshop.road(encoder, NATIVE, rest)
    foretold = made.seconds(recipe, lengths_of(road, pair.train), lengths_of(road, pair.validation), len(pair.train))
    workshop.features(road, (), rest)
    factors: list[float] = []
    while len(factors) < 3 and not any(1 / 4 < f < 4 for f in factors):  # a busy machine may slow either
        began = time.monotonic()
        attempt(workshop, Order(recipe=recipe, train=pair.train, validation=pair.validation))
        factors.append(foretold / (time.monotonic() - began))
    assert any(1 / 4 < f < 4 for f in factors), factors


def test_a_rehearsal_leaves_the_source_as_it_was(tmp_path: Path, encoder: str) -> None:
    workshop = workshop_of(tmp_path)
    rest = workshop.domain.folds[0].rest
    road = workshop.road(encoder, NATIVE, rest)
    before, drawn = weights_hash(road.body.net), torch.get_rng_state()
    pace_of(workshop, single(encoder, NATIVE, "probe", "full"), rest)
    assert weights_hash(road.body.net) == before and torch.equal(torch.get_rng_state(), drawn)


def test_what_was_rehearsed_is_kept_and_too_little_room_is_said(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop, recipe = workshop_of(tmp_path), single(encoder, NATIVE, "probe", "full")
    rest = workshop.domain.folds[0].rest
    assert pace_of(workshop, recipe, rest, room=1e-9) is None
    made = pace_of(workshop, recipe, rest)
    monkeypatch.setattr("landbridge.engine.pace.rehearse", lambda *a: pytest.fail("rehearsed twice"))
    assert pace_of(workshop_of(tmp_path), recipe, rest, room=1e-9) == made
    for file in workshop.notes.iterdir():
        file.write_text("{torn")
    assert pace_of(workshop, recipe, rest, room=1e-9) is None


def test_lengths_of_many_rows_come_from_some_of_them(tmp_path: Path, encoder: str) -> None:
    workshop = workshop_of(tmp_path, rows=600)
    rest = workshop.domain.folds[0].rest
    road = workshop.road(encoder, NATIVE, rest)
    whole = float(road.supply.lengths(rest).sum())
    assert lengths_of(road, rest) == pytest.approx(whole, rel=0.05) and lengths_of(road, rest[:0]) == 0.0
    assert available_mb(torch.device("cpu")) > 10


def test_seconds_are_linear_in_what_is_trained_on() -> None:
    recipe = single("toy:text", NATIVE, "probe", "full", epochs=2)
    pace = Pace(steps=(0.0, 1e-3), checks=(0.0, 0.0), read=0.0, peak_mb=1.0, trainable=1, total=1)
    seconds = [pace.seconds(recipe, float(n), 0.0, 10) for n in (100, 200)]
    assert np.diff(seconds) == pytest.approx([0.2])
