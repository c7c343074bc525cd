"""What moves, how fast, and what does not, by hand on the toy bodies."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from landbridge.core.contracts import Handle
from landbridge.core.model import weights_hash
from landbridge.testing import check_tuning, toy_batch, toy_model
from landbridge.testing.training import train
from landbridge.tunings.full import Full
from landbridge.tunings.gradual import Gradual
from landbridge.tunings.lora import LoRA
from landbridge.tunings.norm_bias import NormBias
from landbridge.tunings.partial import Partial
from landbridge.tunings.probe import Probe

VARIANTS = [
    Probe(head="lda", taps=2),
    Partial(blocks=1),
    Partial(blocks=9, norm_statistics="moving"),
    Full(embedder=False),
    Full(norm_statistics="moving", layer_decay=0.65),
    LoRA(rank=2, dropout=0.3, targets="linear"),
    Gradual(step=2, embedder=False),
]


def names(model: torch.nn.Module, handle: Handle) -> set[str]:
    ids = {id(p) for g in handle.groups for p in g["params"]}
    return {n for n, p in model.named_parameters() if id(p) in ids}


@pytest.mark.parametrize("tuning", VARIANTS, ids=str)
def test_variants_keep_the_contract(tuning) -> None:
    check_tuning(tuning)


def test_partial_moves_the_last_blocks_the_last_norm_and_the_head() -> None:
    model = toy_model("text")
    handle = Partial(blocks=1).attach(model)
    heads = {"head.weight", "head.bias"}
    assert {n.split(".")[2] for n in names(model, handle) - heads} == {"layers", "last_norm"} - {"layers"} | {"layers"}
    assert {n.split(".")[3] for n in names(model, handle) if ".layers." in n} == {"2"}
    assert handle.first_moving == 2


def test_rates_fall_with_depth() -> None:
    model = toy_model("text")
    handle = Full(layer_decay=0.5, head_scale=7.0).attach(model)
    scales = {g["name"]: g["scale"] for g in handle.groups if g["decay"]}
    assert scales == {"embedder": 0.125, "block 0": 0.25, "block 1": 0.5, "block 2": 1.0, "head": 7.0}


def test_norm_bias_moves_norms_and_biases_alone() -> None:
    model = toy_model("image")
    handle = NormBias().attach(model)
    body = {n.removeprefix("body.net.") for n in names(model, handle) if n.startswith("body")}
    norms = {f"layers.{i}.norm.{p}" for i in range(3) for p in ("weight", "bias")}
    assert body == {"stem.0.bias", "stem.1.weight", "stem.1.bias"} | norms


@pytest.mark.parametrize("make", [Full, partial(Partial, blocks=9)])
@pytest.mark.parametrize(("statistics", "dropout"), [("frozen", False), ("frozen", True), ("moving", False)])
def test_batch_statistics_and_dropout_work_only_when_asked(make, statistics: str, dropout: bool) -> None:
    model = toy_model("image")
    handle = make(norm_statistics=statistics, dropout=dropout).attach(model)
    before = model.body.net.layers[0].norm.running_mean.clone()
    train(model, handle, toy_batch(model.body))
    assert torch.equal(model.body.net.layers[0].norm.running_mean, before) is (statistics == "frozen")
    assert not any(m.training for m in model.modules())
    handle.train_mode(model)
    works = {m.training for m in model.body.modules() if isinstance(m, torch.nn.Dropout)}
    assert works == {dropout or statistics == "moving"}  # statistics move in train mode, where dropout works too


def test_a_probe_leaves_the_body_bit_equal() -> None:
    model = toy_model("image")
    before = weights_hash(model.body)
    handle = Probe().attach(model)
    assert handle.closed_form and handle.first_moving == 3
    train(model, handle, toy_batch(model.body))
    assert weights_hash(model.body) == before


def test_a_probe_with_taps_reads_earlier_depths() -> None:
    model = toy_model("text")
    handle = Probe(taps=2).attach(model)
    assert model.taps == (1, 2) and model.head.width == 48 and handle.first_moving == 1
    assert model(toy_batch(model.body).inputs).shape == (32, 2)
    Probe().attach(model)
    assert model.taps == () and model.head.width == 16


def test_gradual_goes_down_level_by_level() -> None:
    handle = Gradual(step=2).attach(toy_model("text"))
    assert [handle.first_moving, *(level.first_moving for level in handle.levels)] == [3, 1, 0, -1]


def test_transformers_and_batch_norm_nets_have_their_own_default_rate() -> None:
    assert Full().attach(toy_model("text")).lr == 5e-5
    assert Full().attach(toy_model("image")).lr == 2e-4
