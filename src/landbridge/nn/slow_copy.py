"""A copy of a model that follows it slowly: the teacher of a network that teaches itself."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from landbridge.core.model import Model


class SlowCopy(nn.Module):
    """The exponential moving average of a module's weights; never trained, always in eval mode.

    weights <- m weights + (1 - m) the module's, with m from `slowness(...)`. Buffers, such as running statistics, are
    the module's own.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(module).requires_grad_(False).eval()

    @torch.no_grad()
    def follow(self, module: nn.Module, slowness: float) -> None:
        """Take in the weights that the module has now."""
        for mine, new in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(new.to(mine), 1.0 - slowness)
        for mine, new in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(new)

    def train(self, mode: bool = True) -> SlowCopy:
        """Stays in eval mode, whatever is around it."""
        return super().train(False)


def bare(model: Model) -> Model:
    """The model without its head."""
    return Model(model.body, nn.Identity(), taps=())


def slowness(start: float, done: float) -> float:
    """m at a share of the schedule: from `start` to 1 along a half cosine (Grill et al. 2020, section 3.3)."""
    return 1.0 - (1.0 - start) * (math.cos(math.pi * min(1.0, done)) + 1.0) / 2.0
