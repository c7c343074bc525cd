"""The native bridge: nothing by default, another use of the picture or another resolution where asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from landbridge.bridges.native import Native
from landbridge.core import codec
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.registry import find


def half_and_half(size: tuple[int, int]) -> Image.Image:
    """Black on the left, white in the rightmost quarter."""
    array = np.zeros((size[1], size[0], 3), np.uint8)
    array[:, -size[0] // 4 :] = 255
    return Image.fromarray(array)


def test_by_default_the_body_is_the_same_object():
    body = find("sources", "scratch")().open("convnet")
    assert Native().connect(body, {}) is body
    assert Native().fit(body, None, np.arange(3)) == {}


def test_squash_sees_the_edge_that_a_centre_crop_cuts_off():
    body = find("sources", "scratch")().open("convnet")
    image = half_and_half((200, 100))
    centre = Native(crop="center").connect(body, {}).prepare
    squash = Native(crop="squash").connect(body, {}).prepare
    assert centre(image)["pixels"].max() < 10
    np.testing.assert_allclose((squash(image)["pixels"][48, :, 0] > 128).mean(), 0.25, atol=0.02)


def test_center_equals_pillow_by_hand():
    body = find("sources", "scratch")().open("convnet")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 150, 3), dtype=np.uint8))
    prepare = Native(crop="center", size=64).connect(body, {}).prepare
    edge = round(64 * 256 / 224)
    scaled = image.resize((int(edge * 150 / 90), edge), Image.Resampling.BILINEAR)
    left, top = (scaled.width - 64) // 2, (edge - 64) // 2
    wanted = np.asarray(scaled.crop((left, top, left + 64, top + 64)))
    np.testing.assert_array_equal(prepare(image)["pixels"], wanted)
    pixels = prepare.collate([prepare(image)])["pixels"]
    np.testing.assert_allclose(pixels[0].permute(1, 2, 0).numpy(), (wanted / 255 - 0.5) / 0.5, atol=1e-6)


def test_size_changes_the_resolution_and_the_weights_stay_shared():
    body = find("sources", "scratch")().open("convnet")
    small = Native(size=48).connect(body, {})
    assert small.net is body.net and body.prepare.size == 96
    assert {id(p) for p in small.parameters()} == {id(p) for p in body.parameters()}
    inputs = small.prepare.collate([small.prepare(half_and_half((60, 60)))])
    assert inputs["pixels"].shape == (1, 3, 48, 48)
    with torch.inference_mode():
        features = Model(small, nn.Identity()).eval().features(inputs)
        torch.testing.assert_close(features, body.net.eval()(inputs["pixels"]))


def test_fields_that_mean_nothing_for_a_text_source_are_refused():
    body = find("sources", "embedded")().open("minilm", weights=False)
    assert Native().connect(body, {}) is body
    with pytest.raises(UsageError, match="for image sources"):
        Native(size=64).connect(body, {})


def test_it_is_written_on_the_command_line_as_in_python():
    assert codec.parse("bridges", "native(crop=squash, size=96)") == Native(crop="squash", size=96)
    assert codec.from_json("bridges", codec.to_json(Native(size=96))) == Native(size=96)
    with pytest.raises(UsageError, match="size must be a whole number from 0 to 1024"):
        Native(size=4096)
