"""Learnt tokens that stand before the real ones while they pass through the blocks: what prompt and prefix share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from landbridge.core.errors import UsageError
from landbridge.core.insert import Insert
from landbridge.core.model import Body
from landbridge.core.parts import name_of
from landbridge.core.seeds import torch_generator
from landbridge.tunings.flow import Flow, flow_of


class PromptTokens(Insert):
    """P learnt tokens for each of some depths: put before the others at the lowest, exchanged at the following ones.

    They take part in attention and count as real in its mask; pooling and taps never see them.
    """

    neutral, lengthens = False, True

    def __init__(self, tuning: Any, lowest: int, tokens_KPD: Tensor, dropout: float) -> None:
        super().__init__(tuning, lowest)
        self.tokens = nn.Parameter(tokens_KPD)
        self.dropout = nn.Dropout(dropout)

    def walk(self) -> PromptTokens:
        """Itself: the tokens carry all there is."""
        return self

    def enter(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The prompt of depth k and the real tokens."""
        depths, length, _ = self.tokens.shape
        if not self.lowest <= k < self.lowest + depths:
            return tokens, mask
        prompt_BPD = self.dropout(self.tokens[k - self.lowest]).to(tokens.dtype).expand(len(tokens), -1, -1)
        if k == self.lowest:
            return torch.cat([prompt_BPD, tokens], 1), torch.cat([mask.new_ones(len(mask), length), mask], 1)
        return torch.cat([prompt_BPD, tokens[:, length:]], 1), mask

    def read(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The real tokens alone."""
        length = self.tokens.shape[1] if k >= self.lowest else 0
        return tokens[:, length:], mask[:, length:]


def sequence_of(body: Body, tuning: Any) -> Flow:
    """The flow of a body whose blocks take a sequence; UsageError for grids and beside what cannot follow prompts."""
    name = name_of(tuning)
    flow = flow_of(body, name)
    if any(flow.grids):
        raise UsageError(f"{name}: {body.address} has grids of positions, no token sequence; use adapter or lora")
    for other in body.inserts:
        if isinstance(other, Insert) and (other.lengthens or other.carries):
            earlier = name_of(other.tuning)
            raise UsageError(
                f"{name}: cannot follow {earlier}, which already stays in the model; leave out one of them"
            )
    return flow


def small(depths: int, length: int, width: int, spread: float) -> Tensor:
    """First tokens KxPxD, drawn from a fixed stream."""
    return spread * torch.randn(depths, length, width, generator=torch_generator(0, "prompt"))
