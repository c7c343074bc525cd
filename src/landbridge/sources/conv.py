"""Convolutional networks: each stage or layer is a block, the positions of its grid are the tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from landbridge.core.batch import Inputs
from landbridge.sources.cut import Cut

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A chain of modules that take and give BxCxHxW; features are the mean over positions, then `norm` if there is one.

    Tokens are a view of the grid in channels-last memory, so going to and fro copies nothing; the mask is BxHxW and
    carries the shape of the grid. A norm after the mean belongs to the last block's modules.
    """

    width: int
    front: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]
    norm: str = ""
    reads: str = "image"

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Pixels BxCxHxW through the stem."""
        grid = inputs["pixels"]
        for path in self.front:
            grid = net.get_submodule(path)(grid)
        return to_tokens(grid)

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The modules of one block, one after the other."""
        grid = to_grid(tokens, mask)
        for path in self.layers[index]:
            if path != self.norm:
                grid = net.get_submodule(path)(grid)
        return to_tokens(grid)

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean over positions."""
        features_BD = tokens.mean(1)
        return net.get_submodule(self.norm)(features_BD) if self.norm else features_BD


def to_tokens(grid: Tensor) -> tuple[Tensor, Tensor]:
    """BxCxHxW to tokens BxHWxC and mask BxHxW; a view where memory is channels-last."""
    batch, channels, height, width = grid.shape
    tokens = grid.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
    return tokens, torch.ones(batch, height, width, dtype=torch.bool, device=grid.device)


def to_grid(tokens: Tensor, mask: Tensor) -> Tensor:
    """Tokens BxHWxC back to BxCxHxW."""
    return tokens.unflatten(1, mask.shape[1:]).permute(0, 3, 1, 2)


def mobilenet_v1(config: PreTrainedConfig) -> Cut:
    """MobileNetV1 (Howard et al. 2017): a block is a depthwise and a pointwise convolution."""
    width = max(int(1024 * config.depth_multiplier), config.min_depth)
    layers = tuple((f"layer.{2 * i}", f"layer.{2 * i + 1}") for i in range(13))
    return Conv(width=width, front=("conv_stem",), layers=layers)


def mobilenet_v2(config: PreTrainedConfig) -> Cut:
    """MobileNetV2 (Sandler et al. 2018): 16 inverted residuals and the last pointwise convolution."""
    layers = (*((f"layer.{i}",) for i in range(16)), ("conv_1x1",))
    return Conv(width=_mobilenet_v2_width(config), front=("conv_stem",), layers=layers)


def resnet(config: PreTrainedConfig) -> Cut:
    """ResNet (He et al. 2016): a block is one residual layer."""
    layers = tuple((f"encoder.stages.{s}.layers.{i}",) for s, depth in enumerate(config.depths) for i in range(depth))
    return Conv(width=config.hidden_sizes[-1], front=("embedder",), layers=layers)


def convnext(config: PreTrainedConfig) -> Cut:
    """ConvNeXt (Liu et al. 2022): a block is one residual layer, the first of a stage with its downsampling."""
    layers: list[tuple[str, ...]] = []
    for stage, depth in enumerate(config.depths):
        for i in range(depth):
            down = [f"encoder.stages.{stage}.downsampling_layer.{j}" for j in range(2)] if stage and not i else []
            layers.append((*down, f"encoder.stages.{stage}.layers.{i}"))
    layers[-1] = (*layers[-1], "layernorm")
    return Conv(width=config.hidden_sizes[-1], front=("embeddings",), layers=tuple(layers), norm="layernorm")


def _mobilenet_v2_width(config: PreTrainedConfig) -> int:
    if config.finegrained_output and config.depth_multiplier < 1.0:
        return 1280
    wanted = round(1280 * config.depth_multiplier)
    by = config.depth_divisible_by
    rounded = max(config.min_depth, int(wanted + by / 2) // by * by)
    return rounded if rounded >= 0.9 * wanted else rounded + by


FAMILIES: dict[str, Callable[[Any], Cut]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "resnet": resnet,
    "convnext": convnext,
}
