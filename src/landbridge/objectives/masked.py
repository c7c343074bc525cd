"""Hide most of a picture and have the network draw it.

Shapes: B batch, T tokens, D width, C channels, HxW pixels, hxw tokens on a grid, p pixels along a token's edge.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.parts import flag, part, real
from landbridge.core.seeds import drawn
from landbridge.nn.hiding import chosen, fine_grid, over_pixels, token_grid
from landbridge.nn.vocabulary import sample_inputs

FLOOR = 1e-6  # added to a patch's variance, as in the paper's program


class _State(nn.Module):
    """What stands in hidden cells, the map from a token to its pixels, and the shape of both grids."""

    def __init__(self, channels: int, width: int, grid: tuple[int, int], cells: tuple[int, int], edge: int) -> None:
        super().__init__()
        self.grid, self.cells, self.edge = grid, cells, edge
        self.filling = nn.Parameter(torch.zeros(channels, 1, 1))
        with drawn(0, "masked", width, channels, edge):
            self.draw = nn.Linear(width, channels * edge * edge)


@part(
    "masked", paper="He et al. 2022, Masked Autoencoders, arXiv:2111.06377; Xie et al. 2022, SimMIM, arXiv:2111.09886"
)
class Masked:
    """Learn without labels to draw the hidden cells of pictures, spectrograms and plots from the ones that are seen.

    `mean over hidden pixels of (drawn - wanted)^2`, where `wanted` is the picture with every cell brought to mean 0 and
    variance 1 (He et al., section 4.1). Cells are hidden in the input by a learnt colour, and one linear map draws each
    token's pixels from the last tokens (Xie et al., section 3), so that any body can learn by it, convolutions
    included; an encoder that leaves hidden patches out, which is what makes He et al. fast, would need to reach inside
    the body. A cell is a token's own square, or a part of it where the last grid is coarse.
    """

    share: float = real(0.6, 0.05, 0.95, help="of the cells that are hidden")
    normalise: bool = flag(True, help="whether each cell's pixels are brought to mean 0 and variance 1 before")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    alters_inputs: ClassVar[bool] = True
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """Look at one example to see what the body's last tokens stand for; UsageError where they are no picture."""
        inputs = sample_inputs(model, domain, rows, 1)
        if "pixels" not in inputs:
            other = "masked_language" if "input_ids" in inputs else "latent"
            raise UsageError(f"masked: draws pictures, {model.body.address} reads {model.body.reads}; use {other}")
        pixels = inputs["pixels"]
        with torch.no_grad():
            tokens, mask = model.layers(inputs)[-1]
        _, high, wide = token_grid(tokens, mask)
        edge = max(math.ceil(pixels.shape[2] / high), math.ceil(pixels.shape[3] / wide))
        cells = fine_grid(high, wide, edge)
        if min(cells) < 2:
            raise UsageError(
                f"masked: the last tokens of {model.body.address} form a single cell; use latent or simclr"
            )
        return _State(pixels.shape[1], tokens.shape[2], (high, wide), cells, edge).to(pixels.device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The mean squared error of the hidden pixels, in float32 at least."""
        assert isinstance(state, _State)
        if batch.inputs is None:
            raise UsageError("masked: the batch has no inputs to hide; it cannot learn from stored activations")
        pixels, (high, wide) = batch.inputs["pixels"], state.cells
        places = torch.ones(len(batch), high * wide, dtype=torch.bool, device=pixels.device)
        hidden_Bhw = chosen(places, self.share, generator).view(-1, high, wide)
        seen = torch.where(over_pixels(hidden_Bhw, *pixels.shape[2:]), state.filling.to(pixels), pixels)
        tokens, mask = model.layers({**batch.inputs, "pixels": seen})[-1]
        special, *_ = token_grid(tokens, mask)
        drawn_BTP = state.draw(tokens[:, special:])
        picture = functional.pixel_shuffle(drawn_BTP.transpose(1, 2).unflatten(2, state.grid), state.edge)
        with torch.autocast(picture.device.type, enabled=False):
            picture = picture.to(torch.promote_types(picture.dtype, torch.float32))
            wanted = self.wanted(pixels.to(picture), state.cells, (picture.shape[2], picture.shape[3]))
            where = over_pixels(hidden_Bhw, *picture.shape[2:])
            error = ((picture - wanted).square() * where).sum() / (where.sum() * picture.shape[1])
        return {"masked": self.strength * error}

    def wanted(self, pixels: Tensor, cells: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """BxCxHxW, the picture at `size`, which a number of cells divides, each brought to mean 0 and variance 1."""
        if pixels.shape[2:] != size:
            pixels = functional.interpolate(pixels, size, mode="bilinear", antialias=True)
        if not self.normalise:
            return pixels
        (high, wide), channels = cells, pixels.shape[1]
        inner = size[0] // high, size[1] // wide
        patches = pixels.reshape(-1, channels, high, inner[0], wide, inner[1])
        mean = patches.mean((1, 3, 5), keepdim=True)
        variance = patches.var((1, 3, 5), keepdim=True)
        return ((patches - mean) / (variance + FLOOR).sqrt()).reshape(pixels.shape)

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: the map to pixels goes."""
        return memory
