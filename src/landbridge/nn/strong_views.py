"""Hard random views for learning without labels: two of them should have nothing but their content in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from landbridge.core.model import Views
from landbridge.nn.views import FlipCrop, Jitter, MaskedShift

Inputs = dict[str, Tensor]


@runtime_checkable
class Strengthens(Protocol):
    """Views that know a harder form of themselves."""

    def strong(self) -> Views: ...


def strong_views(views: Views | None, inputs: Inputs) -> Views | None:
    """The hard form of a body's own mild views, or what suits the inputs of a body that has none.

    Views of a plug-in give theirs by a method `strong`; else they are taken as they are.
    """
    match views:
        case Strengthens():
            return views.strong()
        case FlipCrop():
            return Distorted(crop=FlipCrop(area=0.2, stretch=4 / 3, light=0.4, flip=views.flip))
        case MaskedShift():
            return Several((MaskedShift(shift=0.3, time=0.25, frequency=0.25), Jitter(gain=0.2, noise=0.1)))
        case Jitter(name="wave"):
            return Several((Excerpt(), Jitter(name="wave", gain=0.3, noise=0.1)))
        case Jitter():
            return Several((Window(name=views.name), Jitter(name=views.name, gain=0.2, noise=0.1)))
        case None if "input_ids" in inputs:
            return Deletion()
        case None if "pixels" in inputs:
            return Jitter(gain=0.2, noise=0.2)
        case _:
            return views


@dataclass(frozen=True)
class Several:
    """Views one after the other."""

    each: tuple[Views, ...]

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """The inputs through all of them."""
        for views in self.each:
            inputs = views(inputs, generator)
        return inputs


@dataclass(frozen=True, kw_only=True)
class Distorted:
    """Pictures: a hard crop, then colours, grey and blur, after Chen et al. 2020 (SimCLR, appendix A).

    Departs from the paper in that colours are changed by one gain for each channel and by mixing with grey, which needs
    no colour space, and in that the blur is one binomial filter of 5 steps, mixed in by a random share.
    """

    crop: FlipCrop
    colour: float = 0.2
    grey: float = 0.2
    blur: float = 0.5

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """`pixels` BxCxHxW changed; every other entry as it was."""
        seen = self.crop(inputs, generator)["pixels"]
        rows, channels = seen.shape[:2]
        draws = torch.rand(rows, channels + 4, generator=generator).to(seen)[..., None, None]
        seen = seen * (1 + self.colour * (2 * draws[:, :channels] - 1))
        paled = torch.where(
            draws[:, channels : channels + 1] < self.grey, 1.0, 0.5 * draws[:, channels + 1 : channels + 2]
        )
        seen = torch.lerp(seen, seen.mean(1, keepdim=True).expand_as(seen), paled)
        softened = draws[:, channels + 3 : channels + 4] * (draws[:, channels + 2 : channels + 3] < self.blur)
        seen = torch.lerp(seen, blurred(seen), softened)
        return {**inputs, "pixels": seen.contiguous(memory_format=torch.channels_last)}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Plots of series: a square window along the diagonal, which is the plot of an excerpt of the series.

    In fields and recurrence plots both axes are time, so the same stretch is cut from both; `least` is its shortest
    share of the whole.
    """

    name: str = "pixels"
    least: float = 0.5

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """The named input BxCxHxW changed; every other entry as it was."""
        pixels = inputs[self.name]
        draws = torch.rand(len(pixels), 2, generator=generator).to(pixels)
        scale = self.least + (1 - self.least) * draws[:, 0]
        grid = torch.zeros(len(pixels), 2, 3, dtype=pixels.dtype, device=pixels.device)
        grid[:, 0, 0] = grid[:, 1, 1] = scale
        grid[:, 0, 2] = grid[:, 1, 2] = (2 * draws[:, 1] - 1) * (1 - scale)
        where = functional.affine_grid(grid, list(pixels.shape), align_corners=False)
        seen = functional.grid_sample(pixels, where, padding_mode="border", align_corners=False)
        return {**inputs, self.name: seen.contiguous(memory_format=torch.channels_last)}


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Waves: a stretch of the sound in place of the whole, and silence over a part of it; lengths and masks stay.

    The stretch keeps its speed and is repeated until the sound's own length is filled.
    """

    least: float = 0.5  # shortest share of the sound that is kept
    silence: float = 0.2  # longest share of it that falls silent

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """`wave` BxS changed; every other entry as it was."""
        wave = inputs["wave"]
        mask = inputs.get("wave_mask")
        length = torch.full((len(wave),), wave.shape[1]) if mask is None else mask.sum(1).cpu()
        draws = torch.rand(len(wave), 4, generator=generator)
        kept = ((self.least + (1 - self.least) * draws[:, 0]) * length).long().clamp_min(1)
        start = (draws[:, 1] * (length - kept)).long()
        step = torch.arange(wave.shape[1])[None].expand_as(wave)
        where = (start[:, None] + step % kept[:, None]).to(wave.device)
        quiet = (self.silence * draws[:, 2] * length).long()
        begin = (draws[:, 3] * (length - quiet)).long()
        silent = (step >= begin[:, None]) & (step < (begin + quiet)[:, None])
        beyond = step >= length[:, None]  # padding stays padding
        return {**inputs, "wave": wave.gather(1, where).masked_fill((silent | beyond).to(wave.device), 0.0)}


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Texts: tokens that nobody sees (Wu et al. 2020, CLEAR, arXiv:2012.15466, token deletion).

    They are masked out of the attention and of the mean, so positions and lengths stay; the first token, by which some
    networks pool, is never one of them. With dropout at work two views differ besides (Gao et al. 2021, SimCSE).
    """

    share: float = 0.15

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """`attention_mask` BxT changed; every other entry as it was."""
        mask = inputs["attention_mask"]
        gone = (torch.rand(mask.shape, generator=generator) < self.share).to(mask.device)
        gone[:, 0] = False
        return {**inputs, "attention_mask": mask.masked_fill(gone, 0)}


def blurred(pixels: Tensor) -> Tensor:
    """Pictures BxCxHxW through the binomial filter (1, 4, 6, 4, 1) / 16 down and across, edges repeated."""
    steps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]).to(pixels) / 16
    channels = pixels.shape[1]
    across = steps.view(1, 1, 1, 5).expand(channels, 1, 1, 5)
    padded = functional.pad(pixels, (2, 2, 2, 2), mode="replicate")
    lines = functional.conv2d(padded, across, groups=channels)
    return functional.conv2d(lines, across.transpose(2, 3), groups=channels)
