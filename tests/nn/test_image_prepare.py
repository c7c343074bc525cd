"""Pixels as a network reads them, recomputed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landbridge.nn.image_prepare import ImagePrepare

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.parametrize(
    ("channels", "given"),
    [(3, IMAGENET), (3, {"mean": (0.5,), "std": (0.25,)}), (1, {"mean": (0.1,), "std": (0.3,)})],
)
def test_a_batch_is_scaled_and_normalised_channel_by_channel(channels, given) -> None:
    prepare = ImagePrepare(size=6, resize=8, channels=channels, **given)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, channels), dtype=np.uint8)
    made = prepare.collate([{"pixels": p} for p in pixels])["pixels"]
    mean, std = (np.array(given[name])[:, None, None] for name in ("mean", "std"))
    wanted = (pixels.transpose(0, 3, 1, 2) / 255 - mean) / std
    assert made.dtype == torch.float32 and made.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(made.numpy(), wanted, atol=1e-6)
    unit = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() * (1 / 255)
    assert torch.equal(made, prepare.normalise(unit))  # bridges that draw their own pictures get the very same numbers
