"""Random label-keeping changes of a whole batch at once, on tensors, driven by a generator that comes from outside."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Inputs = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class FlipCrop:
    """Mirrored left to right half of the time, a random resized crop, and a slight change of light; sizes are kept.

    `area` is the smallest share of the picture that a crop keeps, `stretch` the largest change of its aspect ratio,
    `light` the largest relative change of brightness and contrast. Crops and flips are one affine resampling
    (Szegedy et al. 2015, section 6, with milder bounds, because few labels suffer from hard crops).
    """

    area: float = 0.5
    stretch: float = 1.2
    light: float = 0.15
    flip: bool = True

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """`pixels` BxCxHxW changed; every other entry as it was."""
        pixels = inputs["pixels"]
        size = len(pixels)
        draws = torch.rand(size, 7, generator=generator).to(pixels.device, pixels.dtype)
        area = self.area + (1 - self.area) * draws[:, 0]
        aspect = torch.exp((2 * draws[:, 1] - 1) * torch.log(torch.tensor(self.stretch)))
        wide = (area * aspect).sqrt().clamp(max=1.0)
        high = (area / aspect).sqrt().clamp(max=1.0)
        grid = torch.zeros(size, 2, 3, dtype=pixels.dtype, device=pixels.device)
        grid[:, 0, 0] = wide * torch.where((draws[:, 2] < 0.5) & torch.tensor(self.flip), -1.0, 1.0)
        grid[:, 1, 1] = high
        grid[:, 0, 2] = (2 * draws[:, 3] - 1) * (1 - wide)
        grid[:, 1, 2] = (2 * draws[:, 4] - 1) * (1 - high)
        where = functional.affine_grid(grid, list(pixels.shape), align_corners=False)
        seen = functional.grid_sample(pixels, where, padding_mode="reflection", align_corners=False)
        return {**inputs, "pixels": self._relight(seen, draws[:, 5], draws[:, 6])}

    def _relight(self, pixels: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
        """Contrast about each picture's mean, and a shift in units of its spread."""
        mean = pixels.mean((1, 2, 3), keepdim=True)
        spread = pixels.std((1, 2, 3), keepdim=True)
        gain = (1 + self.light * (2 * contrast - 1)).view(-1, 1, 1, 1)
        shift = (self.light * (2 * brightness - 1)).view(-1, 1, 1, 1) * spread
        return (pixels - mean).mul_(gain).add_(mean + shift).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, kw_only=True)
class MaskedShift:
    """For spectrograms: a shift in time and one masked band each of frequency and time (SpecAugment, Park et al. 2019).

    `shift`, `time` and `frequency` are the largest shares of the picture's width and height. Masked cells take the
    picture's mean, which is what silence is on average after normalisation. No flips: time has a direction.
    """

    shift: float = 0.1
    time: float = 0.12
    frequency: float = 0.12

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """`pixels` BxCxFxT changed; every other entry as it was."""
        pixels = inputs["pixels"]
        size, _, bands, frames = pixels.shape
        draws = torch.rand(size, 5, generator=generator).to(pixels.device)
        step = ((2 * draws[:, 0] - 1) * self.shift * frames).round().long()
        column = (torch.arange(frames, device=pixels.device)[None] - step[:, None]).clamp(0, frames - 1)
        moved = pixels.gather(3, column[:, None, None].expand_as(pixels))
        hidden = _band(draws[:, 1], draws[:, 2], self.time, frames)[:, None, None, :]
        hidden = hidden | _band(draws[:, 3], draws[:, 4], self.frequency, bands)[:, None, :, None]
        return {**inputs, "pixels": torch.where(hidden, pixels.mean((1, 2, 3), keepdim=True), moved)}


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """For waves and plots: every value scaled by one random factor near 1 and a little Gaussian noise added."""

    name: str = "pixels"
    gain: float = 0.1
    noise: float = 0.03

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """The named input changed; every other entry as it was."""
        values = inputs[self.name]
        shape = (len(values), *[1] * (values.dim() - 1))
        gain = 1 + self.gain * (2 * torch.rand(shape, generator=generator) - 1)
        noise = self.noise * torch.randn(values.shape, generator=generator)
        return {**inputs, self.name: values * gain.to(values) + noise.to(values)}


def _band(width: Tensor, place: Tensor, share: float, length: int) -> Tensor:
    """For each row one band of random width and place along `length`; True inside."""
    wide = width * share * length
    start = place * (length - wide)
    position = torch.arange(length, device=width.device)[None]
    return (position >= start[:, None]) & (position < (start + wide)[:, None])
