"""A mean of answers: recomputed by hand, blind to what a softmax is blind to, and rebuilt from what it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core import codec
from landbridge.core.artifact import BESIDE
from landbridge.core.domain import Domain
from landbridge.core.errors import ArtifactError
from landbridge.core.recipe import Recipe
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.ensemble import CHUNK, Ensemble, mean_of, spread_of
from landbridge.engine.predictor import ModelPredictor, first_model, rebuild, source_files
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import single
from landbridge.tasks.classify import Classify
from landbridge.tasks.regress import Regress
from landbridge.testing import toy_domain

NATIVE = codec.parse("bridges", "native")
CLASSES = Classify(classes=("a", "b", "c"))


@pytest.fixture
def domain() -> Domain:
    """Toy texts."""
    return toy_domain("text", rows=80)


@pytest.fixture
def members(domain: Domain, encoder: str, tmp_path: Path) -> list[ModelPredictor]:
    """A probe, a tuned model and a rival, trained on the same rows."""
    shop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path / "work")
    rival = Recipe(source="rival:tfidf", bridge=NATIVE, stages=())
    ways = [single(encoder, NATIVE, "probe"), single(encoder, NATIVE, "probe", "partial(1)", epochs=1), rival]
    rows = domain.folds[0].rest
    return [attempt(shop, Order(recipe=r, train=rows, validation=rows[:0], seed=0)).predictor for r in ways]


def test_the_mean_by_hand() -> None:
    one, two = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]), np.array([[10.0, 40.0, 10.0], [0.0, 0.0, 30.0]])
    wanted = [
        [2 * ((1.0) / 2 + (-10.0) / 5) / 2, 2 * ((-1.0) / 2 + 20.0 / 5) / 2, 2 * (0.0 / 2 + (-10.0) / 5) / 2],
        [2 * (-1.0 / 2 + -10.0 / 5) / 2, 2 * (2.0 / 2 + -10.0 / 5) / 2, 2 * (-1.0 / 2 + 20.0 / 5) / 2],
    ]
    found = mean_of([one, two], [2.0, 5.0], centred=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(mean_of([one, two], [1.0, 1.0], centred=False), (one + two) / 2)


def test_what_a_softmax_is_blind_to_and_how_loud_a_member_is_make_no_difference() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    louder = 50.0 * two + rng.normal(size=(20, 1))
    plain = mean_of([one, two], [spread_of(o, CLASSES) for o in (one, two)], centred=True)
    other = mean_of([one, louder], [spread_of(o, CLASSES) for o in (one, louder)], centred=True)
    np.testing.assert_allclose(plain, other, atol=1e-5)
    assert spread_of(one, CLASSES) == pytest.approx((one - one.mean(1, keepdims=True)).std())
    assert spread_of(np.full((4, 3), 7.0), CLASSES) > 0  # who says nothing is divided by no nought
    assert spread_of(100.0 * one[:, :1], Regress.from_labels([1.0, 2.0, 5.0])) == 1.0  # a value's unit is the target's


def test_it_answers_a_stream_chunk_by_chunk_in_order() -> None:
    class Lengths:
        """Says how long a text is."""

        def predict(self, examples: Iterator[str]) -> np.ndarray:
            found = [[float(len(e)), 0.0, 0.0] for e in examples]
            assert len(found) <= CHUNK
            return np.array(found, np.float32).reshape(-1, 3)

        def state(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
            return {}, {}

    texts = ["x" * (n % 7) for n in range(CHUNK + 5)]
    found = Ensemble([Lengths(), Lengths()], [1.0, 1.0], centred=False).predict(iter(texts))
    np.testing.assert_array_equal(found[:, 0], [len(t) for t in texts])
    assert Ensemble([Lengths(), Lengths()], [1.0, 1.0], centred=True).predict([]).shape == (0, 3)


def test_it_comes_back_from_what_it_wrote_and_a_frozen_body_is_written_once(
    domain: Domain, members: list[ModelPredictor]
) -> None:
    made = Ensemble(members, [1.0, 2.0, 0.5], centred=True)
    facts, arrays = made.state()
    files = source_files(made)
    alone, own = members[0].state()
    assert {n: facts[n] for n in alone} == alone and all(np.array_equal(arrays[n], own[n]) for n in own)
    tuned = [n for n in members[1].state()[1] if f"{BESIDE}1/{n}" in arrays]
    assert 0 < len(tuned) < len(own) and any(n.startswith("body/") for n in tuned)
    assert {n for n in files if not n.startswith(BESIDE)} == set(members[0].model.body.files())
    assert {n.removeprefix(f"{BESIDE}1/") for n in files if n.startswith(BESIDE)} == set(members[1].model.body.files())
    again = rebuild(facts, arrays, files, domain.task)
    examples = list(domain.examples(np.arange(30)))
    assert isinstance(again, Ensemble) and len(again.members) == 3
    np.testing.assert_allclose(again.predict(examples), made.predict(examples), atol=1e-5)
    parts = [m.predict(examples) for m in members]
    np.testing.assert_allclose(made.predict(examples), mean_of(parts, [1.0, 2.0, 0.5], centred=True), atol=1e-6)
    assert first_model(made) is members[0] and first_model(members[2]) is None


def test_what_is_missing_of_a_member_is_said(domain: Domain, members: list[ModelPredictor]) -> None:
    made = Ensemble(members[:2], [1.0, 1.0], centred=True)
    facts, arrays = made.state()
    torn: Mapping[str, np.ndarray] = {n: a for n, a in arrays.items() if not n.startswith(f"{BESIDE}1/body/")}
    with pytest.raises(ArtifactError, match="do not fit"):
        rebuild(facts, torn, source_files(made), domain.task)
