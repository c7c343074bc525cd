"""A narrow layer for a network that runs beside a wide one: mixing of positions, then of channels, both residual."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HEAD_WIDTH = 32  # channels of one attention head, where there are that many


class SideLayer(nn.Module):
    """Pre-norm attention (sequences) or a 3x3 convolution by channel (grids), then a pre-norm perceptron."""

    def __init__(self, width: int, grid: bool) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix: nn.Module = Spread(width) if grid else Attention(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """tokens BxTxD under mask BxT or BxHxW to tokens of the same shape."""
        tokens = tokens + self.mix(self.first_norm(tokens), mask)
        return tokens + self.down(nn.functional.gelu(self.up(self.second_norm(tokens))))


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017) that leaves padding out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = next(h for h in range(max(1, width // HEAD_WIDTH), 0, -1) if width % h == 0)
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """tokens BxTxD to the weighted values of all real ones."""
        split = self.inward(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(*split, attn_mask=mask.bool()[:, None, None])
        return self.outward(seen.transpose(1, 2).flatten(2))


class Spread(nn.Module):
    """A 3x3 convolution of each channel by itself, over the grid that the mask carries."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """tokens BxHWxD to the same."""
        grid = tokens.unflatten(1, mask.shape[1:]).permute(0, 3, 1, 2)
        return self.convolution(grid).permute(0, 2, 3, 1).flatten(1, 2)


def resized(tokens: Tensor, before: torch.Size, after: torch.Size) -> Tensor:
    """Tokens of a grid `before` (HxW) as averages over a grid `after`; a sequence must keep its length."""
    if before == after:
        return tokens
    if len(before) != 2 or len(after) != 2:
        raise ValueError(f"tokens of shape {tuple(before)} cannot be carried over to {tuple(after)}")
    grid = tokens.unflatten(1, before).permute(0, 3, 1, 2)
    return nn.functional.adaptive_avg_pool2d(grid, list(after)).permute(0, 2, 3, 1).flatten(1, 2)
