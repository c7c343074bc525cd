"""The recipe of the table head: its tables, its training, and what the product makes of a head so trained."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from landbridge.bridges.columns import Columns
from landbridge.core.domain import Domain, Fold, Pair
from landbridge.core.errors import UsageError
from landbridge.core.registry import find
from landbridge.delivery.artifact import Delivery, save
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.workshop import Workshop
from landbridge.nn.cells import UNIT
from landbridge.nn.table_net import TableShape
from landbridge.planning.candidates import Offer, propose, scratch
from landbridge.sources.tables import write_folder
from landbridge.testing import toy_body

SHAPE = TableShape(cell_width=16, cell_layers=1, row_width=16, row_layers=1, head_width=8, marks=4)


@pytest.fixture(scope="module")
def head(recipe, tmp_path_factory):
    """A small head that was trained for a second, and its loss before and after."""
    prior, train = recipe
    run = train.begin(0, 40, 800, SHAPE)
    held = prior.tables(prior.Size(12, 100, 3, 60), torch.Generator().manual_seed(7))

    def loss() -> float:
        with torch.no_grad():
            return train._loss(train._logits(run.net.eval(), held, torch.Generator().manual_seed(1)), held).item()

    before = loss()
    for _ in range(40):
        run.advance()
    folder = tmp_path_factory.mktemp("head")
    write_folder(folder, run.net, {"licence": "apache-2.0"})
    return folder, before, loss()


def _domain(rows: int = 160, outputs: int = 2) -> Domain:
    """A class that two of three columns tell."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, 2))
    labels = ((values[:, 0] + values[:, 1] > 0) * (outputs - 1)).astype(np.int64)
    cells = [
        {"a": float(a), "b": float(b), "c": "xyz"[i % 3], "d": None if i % 5 else 1.0}
        for i, (a, b) in enumerate(values)
    ]
    train, rest = np.arange(rows // 2), np.arange(rows // 2, rows)
    fold = Fold(test=rest[len(rest) // 2 :], pairs=(Pair(train=train, validation=rest[: len(rest) // 2]),))
    return Domain(
        name="easy", modality=find("modalities", "table")(), cells=cells, targets=labels, folds=(fold,),
        task=find("tasks", "classify")(classes=tuple(f"c{k}" for k in range(outputs))), fingerprint="easy",
        reading={"modality": "table", "columns": {"a": "number", "b": "number", "c": "category", "d": "number"}},
    )  # fmt: skip


def test_tables_of_a_step_follow_their_seed_and_are_whole(recipe):
    prior, _ = recipe
    size = prior.Size(6, 200, 7, 120)
    first, again, other = (prior.tables(size, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(first.cells, again.cells) and torch.equal(first.labels, again.labels)
    assert not torch.equal(first.cells, other.cells)
    assert first.cells.shape == (6, 200, 7, 4) and bool(torch.isfinite(first.cells).all())
    assert bool((first.labels < first.classes[:, None]).all()) and int(first.classes.min()) >= 2
    assert float(first.cells.abs().max()) <= 4.0


def test_training_scales_columns_as_the_bridge_does(recipe):
    prior, _ = recipe
    values = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 100, 1))).float()
    gone = torch.zeros_like(values, dtype=torch.bool)
    gone[0, ::7] = True
    made = prior.as_cells(values, gone, torch.zeros(1, 1, dtype=torch.bool), 100)[0, :, 0]
    rows = [{"x": None if g else float(v)} for v, g in zip(values.flatten(), gone.flatten(), strict=True)]
    table = replace(_domain(100), cells=rows, reading={"columns": {"x": "number"}})
    body = toy_body("columns")
    joined = Columns().connect(body, Columns().fit(body, table, np.arange(100)))
    got = torch.from_numpy(np.stack([joined.prepare(row)["cells"][0] for row in rows]) / UNIT)
    torch.testing.assert_close(got[:, [0, 2, 3]].float(), made[:, [0, 2, 3]], atol=2e-3, rtol=0)
    torch.testing.assert_close(got[:, 1].float(), made[:, 1], atol=0.25, rtol=0.05)  # the outer values cut alike


def test_stopped_and_gone_on_it_comes_to_the_same_bits(recipe, tmp_path):
    _, train = recipe

    def run(*stops: int) -> dict[str, torch.Tensor]:
        folder = tmp_path / str(len(stops))
        folder.mkdir()
        for stop in stops:
            found = train.begin(0, 6, 400, SHAPE)
            if (folder / "checkpoint.safetensors").is_file():
                found.load(folder / "checkpoint.safetensors")
            assert train.train(found, folder, minutes=10.0, stop=stop, every=1e9) == (stop == 6)
        return found.net.state_dict()

    whole, pieces = run(6), run(2, 6)
    assert all(torch.equal(pieces[name], value) for name, value in whole.items())
    with pytest.raises(SystemExit, match="was made with seed 0 and 400 cells"):
        train.begin(1, 6, 400, SHAPE).load(tmp_path / "1" / "checkpoint.safetensors")


def test_a_run_begins_with_the_weights_of_another_and_its_card_says_so(head, recipe, tmp_path):
    _, train = recipe
    run = train.begin(1, 2, 400, SHAPE)
    told = train.begun(run, head[0])["begun with"]
    before = load_file(head[0] / "tables.safetensors")
    assert all(torch.equal(run.net.state_dict()[name].half(), value) for name, value in before.items())
    assert told == {"sha256": json.loads((head[0] / "tables.json").read_text())["sha256"]}
    run.advance()
    write_folder(tmp_path / "next", run.net, {"licence": "apache-2.0", "begun with": told})
    assert train.begun(train.begin(2, 2, 400, SHAPE), tmp_path / "next")["begun with"]["begun with"] == told


def test_a_few_steps_teach_it_something(head):
    _, before, after = head
    assert after < before - 0.01


def test_it_is_proposed_tried_saved_and_loaded(head, tmp_path):
    domain, source = _domain(), f"tables:{head[0]}"
    [candidate] = propose(domain, [Offer(source, "columns")])
    assert candidate.recipe.name.startswith("probe(head='context')")
    workshop, pair = Workshop(domain, device=torch.device("cpu"), folder=tmp_path), domain.folds[0].pairs[0]
    made = attempt(workshop, Order(recipe=candidate.recipe, train=pair.train, validation=pair.validation))
    assert made.output.shape == (40, 2) and np.ptp(made.output[:, 0]) > 0  # rows are told apart
    control = scratch(candidate.recipe, "table")
    assert attempt(workshop, Order(recipe=control, train=pair.train, validation=pair.validation)).trial.trainable > 0
    delivery = Delivery(
        predictor=made.predictor, task=domain.task, modality=domain.modality, recipe=candidate.recipe,
        reading=domain.reading, render=lambda evidence: "<html></html>",
        evidence={
            "name": "easy", "headline": "", "gain": {}, "controls": [], "test": {"metric": "accuracy", "value": 0.9},
            "domain": {
                "modality": "table", "task": "classify", "train": 80, "validation": 40, "test": 40, "classes": 2
            },
        },
        source_files=workshop.road(source, candidate.recipe.bridge, np.arange(120)).body.files(),
    )  # fmt: skip
    examples = list(domain.examples(domain.folds[0].test))
    loaded = save(tmp_path / "artifact", delivery, examples, fresh=False)
    np.testing.assert_array_equal(loaded.output(examples), made.predictor.predict(examples))
    card = (tmp_path / "artifact" / "card.md").read_text()
    assert "holds 80 training rows" in card
    json.dumps(made.predictor.state()[0])


def test_what_it_is_not_made_for_is_not_proposed(head):
    source = [Offer(f"tables:{head[0]}", "columns")]
    with pytest.raises(UsageError, match="not made for classify with 11 outputs"):
        propose(_domain(outputs=11), source)
    values = replace(_domain(), task=find("tasks", "regress").from_labels([0.0, 1.0, 2.0]))
    with pytest.raises(UsageError, match="not made for regress"):
        propose(values, source)


def test_the_card_says_what_every_shipped_card_says(recipe):
    _, train = recipe
    card = train.card_of(train.begin(3, 6, 400, SHAPE), 80.0, {"loss": 0.5, "accuracy": 0.75}, 0.7)
    assert {"data", "objective", "minutes", "hardware", "probes", "recipe"} <= set(card)
    assert card["recipe"].startswith("recipes/table_head/train.py OUT --minutes 80 --cells 400 --seed 3")
    assert card["probes"]["generated tables, held out"] == {
        "loss": 0.5, "accuracy": 0.75, "accuracy of untuned gradient boosting": 0.7,
    }  # fmt: skip


def test_tables_grow_from_small_to_any_size(recipe):
    prior, _ = recipe
    draws = [
        [prior.size_of(prior.Draw(torch.Generator().manual_seed(n)), 24_000, grown) for n in range(200)]
        for grown in (0.0, 0.5, 1.0, 3.0)
    ]
    rows = [max(s.rows for s in sizes) for sizes in draws]
    columns = [max(s.columns for s in sizes) for sizes in draws]
    assert rows == [128, 384, 1152, 1152] and columns[0] <= 5 < columns[1] <= 13 < columns[2] <= 30
    assert draws[2] == draws[3] and all(0 < s.known < s.rows and s.tables >= 1 for sizes in draws for s in sizes)
