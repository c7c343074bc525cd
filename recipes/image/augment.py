"""How the pictures of each world are seen: hard crops where only the class is asked, mild ones where more is."""

from __future__ import annotations

import numpy as np
import torch
from stream import Batch
from torch import Tensor
from torch.nn import functional

from landbridge.core.model import Views
from landbridge.nn.strong_views import Distorted, Several
from landbridge.nn.views import FlipCrop, Jitter, MaskedShift

VIEWS: dict[str, Views] = {
    "hard": Distorted(crop=FlipCrop(area=0.35, stretch=4 / 3, light=0.4)),
    "hand": Distorted(crop=FlipCrop(area=0.7, light=0.4, flip=False)),  # letters have a left and a right
    "still": Jitter(gain=0.2, noise=0.05),  # where it is and what colour it has is asked
    "time": Several((MaskedShift(shift=0.15), Jitter(gain=0.15, noise=0.05))),
    "plot": Jitter(gain=0.15, noise=0.05),
}
NEGATIVE = {"hard": 0.2, "hand": 0.5}  # share of pictures with light and dark exchanged: some write white on black
COARSE = 0.3  # share of pictures that are seen as if they had been small


def seen(batch: Batch, generator: torch.Generator) -> Tensor:
    """The pictures of a batch, float32 Bx3xSxS in [-1, 1] before its changes, channels last."""
    pixels = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
    for name, views in VIEWS.items():
        rows = torch.from_numpy(np.flatnonzero(batch.views == name))
        if not len(rows):
            continue
        changed = views({"pixels": pixels[rows]}, generator)["pixels"]
        if name in NEGATIVE:
            turned = torch.rand(len(rows), 1, 1, 1, generator=generator) < NEGATIVE[name]
            changed = torch.where(turned, -changed, changed)
        pixels[rows] = changed
    return _coarse(pixels, batch, generator).contiguous(memory_format=torch.channels_last)


def _coarse(pixels: Tensor, batch: Batch, generator: torch.Generator) -> Tensor:
    """Some pictures shrunk by one factor for the batch and enlarged again; plots and spectrograms have their size."""
    factor = 2 + int(torch.randint(3, (1,), generator=generator))
    drawn = torch.rand(len(pixels), generator=generator) < COARSE
    rows = torch.nonzero(drawn & ~torch.from_numpy(np.isin(batch.views, ("time", "plot"))))[:, 0]
    if len(rows):
        size = pixels.shape[-1]
        small = functional.interpolate(pixels[rows], size=(size // factor, size // factor), mode="area")
        pixels[rows] = functional.interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
    return pixels
