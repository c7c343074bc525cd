"""timm sources: a clear error without the library; with it, its own numbers (command in docs/sources.md)."""

from __future__ import annotations

import importlib.util
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from landbridge.core.errors import MissingExtra, SourceError, UnknownName
from landbridge.core.model import Model, weights_hash
from landbridge.sources.timm import Timm

WITHOUT = importlib.util.find_spec("timm") is None
SMALL = {
    "mobilenetv3_small_050": 12,
    "mobilenetv2_050": 18,
    "resnet10t": 4,
    "convnext_atto": 12,
    "vit_tiny_patch16_224": 12,
}


def folder_of(path, architecture, **arguments):
    """A folder as timm saves it, with random weights and a classifier of 7 classes."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    net = timm.create_model(architecture, num_classes=7, **arguments).eval()
    save_file(net.state_dict(), path / "model.safetensors", {"format": "pt"})
    data = {"input_size": [3, 64, 64], "crop_pct": 0.9, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
    data |= {"interpolation": "bilinear", "classifier": "classifier", "license": "mit"}
    config = {"architecture": architecture, "num_classes": 7, "model_args": arguments, "pretrained_cfg": data}
    (path / "config.json").write_text(json.dumps(config))
    return net


def features_of(body, pixels):
    with torch.inference_mode():
        return Model(body, nn.Identity()).eval().features({"pixels": pixels})


@pytest.mark.skipif(not WITHOUT, reason="timm is installed")
def test_without_timm_the_extra_is_named(tmp_path):
    for address in ("resnet18", str(tmp_path)):
        with pytest.raises(MissingExtra, match=r"pip install 'landbridge\[timm\]'"):
            Timm().open(address)


@pytest.mark.parametrize("architecture", SMALL)
def test_features_equal_timms_own_from_every_depth(architecture):
    pytest.importorskip("timm")
    body = Timm().open(architecture, weights=False)
    assert len(body.blocks) == SMALL[architecture] and "note" not in body.card
    size = 224 if architecture.startswith("vit") else 96
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    model = Model(body, nn.Identity()).eval()
    with torch.inference_mode():
        wanted = body.net(pixels)
        features = model.features({"pixels": pixels})
        torch.testing.assert_close(features, wanted, atol=1e-4, rtol=1e-4)
        assert features.shape == (2, body.width)
        for k in range(len(body.blocks) + 1):
            assert torch.equal(model.forward_from(k, *model.tokens_at(k, {"pixels": pixels})), features), k


def test_a_folder_is_loaded_without_its_classifier_and_rebuilt(tmp_path):
    net = folder_of(tmp_path, "mobilenetv2_050", pad_type="same")
    body = Timm().open(str(tmp_path))
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = net.forward_head(net.forward_features(pixels), pre_logits=True)
    torch.testing.assert_close(features_of(body, pixels), wanted, atol=1e-4, rtol=1e-4)
    assert body.card["licence"] == "mit" and body.prepare.size == 64
    by_file = Timm().open(f"mobilenetv2_050@{tmp_path / 'model.safetensors'}")
    assert torch.equal(features_of(by_file, pixels), features_of(body, pixels))  # pad_type came from config.json
    other = Timm().rebuild(body.files())
    other.net.load_state_dict(body.net.state_dict())
    assert torch.equal(features_of(other, pixels), features_of(body, pixels))
    assert other.prepare == body.prepare


def test_preparation_is_timms_evaluation_transform(tmp_path):
    folder_of(tmp_path, "mobilenetv2_050")
    prepare = Timm().open(str(tmp_path)).prepare
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 142, 3), dtype=np.uint8))
    edge = math.floor(64 / 0.9)
    scaled = image.resize((int(edge * 142 / 90), edge), Image.Resampling.BILINEAR)
    left, top = (scaled.width - 64) // 2, (edge - 64) // 2
    wanted = np.asarray(scaled.crop((left, top, left + 64, top + 64))) / 255
    got = prepare.collate([prepare(image)])["pixels"][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, (wanted - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.25], atol=1e-5)


def test_reset_draws_by_its_generator_and_leaves_the_global_state(tmp_path):
    pytest.importorskip("timm")
    body = Timm().open("mobilenetv2_050", weights=False)
    state, hashes = torch.random.get_rng_state(), set()
    for seed in (1, 1, 2):
        body.reset(torch.Generator().manual_seed(seed))
        hashes.add(weights_hash(body.net))
    assert len(hashes) == 2 and torch.equal(torch.random.get_rng_state(), state)


def test_what_does_not_fit_or_would_read_other_files_is_refused(tmp_path):
    folder_of(tmp_path, "mobilenetv2_050")
    file, config = tmp_path / "model.safetensors", json.loads((tmp_path / "config.json").read_text())
    state = load_file(file)
    weight = state.pop("conv_head.weight")
    save_file(state, file)
    with pytest.raises(SourceError, match=r"lacks conv_head\.weight"):
        Timm().open(str(tmp_path))
    save_file({**state, "conv_head.weight": weight[:4].clone()}, file)
    with pytest.raises(SourceError, match=r"has other shapes for conv_head\.weight"):
        Timm().open(str(tmp_path))
    config["model_args"] = {"checkpoint_path": "/tmp/evil.pt"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SourceError, match="checkpoint_path, which reads other files"):
        Timm().open(str(tmp_path))
    with pytest.raises(UnknownName, match="unknown timm architecture"):
        Timm().open(f"mobilenetv2_05@{file}")
