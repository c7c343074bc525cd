"""The mean of trained models, by hand; what may be averaged; what is held once."""

from __future__ import annotations

import copy
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from landbridge.core import codec
from landbridge.core.errors import OutOfTimeError
from landbridge.core.model import weights_hash
from landbridge.core.seeds import torch_generator
from landbridge.engine import workshop as workshop_file
from landbridge.engine.attempt import Attempt, Order, attempt
from landbridge.engine.average import uniform
from landbridge.engine.blend import blend, plain_model
from landbridge.engine.feed import Feed
from landbridge.engine.precision import Precision
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import rival, single
from landbridge.testing import toy_domain

NATIVE = codec.parse("bridges", "native")
MIXED = (("full", 1e-3), ("full(embedder=False)", 1e-2), ("partial(1)", 1e-2), ("lora(rank=2)", 1e-2))


@pytest.fixture(autouse=True)
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers by hand are those of float32, whatever this machine gains by."""
    plain = Precision(device=torch.device("cpu"), dtype=torch.float32)
    monkeypatch.setattr(workshop_file, "pick_precision", lambda *_: plain)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A workshop over toy texts."""
    return Workshop(toy_domain("text", rows=60), device=torch.device("cpu"), folder=tmp_path)


def run(shop: Workshop, source: str, *tunings: str, validate: bool = True, **length: object) -> Attempt:
    """An attempt on the first pair."""
    pair = shop.domain.folds[0].pairs[0]
    rows = pair.validation if validate else pair.validation[:0]
    return attempt(shop, Order(recipe=single(source, NATIVE, *tunings, **length), train=pair.train, validation=rows))


def test_the_mean_of_several_recipes_weights_is_what_is_averaged_and_judged(shop: Workshop, encoder: str) -> None:
    parts = [run(shop, encoder, "probe", tuning, epochs=2, lr=lr, patience=0) for tuning, lr in MIXED]
    before = [weights_hash(p.predictor.model) for p in parts]
    (road,) = shop._roads.values()
    source, pair = weights_hash(road.body.net), shop.domain.folds[0].pairs[0]
    made = blend(shop, parts, pair)
    states = [p.predictor.model.state_dict() for p in parts]
    for name, value in made.predictor.model.state_dict().items():
        by_hand = torch.stack([s[name].double() for s in states]).mean(0)
        torch.testing.assert_close(value.double(), by_hand, rtol=1e-5, atol=1e-7, msg=name)
    query = "body.net.encoder.layer.2.attention.self.query.weight"  # the low-rank update is in the plain weight
    assert not torch.equal(states[3][query], road.body.net.state_dict()[query.removeprefix("body.net.")])
    output = made.predictor.predict(shop.domain.examples(pair.validation))
    np.testing.assert_allclose(made.output, output, atol=1e-5)
    assert made.trial.validation == shop.domain.task.score(output, shop.domain.targets[pair.validation])
    assert made.trial.trainable == parts[0].trial.trainable and not made.adapter
    assert [weights_hash(p.predictor.model) for p in parts] == before and weights_hash(road.body.net) == source


def test_equal_tensors_stay_bit_for_bit_and_counters_are_the_firsts() -> None:
    torch.manual_seed(0)
    same, into = torch.randn(50), {"w": torch.zeros(50), "n": torch.tensor(0)}
    uniform([{"w": same, "n": torch.tensor(k)} for k in (5, 7, 9)], into)
    assert torch.equal(into["w"], same) and int(into["n"]) == 5


def test_statistics_that_moved_are_estimated_anew_and_others_are_the_sources(tmp_path: Path) -> None:
    shop = Workshop(toy_domain("image", rows=60), device=torch.device("cpu"), folder=tmp_path)
    pair = shop.domain.folds[0].pairs[0]
    moving = "full(norm_statistics='moving')"
    parts = [run(shop, "scratch:convnet", moving, epochs=2, lr=lr, patience=0) for lr in (1e-3, 1e-2)]
    made = blend(shop, parts, pair).predictor.model
    (road,) = shop._roads.values()
    wanted = copy.deepcopy(parts[0].predictor.model)
    uniform([p.predictor.model.state_dict() for p in parts], wanted.state_dict())
    mean = {n: b.clone() for n, b in wanted.named_buffers()}
    feed = Feed(supply=road.supply, train=pair.train, validation=pair.train[:0], size=32, augment=True)
    pixels = [b.inputs["pixels"] for b in feed.epoch(torch_generator(0, "blend"))]
    for module in wanted.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    update_bn(pixels, _Body(wanted))
    found = dict(made.named_buffers())
    for name, value in wanted.named_buffers():
        torch.testing.assert_close(found[name], value, msg=name)
    assert any(not torch.allclose(found[n], mean[n]) for n in mean if n.endswith("running_mean"))
    still = [run(shop, "scratch:convnet", "full", epochs=1, lr=lr, patience=0) for lr in (1e-3, 1e-2)]
    kept, own = blend(shop, still, pair).predictor.model.body.net, road.body.net
    assert all(torch.equal(b, dict(own.named_buffers())[n]) for n, b in kept.named_buffers())


class _Body(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features of pixels."""
        return self.model.features({"pixels": pixels})


def test_only_plain_weights_under_a_linear_head_are_averaged(shop: Workshop, encoder: str) -> None:
    assert plain_model(run(shop, encoder, "probe", "full", epochs=1)) is not None
    for tunings in (("probe(head='kernel')",), ("probe", "adapter"), ("probe", "prefix")):
        assert plain_model(run(shop, encoder, *tunings, epochs=1)) is None
    pair = shop.domain.folds[0].pairs[0]
    control = attempt(shop, Order(recipe=rival("trivial"), train=pair.train, validation=pair.validation))
    assert plain_model(control) is None
    control.predictor = None  # read back from a journal
    assert plain_model(control) is None


def test_without_rows_to_judge_on_there_is_a_model_and_no_score(shop: Workshop, encoder: str) -> None:
    parts = [run(shop, encoder, "probe", "full", epochs=1, lr=lr, validate=False) for lr in (1e-3, 1e-2)]
    pair = shop.domain.folds[0].pairs[0]
    made = blend(shop, parts, type(pair)(train=pair.train, validation=pair.validation[:0]))
    assert made.trial.validation is None and len(made.output) == 0 and made.predictor is not None


def test_a_blend_that_would_end_too_late_is_given_up(
    shop: Workshop, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [run(shop, encoder, "probe", "full", epochs=1, lr=lr) for lr in (1e-3, 1e-2)]
    monkeypatch.setattr(workshop_file, "PATIENCE", -1.0)
    with pytest.raises(OutOfTimeError):
        blend(shop, parts, shop.domain.folds[0].pairs[0], ends=time.monotonic() - 10.0)


def test_what_a_trial_did_not_move_it_holds_together_with_the_source(shop: Workshop, encoder: str) -> None:
    probe, tuned = run(shop, encoder, "probe"), run(shop, encoder, "probe", "partial(1)", epochs=1, lr=1e-2)
    (road,) = shop._roads.values()
    own = {n: p.data_ptr() for n, p in road.body.net.named_parameters()}
    for made, moves in ((probe, ()), (tuned, ("encoder.layer.2.", "pooler"))):
        for name, tensor in made.predictor.model.body.net.named_parameters():
            assert name.startswith(moves) or tensor.data_ptr() == own[name], name
    moved = dict(tuned.predictor.model.body.net.named_parameters())
    assert all(moved[n].data_ptr() != own[n] for n in own if n.startswith("encoder.layer.2.") and n.endswith("weight"))
