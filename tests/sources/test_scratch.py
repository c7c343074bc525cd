"""Architectures without knowledge."""

from __future__ import annotations

import json

import pytest
import torch
from tiny_models import IMAGE_CONFIGS, PROCESSOR, network, pictures
from torch import nn

from landbridge.core.errors import UnknownName
from landbridge.core.model import Model, weights_hash
from landbridge.sources.scratch import Scratch
from landbridge.sources.transformers import Transformers


def test_the_small_network_is_cut_without_changing_its_numbers():
    body = Scratch().open("convnet")
    inputs = body.prepare.collate([body.prepare(image) for image in pictures()])
    assert inputs["pixels"].shape == (3, 3, 96, 96)
    model = Model(body, nn.Identity()).eval()
    with torch.inference_mode():
        wanted = body.net(inputs["pixels"])
        torch.testing.assert_close(model.features(inputs), wanted)
        for k in range(len(body.blocks) + 1):
            torch.testing.assert_close(model.forward_from(k, *model.tokens_at(k, inputs)), wanted)
    assert body.card["parameters"] == Scratch().known()[0]["parameters"]


def test_reset_follows_its_generator_and_draws_by_kaimings_rule():
    body = Scratch().open("convnet")
    first = weights_hash(body.net)
    assert weights_hash(Scratch().open("convnet").net) == first
    body.reset(torch.Generator().manual_seed(5))
    second = weights_hash(body.net)
    body.reset(torch.Generator().manual_seed(5))
    assert second == weights_hash(body.net) != first
    weight = body.net.layers[3].conv2.weight
    assert abs(weight.std().item() - (2 / (160 * 9)) ** 0.5) < 0.001  # fan out of a 3x3 convolution


def test_another_sources_architecture_has_random_weights_and_is_rebuilt(tmp_path):
    network(IMAGE_CONFIGS["mobilenet_v2"]()).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    trained = Transformers().open(str(tmp_path))
    body = Scratch().open(f"transformers:{tmp_path}")
    assert body.address == f"scratch:transformers:{tmp_path}" and "sha256" not in body.card
    assert weights_hash(body.net) != weights_hash(trained.net)
    assert body.prepare == trained.prepare and len(body.blocks) == len(trained.blocks)
    assert all(m.momentum == 0.1 for m in body.net.modules() if isinstance(m, nn.BatchNorm2d))
    assert not any(str(tmp_path).encode() in data for data in body.files().values())
    other = Scratch().rebuild(body.files())
    other.net.load_state_dict(body.net.state_dict())
    pixels = {"pixels": torch.randn(2, 3, 32, 32)}
    with torch.inference_mode():
        got, wanted = (Model(b, nn.Identity()).eval().features(pixels) for b in (other, body))
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("address", ["convnett", "nonsuch:thing", "scratch:convnet", ""])
def test_an_unknown_architecture_offers_what_there_is(address):
    with pytest.raises(UnknownName, match="scratch architecture"):
        Scratch().open(address)
