"""Objectives without labels in the engine: views are made for them, stages stop and resume in the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_builders import make_loop, weights
from test_resume import Interrupted, Killing

from landbridge.core import codec, registry
from landbridge.core.errors import UsageError
from landbridge.core.recipe import Recipe, Stage
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.checkpoint import Checkpoint
from landbridge.engine.workshop import Workshop
from landbridge.nn.strong_views import strong_views
from landbridge.testing import toy_domain

OVER = {"masked_language": "text", "masked_features": "table"}
LEARNING = ("simclr", "simsiam", "vicreg", "barlow", "dino", "masked", "masked_language", "masked_features", "latent")


def loop(name: str, **given: Any) -> Any:
    objective = registry.find("objectives", name)()
    made = make_loop("full(dropout=True)", reads=OVER.get(name, "image"), objectives=(objective,), lr=1e-3,
                     validate=False, **given)  # fmt: skip
    looks = getattr(objective, "views", 0)
    strong = strong_views(None, made.feed.supply.inputs(made.feed.train[:1]))
    object.__setattr__(made.feed, "looks", looks)
    object.__setattr__(made.feed, "strong", strong)
    return made


@pytest.mark.parametrize("name", LEARNING)
def test_stop_and_resume_is_bit_equal(name: str, tmp_path: Path) -> None:
    straight = loop(name, epochs=3)
    expected = straight.run()
    killing = Killing(tmp_path / "c", every=0.0)
    killing.at = 2
    with pytest.raises(Interrupted):
        loop(name, epochs=3, checkpoint=killing).run()
    resumed = loop(name, epochs=3, checkpoint=Checkpoint(tmp_path / "c", every=0.0))
    seen = resumed.run()
    assert [p["loss"] for p in seen.curve] == [p["loss"] for p in expected.curve]
    after = weights(resumed)
    assert all(torch.equal(after[n], t) for n, t in weights(straight).items())


def _order(tmp_path: Path, *stages: Stage, **given: Any) -> tuple[Workshop, Order]:
    domain = toy_domain("image", rows=48)
    pair = domain.folds[0].pairs[0]
    recipe = Recipe(source="scratch:convnet", bridge=codec.parse("bridges", "native(size=32)"), stages=stages)
    workshop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path)
    return workshop, Order(recipe=recipe, train=pair.train, validation=pair.validation, **given)


def _stage(tuning: str, objective: str, **length: Any) -> Stage:
    objectives = tuple(codec.parse("objectives", o) for o in objective.split("+"))
    return Stage(tuning=codec.parse("tunings", tuning), objectives=objectives, **length)


def test_a_stage_without_labels_runs_its_whole_length_and_the_next_is_judged(tmp_path: Path) -> None:
    first = _stage("full", "simclr", epochs=3, patience=1, batch=8)
    workshop, order = _order(tmp_path, first, _stage("full", "supervised", epochs=2))
    done = attempt(workshop, order)
    by_stage = [[p for p in done.trial.curve if p["stage"] == s] for s in (0.0, 1.0)]
    assert len(by_stage[0]) == 3 and all("validation" not in p for p in by_stage[0])
    assert all("validation" in p for p in by_stage[1])
    assert done.trial.validation is not None


def test_a_held_checkpoint_ends_training_at_once_when_the_order_is_repeated(tmp_path: Path) -> None:
    told: list[float] = []
    given = {"checkpoint": tmp_path / "key", "hold": True, "tell": lambda done, loss: told.append(done)}
    stage = _stage("full", "masked", epochs=2, batch=8)
    first = attempt(*_order(tmp_path, stage, **given))
    steps = len(told)
    assert told[-1] == 1.0 and steps > 2
    again = attempt(*_order(tmp_path, stage, **given))
    assert len(told) == steps, "no further step was taken"
    states = [d.predictor.model.body.net.state_dict() for d in (first, again)]
    assert all(torch.equal(states[0][n], states[1][n]) for n in states[0])


@pytest.mark.parametrize("objective", ["simclr", "masked"])
def test_what_the_tuning_freezes_must_not_be_all(tmp_path: Path, objective: str) -> None:
    with pytest.raises(UsageError, match=f"^{objective}: does not train the head, and probe moves nothing else"):
        attempt(*_order(tmp_path, _stage("probe", objective)))


def test_beside_labels_an_objective_shares_the_stage(tmp_path: Path) -> None:
    done = attempt(*_order(tmp_path, _stage("partial(2)", "supervised+simclr(strength=0.1)", epochs=2, batch=8)))
    assert np.isfinite([p["loss"] for p in done.trial.curve]).all() and done.trial.validation is not None
