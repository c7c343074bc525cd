"""What curves have in common: how often many short kernels exceed a threshold, in coordinates where chance is small.

Shapes: B batch, C channels, L points, V views (own scale, common scale), S spans (dilations), K kernels, W windows,
P shares, D width.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = 9
STRIDE = 2  # every second place of a curve is looked at, which costs half and loses nothing
SOFT = 0.1  # of the threshold's slope that gradients see


class CurveNet(nn.Module):
    """Shares of exceeded thresholds over the windows of a curve, then a linear map to D that evens out chance.

    The kernels begin as MiniRocket's 84 (Dempster et al. 2021, arXiv:2012.08791): two in three places and minus one in
    the others, here of length one, over several dilations. Each looks at a curve on its own scale, with `own`
    thresholds, and on the scale that all curves share, with `common` ones. Where MiniRocket takes thresholds from each
    data set, these are weights, so that features mean the same everywhere. `settle` learns the linear map.
    """

    def __init__(
        self,
        points: int = 256,
        spans: Sequence[int] = (1, 2, 4, 8, 16, 28),
        own: int = 2,
        common: int = 1,
        windows: int = 4,
        width: int = 768,
    ) -> None:
        super().__init__()
        self.shape = {
            "points": points, "spans": list(spans), "own": own, "common": common, "windows": windows, "width": width,
        }  # fmt: skip
        self.points, self.spans, self.windows, self.width = points, tuple(spans), windows, width
        kernel_KT = torch.from_numpy(minirocket())
        kernels = len(kernel_KT)
        self.shares = len(spans) * kernels * (own + common)
        self.kernel = nn.Parameter(kernel_KT.repeat(2, len(spans), 1, 1))
        self.threshold = nn.ParameterList(nn.Parameter(torch.randn(len(spans), n, kernels)) for n in (own, common))
        self.register_buffer("middle", torch.full((self.shares,), 0.5))
        self.register_buffer("spread", torch.full((self.shares,), 0.25))
        self.settle = nn.Linear(self.shares, width, bias=False)

    def forward(self, own: Tensor, common: Tensor) -> Tensor:
        """Two views BxCxL to features_BD."""
        tokens, channels = self.tokens(own, common)
        return self.settled(tokens, channels).mean(1)

    def tokens(self, own: Tensor, common: Tensor) -> tuple[Tensor, int]:
        """Two views BxCxL to shares Bx(CW)xP about their usual middle, each channel under its own signs, and C.

        Float32 throughout: rounding would decide at every threshold that a curve rests on.
        """
        batch, channels = own.shape[:2]
        with torch.autocast(own.device.type, enabled=False):
            parts = [
                self._share(view.float().flatten(0, 1), v, s)
                for v, view in enumerate((own, common))
                for s in range(len(self.spans))
            ]
            shares_NWP = (torch.cat(parts, dim=2) - self.middle) / self.spread
            signed = shares_NWP.unflatten(0, (batch, channels)) * signs(channels, self.shares).to(shares_NWP)
        return signed.flatten(1, 2), channels

    def settled(self, tokens: Tensor, channels: int) -> Tensor:
        """Shares Bx(CW)xP to Bx(CW)xD, each channel under its signs again."""
        grid = tokens.unflatten(1, (channels, -1))
        plain = self.settle(grid * signs(channels, self.shares).to(grid))
        return (plain * signs(channels, self.width).to(plain)).flatten(1, 2)

    def _share(self, view_NL: Tensor, v: int, s: int) -> Tensor:
        """How often each kernel's response lies above its thresholds in each window, NxWx(thresholds of one span)."""
        span, length = self.spans[s], view_NL.shape[1]
        margin = (TAPS - 1) // 2 * span
        starts = torch.arange(0, length, STRIDE, device=view_NL.device)
        places_LT = starts[:, None] + span * torch.arange(TAPS, device=view_NL.device)
        # gathered and multiplied, as dilated convolutions of one channel are several times slower on CPUs
        response_NLK = functional.pad(view_NL, (margin, margin))[:, places_LT] @ self.kernel[v, s].T
        found = [
            _above(response_NLK - level_K).unflatten(1, (self.windows, -1)).mean(2) for level_K in self.threshold[v][s]
        ]
        return torch.cat(found, dim=2)


def minirocket() -> np.ndarray:
    """Its 84 kernels KxT, of length one."""
    places = list(itertools.combinations(range(TAPS), 3))
    kernels = np.full((len(places), TAPS), -1.0, np.float32)
    for kernel, three in zip(kernels, places, strict=True):
        kernel[list(three)] = 2.0
    return kernels / np.float32(np.sqrt(18.0))


def signs(channels: int, count: int) -> Tensor:
    """Cx1xP of +1 and -1, all +1 for the first channel: Walsh functions, so that the sum of channels keeps them apart.

    The sign at (c, p) is (-1) to the number of bits that c and p share; no two channels have the same signs.
    """
    both = np.arange(channels)[:, None] & np.arange(count)[None, :]
    odd = np.zeros_like(both)
    while both.any():
        odd ^= both & 1
        both >>= 1
    return torch.from_numpy(1.0 - 2.0 * odd).unsqueeze(1)


def _above(over: Tensor) -> Tensor:
    """1 above nought and 0 below; gradients flow as through a steep sigmoid (Bengio et al. 2013, arXiv:1308.3432)."""
    hard = (over > 0).to(over.dtype)
    if not (torch.is_grad_enabled() and over.requires_grad):
        return hard
    soft = torch.sigmoid(over / SOFT)
    return soft + (hard - soft).detach()
