"""What a tuning leaves in a model is saved, comes back to the bit, and goes on into the next run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core import codec, registry
from landbridge.core.artifact import read_artifact
from landbridge.core.domain import Domain
from landbridge.core.errors import ArtifactError
from landbridge.core.recipe import Recipe, Stage
from landbridge.delivery.artifact import Adapted, Delivery, load, save
from landbridge.engine.attempt import Attempt, Order, attempt
from landbridge.engine.predictor import ModelPredictor, rebuild
from landbridge.engine.workshop import Workshop
from landbridge.testing import toy_domain

STAYING = ("adapter", "prompt(length=3)", "prefix(length=2, where='upper')", "ladder(reduction=2)")
NATIVE, OBJECTIVES = codec.parse("bridges", "native"), (codec.parse("objectives", "supervised"),)


EVIDENCE = {
    "schema": 1,
    "name": "toy",
    "headline": "",
    "chosen": {"name": "", "recipe": {}},
    "seconds": 1.0,
    "budget_s": None,
    "domain": {"modality": "text", "task": "classify", "train": 9, "validation": 3, "test": 10, "classes": 2},
    "test": {"metric": "accuracy", "value": 0.9, "interval": [0.6, 1.0], "opened": 1},
    "controls": [{"name": "rival", "value": 0.5, "interval": [0.3, 0.7]}],
    "gain": {"value": 0.4, "interval": [0.1, 0.6], "against": "rival", "verdict": "gain"},
    "trials": [],
    "checks": [],
}


def run(domain: Domain, folder: Path, source: str, *tunings: str) -> tuple[Attempt, Recipe]:
    """A trained attempt of a few steps, and its recipe."""
    stages = tuple(Stage(tuning=codec.parse("tunings", t), objectives=OBJECTIVES, epochs=2, lr=1e-2) for t in tunings)
    recipe = Recipe(source=source, bridge=NATIVE, stages=stages)
    pair = domain.folds[0].pairs[0]
    workshop = Workshop(domain, device=torch.device("cpu"), folder=folder)
    return attempt(workshop, Order(recipe=recipe, train=pair.train, validation=pair.train[:0])), recipe


def deliver(folder: Path, domain: Domain, done: Attempt, recipe: Recipe, *, fresh: bool = False) -> Adapted:
    """The attempt as an artifact, proven on real rows."""
    assert isinstance(done.predictor, ModelPredictor)
    delivery = Delivery(
        predictor=done.predictor,
        task=domain.task,
        modality=domain.modality,
        recipe=recipe,
        reading=domain.reading,
        evidence=EVIDENCE,
        render=lambda found: json.dumps(found),
        source_files=done.predictor.model.body.files(),
    )
    return save(folder, delivery, [domain.example(i) for i in range(6)], fresh=fresh)


@pytest.mark.parametrize("tuning", STAYING)
def test_the_predictor_comes_back_to_the_bit(tmp_path: Path, encoder: str, tuning: str) -> None:
    domain = toy_domain("text", rows=32)
    done, _ = run(domain, tmp_path, encoder, "probe", tuning)
    assert isinstance(done.predictor, ModelPredictor)
    facts, arrays = done.predictor.state()
    body = done.predictor.model.body
    assert facts["inserts"] == [codec.to_json(codec.parse("tunings", tuning))]
    inserted = {n for n in arrays if n.startswith("inserts/")}
    assert {n.removeprefix("inserts/") for n in inserted} == set(body.inserts.state_dict())
    assert {n for n in arrays if n.startswith("body/")} == {f"body/{n}" for n in body.net.state_dict()}
    again = rebuild(json.loads(json.dumps(facts)), arrays, body.files(), domain.task)
    examples = list(domain.examples(np.arange(8)))
    assert np.array_equal(again.predict(examples), done.predictor.predict(examples))
    with torch.no_grad():  # the insert matters: without it the answers differ
        for parameter in body.inserts.parameters():
            parameter.zero_()
    assert not np.allclose(again.predict(examples), done.predictor.predict(examples), atol=1e-6)
    torn = {n: a for n, a in arrays.items() if n not in sorted(inserted)[:1]}
    with pytest.raises(ArtifactError, match="do not fit the inserts of the artifact"):
        rebuild(facts, torn, body.files(), domain.task)


def test_an_artifact_of_a_convolutional_net_with_adapters_in_a_new_process(tmp_path: Path) -> None:
    domain = toy_domain("image", rows=24)
    done, recipe = run(domain, tmp_path / "work", "scratch:convnet", "adapter(reduction=4)")
    adapted = deliver(tmp_path / "a", domain, done, recipe, fresh=True)
    assert adapted.evidence["parity"]["max_difference"] < 1e-6 and adapted.evidence["parity"]["labels_agree"] == 1.0
    moved = tmp_path / "moved"
    adapted.path.rename(moved)
    examples = list(domain.examples(np.arange(6)))
    assert np.array_equal(load(moved).output(examples), done.predictor.predict(examples))


def test_an_embedded_source_is_named_and_its_insert_kept(tmp_path: Path) -> None:
    domain = toy_domain("text", rows=24)
    done, recipe = run(domain, tmp_path / "work", "embedded:minilm", "prefix(length=2)")
    adapted = deliver(tmp_path / "a", domain, done, recipe)
    names = {n for n in read_artifact(tmp_path / "a").arrays if not n.startswith("head/")}
    assert names == {"inserts/0.tokens"}  # the net did not move by a bit
    examples = list(domain.examples(np.arange(6)))
    assert np.array_equal(adapted.output(examples), done.predictor.predict(examples))


@pytest.mark.parametrize("first", ["adapter(where='upper')", "prompt(length=2)", "ladder"])
def test_an_artifact_with_an_insert_is_a_source_for_the_next(tmp_path: Path, encoder: str, first: str) -> None:
    domain = toy_domain("text", rows=24)
    done, recipe = run(domain, tmp_path / "work", encoder, first)
    one = deliver(tmp_path / "one", domain, done, recipe)
    source = registry.find("sources", "artifact")()
    opened, blank = (source.open(str(one.path), weights=w) for w in (True, False))
    kept, random = (b.inserts.state_dict() for b in (opened, blank))
    assert all(torch.equal(t, kept[n]) for n, t in done.predictor.model.body.inserts.state_dict().items())
    assert set(random) == set(kept) and any(not torch.equal(random[n], kept[n]) for n in kept)
    again, further = run(domain, tmp_path / "work2", f"artifact:{one.path}", "probe", "partial(1)", "adapter")
    assert isinstance(again.predictor, ModelPredictor)
    inserts = [i.tuning for i in again.predictor.model.body.inserts]
    assert inserts == [codec.parse("tunings", t) for t in (first, "adapter")]
    two = deliver(tmp_path / "two", domain, again, further)
    one.path.rename(tmp_path / "gone")  # the second stands by itself
    examples = list(domain.examples(np.arange(6)))
    assert np.array_equal(load(two.path).output(examples), again.predictor.predict(examples))
    third = source.open(str(two.path))
    rebuilt = source.rebuild(third.files())
    assert [i.tuning for i in rebuilt.inserts] == [i.tuning for i in third.inserts] == inserts
