"""What flows between the blocks of a body: how wide the tokens are at each depth, and whether they form a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from landbridge.core.errors import UsageError
from landbridge.core.model import Body

SIDES = (32, 224)  # of the grid that is tried; some networks take no other than their native one
LENGTH = 4  # of the sequence that is tried
NO_FIT = (RuntimeError, ValueError, TypeError, AssertionError, IndexError)  # how a network refuses what is no input


@dataclass(frozen=True)
class Flow:
    """Per depth, from what enters block 0 to what leaves the last: the width D and whether tokens form a grid."""

    widths: tuple[int, ...]
    grids: tuple[bool, ...]


@torch.no_grad()
def flow_of(body: Body, who: str) -> Flow:
    """Measured by zeros sent through the blocks; UsageError in the name of the tuning `who` where none fit.

    A block takes as many channels as its first weighted layer reads; all that follows is seen, not guessed.
    """
    if body.blocks:
        modules = list(body.blocks[0].module.modules())
        width = next((w for m in modules if (w := _reads(m))), 0)
        grid_first = any(isinstance(m, nn.Conv2d) for m in modules)
        for shape in _shapes(grid_first) if width else ():
            try:
                return _sent(body, width, shape)
            except NO_FIT:
                continue
    raise UsageError(f"{who}: cannot tell what flows between the blocks of {body.address}; try lora, partial or full")


def _sent(body: Body, width: int, shape: tuple[int, ...]) -> Flow:
    like = next(body.net.parameters())
    mask = torch.ones(1, *shape, dtype=torch.bool, device=like.device)
    tokens = torch.zeros(1, mask.numel(), width, dtype=like.dtype, device=like.device)
    widths, grids = [width], [len(shape) > 1]
    for block in body.blocks:
        tokens, mask = block(tokens, mask)
        widths.append(tokens.shape[-1])
        grids.append(mask.dim() > 2)
    return Flow(tuple(widths), tuple(grids))


def _shapes(grid_first: bool) -> Iterator[tuple[int, ...]]:
    grids = [(side, side) for side in SIDES]
    yield from [*grids, (LENGTH,)] if grid_first else [(LENGTH,), *grids]


def _reads(module: nn.Module) -> int:
    """How many channels a layer with weights reads, 0 for other modules."""
    if isinstance(module, nn.Linear):
        return module.in_features
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        return module.in_channels
    return int(module.normalized_shape[-1]) if isinstance(module, nn.LayerNorm) else 0
