"""Log-mel spectrograms: how strong each of a set of pitch bands is over time."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor


@cache
def mel_filters(bands: int, window: int, rate: int, low: float, high: float) -> Tensor:
    """Triangular filters on O'Shaughnessy's mel scale (2595 log10(1 + f/700)), (bands, window // 2 + 1).

    Each triangle rises from the centre of its lower neighbour to 1 at its own centre and falls to the next one's. A
    band narrower than one frequency bin would be empty; it takes the bin nearest to its centre instead.
    """
    edges = torch.linspace(_mel(low), _mel(high), bands + 2, dtype=torch.float64)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    bins = torch.arange(window // 2 + 1, dtype=torch.float64) * rate / window
    rise = (bins[None] - hertz[:-2, None]) / (hertz[1:-1] - hertz[:-2])[:, None]
    fall = (hertz[2:, None] - bins[None]) / (hertz[2:] - hertz[1:-1])[:, None]
    filters = torch.minimum(rise, fall).clamp_min(0.0)
    empty = filters.sum(1) == 0
    nearest = (bins[None] - hertz[1:-1, None]).abs().argmin(1)
    filters[empty, nearest[empty]] = 1.0
    return filters.float()


def log_mel(wave: Tensor, *, filters: Tensor, window: int, hop: int, floor: float = 80.0) -> Tensor:
    """A wave (samples,) to decibels (bands, frames) relative to the clip's loudest cell, cut off at -`floor`.

    Hann window, frames centred on multiples of `hop` with zeros beyond the ends, so frames = samples // hop + 1.
    """
    taper = torch.hann_window(window, dtype=wave.dtype)
    spectrum = torch.stft(wave, window, hop, window=taper, center=True, pad_mode="constant", return_complex=True)
    power = filters @ spectrum.abs().square()
    decibels = 10 * power.clamp_min(1e-12).log10()
    return (decibels - decibels.max()).clamp_min(-floor)


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)
