"""The image encoder of our own: a folder of weights and card, offered only where it is; tiny, drawn by the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_models import pictures
from torch import nn

from landbridge import testing
from landbridge.core.errors import SourceError
from landbridge.core.model import Model
from landbridge.nn.encoder import Encoder
from landbridge.nn.fold import folded
from landbridge.sources import embedded, embedded_model
from landbridge.sources.embedded import Embedded
from landbridge.sources.embedded_models.pictures import of
from landbridge.sources.encoder_folder import CARD_FILE, WEIGHTS_FILE, half_rounded, open_encoder, save_encoder
from landbridge.sources.scratch import Scratch

SHAPE = {"stem": 8, "widths": [8, 16, 16], "depths": [1, 2, 1]}


def trained(seed: int = 3) -> Encoder:
    """A tiny encoder whose batch norms have statistics that a new one's have not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Encoder(**SHAPE)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return net.eval()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the recipe writes it, and the package as if it lay inside."""
    save_encoder(trained(), tmp_path, {"size": 48, "licence": "Apache-2.0", "data": "none"})
    for module in (embedded, embedded_model):
        monkeypatch.setattr(module, "models", lambda: {"pictures": of(tmp_path)})
    return tmp_path


def test_the_default_has_its_size_in_weights_blocks_and_work() -> None:
    net = Encoder()
    assert 4.6e6 < sum(p.numel() for p in net.parameters()) < 4.8e6
    assert len(net.layers) == 5 and net.width == 384
    products = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, _, out: products.append(out[0, 0].numel() * m.weight.numel()))
    assert net.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 384)
    assert 0.15e9 < 2 * sum(products) < 0.17e9


def test_an_embedded_encoder_keeps_the_contract_of_sources(place: Path) -> None:
    testing.check_source(Embedded(), "pictures")
    (entry,) = Embedded().known()
    assert entry["address"] == "embedded:pictures" and entry["reads"] == "image"
    assert entry["parameters"] == sum(p.numel() for p in Encoder(**SHAPE).parameters())


def test_what_is_opened_is_what_was_saved_but_for_half_precision(place: Path) -> None:
    body = Embedded().open("pictures")
    inputs = body.prepare.collate([body.prepare(image) for image in pictures()])
    assert inputs["pixels"].shape == (3, 3, 48, 48)
    with torch.inference_mode():
        features = Model(body, nn.Identity()).eval().features(inputs)
        assert torch.equal(features, half_rounded(trained())(inputs["pixels"]))
        exact = trained()(inputs["pixels"])
        torch.testing.assert_close(features, exact, atol=2e-2, rtol=2e-2)
        assert not torch.equal(features, exact)
        torch.testing.assert_close(folded(body.net)(inputs["pixels"]), features, atol=1e-4, rtol=1e-4)
    stated = json.loads((place / CARD_FILE).read_text())
    assert body.card["sha256"] == stated["sha256"] and stated["network"] == SHAPE


def test_its_architecture_without_knowledge_is_a_control(place: Path) -> None:
    control, body = Scratch().open("embedded:pictures"), Embedded().open("pictures")
    assert "sha256" not in control.card and len(control.blocks) == len(body.blocks) == 4
    weights = [b.net.get_parameter("layers.0.conv1.weight") for b in (control, body)]
    assert weights[0].shape == weights[1].shape and not torch.equal(*weights)


def test_without_weights_it_is_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (embedded, embedded_model):
        monkeypatch.setattr(module, "models", lambda: {"pictures": of(tmp_path / "none")})
    assert Embedded().known() == []
    with pytest.raises(SourceError, match=r"embedded:pictures: this installation holds no weights"):
        Embedded().open("pictures")


def test_a_damaged_folder_is_refused(place: Path) -> None:
    file = place / WEIGHTS_FILE
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(SourceError, match="is not the file it should be"):
        Embedded().open("pictures")


def test_a_card_without_a_shape_names_the_field(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text('{"size": 64}')
    with pytest.raises(SourceError, match="needs `network` and `size`, got None and 64"):
        open_encoder(tmp_path, "embedded:pictures", False)
