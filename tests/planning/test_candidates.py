"""What is proposed for each kind and size of data, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from landbridge.core import codec, registry
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.recipe import Recipe
from landbridge.planning.candidates import Offer, anew, controls, part, propose, routes, scratch, single
from landbridge.planning.foretell import kind
from landbridge.planning.opening import asked_for, over_a_bridge
from landbridge.planning.sources import default_sources, readable
from landbridge.testing import toy_domain
from landbridge.unlabelled_road import pretrain


@pytest.mark.parametrize(
    ("modality", "reads", "bridge"),
    [("text", "text", "native"), ("image", "image", "native"), ("audio", "image", "spectrogram"),
     ("series", "image", "plot"), ("table", "text", "describe")],
)  # fmt: skip
def test_every_modality_has_a_road_and_is_proposed_probes_first(modality: str, reads: str, bridge: str) -> None:
    assert bridge in routes(modality, reads)
    found = propose(toy_domain(modality), [Offer(f"toy:{reads}", reads)])
    moves = [any(s.tuning.part_name != "probe" for s in c.recipe.stages) for c in found]
    assert not moves[0] and moves == sorted(moves) and any(moves)
    assert all(c.reason and c.role == "candidate" for c in found)
    assert len({c.recipe for c in found}) == len(found)
    tuned = [c.recipe for c in found if c.recipe.stages[-1].tuning.part_name != "probe"]
    assert tuned and all(Recipe.from_json(r.to_json()) == r for r in tuned)


def test_where_no_bridge_leads_the_way_out_is_said() -> None:
    assert routes("image", "text") == []
    with pytest.raises(UsageError, match="no bridge leads from image to the given sources"):
        propose(toy_domain("image"), [Offer("toy:text", "text")])
    assert propose(toy_domain("image"), [Offer("toy:text", "text"), Offer("toy:image", "image")])


def test_names_are_examples_only_where_labels_are_few_and_classes_are_words() -> None:
    def named(domain) -> bool:
        return any("names=True" in c.recipe.name for c in propose(domain, [Offer("toy:text", "text")]))

    few = toy_domain("text", rows=60)
    assert named(few) and not named(toy_domain("text", rows=600))
    assert not named(replace(few, task=type(few.task).from_labels(["0", "1"])))


def test_texts_are_drawn_together_by_pairs_where_labels_are_few() -> None:
    def drawn(domain) -> list[Recipe]:
        reads = domain.modality.part_name
        found = [c.recipe for c in propose(domain, [Offer(f"toy:{reads}", reads)])]
        return [r for r in found if r.stages[0].objectives[0].part_name == "contrastive"]

    (recipe,) = drawn(toy_domain("text", rows=60))
    assert [s.tuning.part_name for s in recipe.stages] == ["full", "probe"]
    assert codec.text(recipe.stages[0].objectives[0]) == "contrastive"
    (fewer,) = drawn(toy_domain("text", rows=24))
    pulls = fewer.stages[0], recipe.stages[0]  # a batch each, so that epochs are steps
    assert pulls[0].lr < pulls[1].lr and pulls[0].epochs < pulls[1].epochs  # the fewest rows are not followed as far
    names = [f"kind {chr(97 + n)}" for n in range(12)]
    (many,) = drawn(replace(toy_domain("text", rows=60), task=registry.find("tasks", "classify").from_labels(names)))
    assert codec.text(many.stages[0].objectives[0]) == "contrastive(kind='supcon')"
    assert not drawn(toy_domain("text", rows=600)) and not drawn(toy_domain("image", rows=60))
    numbers = registry.find("tasks", "regress").from_labels([0.5, 1.5, 2.0])
    assert not drawn(toy_domain("text", rows=60, task=numbers))


def test_controls_are_the_trivial_one_and_the_rivals_of_the_modality() -> None:
    for modality, rival in {"text": "tfidf", "image": "pixels", "audio": "melstats", "table": "boosted",
                            "series": "rocket"}.items():  # fmt: skip
        found = {c.recipe.source: c.role for c in controls(toy_domain(modality))}
        assert found["rival:trivial"] == "trivial" and found[f"rival:{rival}"] == "rival"
        assert list(found.values()).count("trivial") == 1


def test_the_scratch_control_is_the_same_architecture_over_the_same_bridge_in_small() -> None:
    recipe = single("scratch:convnet", part("bridges", "native"), "probe", "full")
    control = scratch(recipe, "image")
    assert control.source == "scratch:convnet" and control.bridge == part("bridges", "native(size=96)")
    assert scratch(recipe, "audio").bridge == recipe.bridge and not scratch(recipe, "audio").stages[-1].patience
    assert scratch(single("embedded:minilm", recipe.bridge, "probe"), "text").source == "scratch:embedded:minilm"


def test_sources_at_hand_are_those_that_a_bridge_reaches() -> None:
    assert "embedded:minilm" in default_sources(toy_domain("text"))
    assert default_sources(toy_domain("table"))[0] == "embedded:tables"
    assert "embedded:minilm" not in default_sources(toy_domain("image"))
    assert readable("scratch:convnet", toy_domain("image")) == ("scratch:convnet", "image", False)


@pytest.mark.parametrize(("source", "reads"), [("embedded:minilm", "text"), ("convnet", "image")])
def test_the_scratch_control_begins_and_moves_as_its_architecture_bears(source: str, reads: str) -> None:
    """By hand: 0.0002 and ten times as much with batch norm; 0.00005, twice as much and a solved head without."""
    control = scratch(single(f"scratch:{source}", part("bridges", "native"), "probe"), reads)
    norms = reads == "image"
    assert [s.tuning.part_name for s in control.stages] == (["full"] if norms else ["probe", "full"])
    last = control.stages[-1]
    body = registry.find("sources", "scratch")().open(source)
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in body.net.modules()) == norms
    model = Model(body, torch.nn.Linear(body.width, 2))
    assert last.lr == 0.0 and last.tuning.attach(model).lr == pytest.approx(2e-3 if norms else 1e-4)


@pytest.mark.parametrize(("rows", "epochs"), [(40, 30), (600, 16), (9000, 4)])
def test_a_source_of_generated_pictures_learns_all_anew_longer_where_rows_are_few(rows: int, epochs: int) -> None:
    recipe = anew("embedded:pictures", part("bridges", "native"), rows)
    assert [codec.text(s.tuning).split("(")[0] for s in recipe.stages] == ["probe", "full"]
    assert recipe.stages[-1].epochs == epochs and "norm_statistics='moving'" in codec.text(recipe.stages[-1].tuning)
    assert kind(recipe) == "anew"
    domain = toy_domain("image")
    proposed = [c.recipe for c in propose(domain, [readable("embedded:pictures", domain)])]
    learning = [r for r in proposed if "full" in r.name]
    assert [r.stages[-1].tuning for r in learning] == [recipe.stages[-1].tuning] and proposed[-1] == learning[0]
    others = propose(domain, [Offer("toy:image", "image")])
    assert not any("moving" in c.recipe.name for c in others)


def test_series_are_read_as_curves_and_then_all_of_the_source_moves_at_a_rate_that_fits_it() -> None:
    domain = toy_domain("series")
    proposed = [c.recipe for c in propose(domain, [readable("embedded:series", domain)])]
    assert {codec.text(r.bridge) for r in proposed} == {"curves"}
    assert [codec.text(r.stages[-1].tuning) for r in proposed] == [
        "probe(head='lda', normalise='no', standardise='no')", "probe", "probe(head='kernel')",
        "full(head_scale=2.0, norm_statistics='moving')",
    ]  # fmt: skip
    assert proposed[-1].stages[-1].lr == 3e-4 and kind(proposed[-1]) == "anew over curves"


def test_what_has_learnt_on_from_generated_pictures_is_tuned_gently(tmp_path: Path) -> None:
    pretrain(toy_domain("image"), "embedded:pictures", epochs=1, out=tmp_path / "made")
    source = readable(f"artifact:{tmp_path / 'made'}", toy_domain("image"))
    assert not source.generated and "anew" not in {kind(c.recipe) for c in propose(toy_domain("image"), [source])}
    assert readable("embedded:pictures", toy_domain("image")).generated


@pytest.mark.parametrize(
    ("source", "bridge", "told"),
    [
        ("embedded:series", "native", "native: does not lead from series .* reads curves; use --bridge curves"),
        ("embedded:pictures", "curves", "curves: does not lead from series .* reads image; use --bridge plot"),
        ("embedded:minilm", "native", "native: does not lead from series .* reads text; no bridge does"),
    ],
)
def test_a_bridge_that_does_not_lead_there_is_refused_with_those_that_do(source: str, bridge: str, told: str) -> None:
    domain = toy_domain("series")
    with pytest.raises(UsageError, match=told):
        asked_for([single(source, part("bridges", bridge), "probe")], domain)
    fitting = {"embedded:series": "curves", "embedded:pictures": "plot"}.get(source)
    if fitting:
        (made,) = asked_for([single(source, part("bridges", fitting), "probe")], domain)
        assert made.role == "candidate"


def test_where_no_bridge_is_named_the_one_that_leads_there_is_taken() -> None:
    def taken(modality: str, source: str) -> str:
        recipe = single(source, part("bridges", "native"), "probe")
        return codec.text(over_a_bridge(recipe, toy_domain(modality)).bridge)

    assert taken("series", "embedded:series") == "curves" and taken("series", "embedded:pictures") == "plot(size=96)"
    assert taken("audio", "embedded:pictures") == "spectrogram(size=64)" and taken("table", "rival:boosted") == "native"
    assert taken("image", "embedded:pictures") == taken("series", "embedded:minilm") == "native"  # fits; none does
