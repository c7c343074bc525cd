"""From a picture to the pixels a network reads: resize, crop, normalise, the same numbers as the original library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Inputs = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class ImagePrepare:
    """Pillow resizing and cropping to `size` x `size`, then (value x scale - mean) / std per channel.

    crop "center" scales the shorter edge to `resize` and cuts the middle out, so edges are lost; "squash" scales both
    edges to `resize` regardless of shape, so the whole picture is seen. `resample` is Pillow's number (2 bilinear,
    3 bicubic). The expensive float arithmetic is done once per batch, in `collate`; until then a picture is 8 bit.
    """

    size: int
    resize: int
    crop: str = "center"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    scale: float = 1 / 255
    resample: int = 2
    channels: int = 3

    def __call__(self, example: Image.Image) -> dict[str, np.ndarray]:
        """One picture as `pixels`, uint8 (size, size, channels)."""
        image = example.convert("RGB" if self.channels == 3 else "L")
        width, height = image.size
        if self.crop == "squash":
            wanted = (self.resize, self.resize)
        else:
            short, long = min(width, height), max(width, height)
            stretched = int(self.resize * long / short)
            wanted = (self.resize, stretched) if width <= height else (stretched, self.resize)
        if image.size != wanted:
            image = image.resize(wanted, Image.Resampling(self.resample))
        if image.size != (self.size, self.size):
            left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
            image = image.crop((left, top, left + self.size, top + self.size))
        return {"pixels": np.asarray(image, np.uint8).reshape(self.size, self.size, self.channels)}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Pictures as `pixels`, float32 (B, channels, size, size) in channels-last memory, normalised."""
        stacked = torch.from_numpy(np.stack([row["pixels"] for row in rows]))
        lines = stacked.float().mul_(self.scale).flatten(2)  # whole lines at once: three channels fill no register
        lines.sub_(self._line(self.mean)).div_(self._line(self.std))
        return {"pixels": lines.unflatten(2, (self.size, self.channels)).permute(0, 3, 1, 2)}

    def _line(self, of_channels: tuple[float, ...]) -> Tensor:
        """A number for each channel, repeated along a line of pixels."""
        return torch.tensor(of_channels).expand(self.channels).repeat(self.size)

    def normalise(self, values: Tensor) -> Tensor:
        """Values in [0, 1], BxCxHxW, to what the network was trained on."""
        mean = torch.tensor(self.mean).view(1, -1, 1, 1)
        std = torch.tensor(self.std).view(1, -1, 1, 1)
        return values.sub(mean).div_(std)

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {"kind": "image", **asdict(self), "mean": list(self.mean), "std": list(self.std)}
