"""The way out for families that nobody has cut yet: the whole network is one block."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landbridge.core.batch import Inputs
from landbridge.core.model import mean_pool
from landbridge.sources.conv import to_grid, to_tokens


@dataclass(frozen=True, kw_only=True)
class WholeText:
    """Word embeddings outside, everything else in one block; features are the mean of the last hidden state."""

    width: int
    embeddings: str
    reads: str = "text"

    @property
    def front(self) -> tuple[str, ...]:
        """The table of word embeddings."""
        return (self.embeddings,)

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The network itself."""
        return (("",),)

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Token numbers to word vectors."""
        return net.get_submodule(self.embeddings)(inputs["input_ids"]), inputs["attention_mask"]

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The network on word vectors."""
        return net(inputs_embeds=tokens, attention_mask=mask).last_hidden_state, mask

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean over real tokens."""
        return mean_pool(tokens, mask)


@dataclass(frozen=True, kw_only=True)
class WholeImage:
    """Pixels are the tokens, the network is the one block; features are the mean of the last hidden state."""

    width: int
    reads: str = "image"
    front: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The network itself."""
        return (("",),)

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Pixels BxCxHxW as tokens BxHWxC."""
        return to_tokens(inputs["pixels"])

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The network on pixels; a grid or a sequence comes out."""
        out = net(pixel_values=to_grid(tokens, mask)).last_hidden_state
        if out.dim() == 4:
            return to_tokens(out)
        return out, torch.ones(out.shape[:2], dtype=torch.bool, device=out.device)

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean over all tokens."""
        return mean_pool(tokens, mask)
