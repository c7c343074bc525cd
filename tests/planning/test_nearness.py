"""Nearness against values computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from landbridge.core import codec, registry
from landbridge.engine.workshop import Workshop
from landbridge.nn.text_prepare import TextPrepare
from landbridge.planning.nearness.norm_statistics import distance, norm_distance
from landbridge.planning.nearness.source_classes import names_of, source_classes, source_probabilities
from landbridge.planning.nearness.wording import wording
from landbridge.testing import toy_domain


def test_distance_is_zero_for_equal_statistics_and_counts_deviations() -> None:
    mean, variance = torch.tensor([1.0, -2.0]), torch.tensor([4.0, 0.25])
    assert distance(mean.double(), variance.double(), mean, variance) == pytest.approx(0.0, abs=1e-9)
    moved = distance(torch.tensor([3.0, -2.0]).double(), torch.tensor([16.0, 0.25]).double(), mean, variance)
    assert moved == pytest.approx(np.sqrt((1.0 + 1.0) / 2))  # one channel: shift 1 and spread twice


def test_norms_see_what_enters_them_and_the_data_that_made_them_is_nearest(tmp_path: Path) -> None:
    domain = toy_domain("image", rows=64)
    workshop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path)
    rows = domain.folds[0].rest
    road = workshop.road("scratch:convnet", codec.parse("bridges", "native(size=32)"), rows)
    far = norm_distance(road, rows, 0)
    assert far is not None and far["noise"] < far["value"] and not road.body.training
    norms = [m for m in road.body.net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # so that its statistics become those of all rows
    road.body.train()
    with torch.no_grad():
        tokens, mask = road.body.embed(road.supply.inputs(rows))
        for block in road.body.blocks:
            tokens, mask = block(tokens, mask)
    road.body.eval()
    near = norm_distance(road, rows, 0)
    assert near is not None and near["layers"][0] == pytest.approx(0.0, abs=0.03)
    assert near["value"] < 0.2 * far["value"] and len(near["layers"]) == len(norms)


def test_a_source_without_norms_says_nothing(tmp_path: Path, encoder: str) -> None:
    domain = toy_domain("text")
    workshop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path)
    road = workshop.road(encoder, codec.parse("bridges", "native"), domain.folds[0].rest)
    assert norm_distance(road, domain.folds[0].rest, 0) is None


def test_source_classes_tell_what_the_data_looks_like() -> None:
    labels = np.array([0, 0, 1, 1])
    features = np.eye(3)[[0, 0, 2, 2]].astype(np.float32)
    head = torch.tensor([[9.0, 0, 0], [0, 9.0, 0], [0, 0, 9.0]]), torch.zeros(3)
    probability = source_probabilities(features, head)
    assert probability == pytest.approx(torch.softmax(torch.from_numpy(features) @ head[0].T, 1).numpy())
    task = registry.find("tasks", "classify").from_labels(["ant", "bee"])
    names = names_of({"config.json": b'{"id2label": {"0": "ant, emmet", "1": "fly", "2": "bee"}}'}, 3)
    found = source_classes(probability, features, labels, task, names)
    assert [(a["class"], a["source"][0]["name"]) for a in found["alike"]] == [("ant", "ant"), ("bee", "bee")]
    assert found["confidence"] > 0.99 and found["nce"] == pytest.approx(0.0, abs=1e-9)
    assert found["explained"] == pytest.approx(1.0) and found["classes"] == 3
    assert names_of({}, 2) == ["class 0", "class 1"]
    background = b'{"id2label": {"0": "background", "1": "ant", "2": "bee"}}'
    assert names_of({"config.json": background}, 2) == ["ant", "bee"]


def test_wording_counts_unknown_broken_and_cut() -> None:
    pieces = {name: i for i, name in enumerate(["[PAD]", "[UNK]", "river", "stone", "##s", "bridge"])}
    raw = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    prepare = TextPrepare(tokenizer=raw, max_length=3)
    found = wording(prepare, ["river stones", "river xyz", "river stone bridge stones"])
    assert found["unknown"] == pytest.approx(1 / 10) and found["pieces_per_word"] == pytest.approx(10 / 8)
    assert found["cut"] == pytest.approx(1 / 3) and found["length"] == 3 and found["rows"] == 3
    assert len(prepare("river stone bridge stones")["input_ids"]) == 3  # texts are cut again afterwards
