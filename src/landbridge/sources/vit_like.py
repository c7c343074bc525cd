"""Image encoders built of equal attention layers over patches: ViT, DeiT, DINOv2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from landbridge.core.batch import Inputs
from landbridge.sources.attention import choose_kernel
from landbridge.sources.cut import Cut


@dataclass(frozen=True, kw_only=True)
class VitLike:
    """Patches and special tokens, attention layers, a last layer norm (part of the last block), the first token.

    `patches_too` appends the mean of the patch tokens after the first `special`, as DINOv2's classifier reads them.
    Pictures of another size than the checkpoint's get interpolated position embeddings.
    """

    width: int
    layers: tuple[tuple[str, ...], ...]
    front: tuple[str, ...] = ("embeddings",)
    native: int = 224
    interpolate: bool = True
    patches_too: bool = False
    special: int = 1
    reads: str = "image"

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Pixels to tokens_BTD; nothing is padding."""
        pixels = inputs["pixels"]
        embeddings = net.get_submodule(self.front[0])
        if self.interpolate and pixels.shape[-1] != self.native:
            tokens_BTD = embeddings(pixels, interpolate_pos_encoding=True)
        else:
            tokens_BTD = embeddings(pixels)
        return tokens_BTD, torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """One attention layer; after the last also the final norm."""
        choose_kernel(net, tokens)
        for path in self.layers[index]:
            out = net.get_submodule(path)(tokens)
            tokens = out[0] if isinstance(out, tuple) else out
        return tokens, mask

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """The class token, with the mean patch beside it for DINOv2."""
        if self.patches_too:
            return torch.cat([tokens[:, 0], tokens[:, self.special :].mean(1)], dim=1)
        return tokens[:, 0]


def vit(config: PreTrainedConfig) -> Cut:
    """ViT (Dosovitskiy et al. 2021) and DeiT (Touvron et al. 2021)."""
    return VitLike(
        width=config.hidden_size,
        layers=_layers("layers", config.num_hidden_layers),
        native=_edge(config.image_size),
    )


def dinov2(config: PreTrainedConfig) -> Cut:
    """DINOv2 (Oquab et al. 2024); it interpolates position embeddings by itself."""
    return VitLike(
        width=2 * config.hidden_size,
        layers=_layers("encoder.layer", config.num_hidden_layers),
        native=_edge(config.image_size),
        interpolate=False,
        patches_too=True,
    )


def _layers(path: str, count: int) -> tuple[tuple[str, ...], ...]:
    body = [(f"{path}.{i}",) for i in range(count - 1)]
    return (*body, (f"{path}.{count - 1}", "layernorm"))


def _edge(size: int | list[int] | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[-1]


FAMILIES: dict[str, Callable[[Any], Cut]] = {"vit": vit, "deit": vit, "dinov2": dinov2}
