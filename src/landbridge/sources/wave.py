"""Speech encoders on raw waves: wav2vec 2.0 and HuBERT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.masking_utils import create_bidirectional_mask

from landbridge.core.batch import Inputs
from landbridge.core.model import mean_pool
from landbridge.sources.attention import choose_kernel
from landbridge.sources.cut import Cut


@dataclass(frozen=True, kw_only=True)
class Wave:
    """Convolutions over the wave and a positional convolution outside, attention layers as blocks, mean features.

    `stable` marks the variant whose encoder norm comes after the last layer (and belongs to the last block) instead
    of before the first. The library's random masking and layer dropping of pretraining are not repeated here.
    """

    width: int
    layers: tuple[tuple[str, ...], ...]
    stable: bool = False
    reads: str = "audio"

    @property
    def front(self) -> tuple[str, ...]:
        """Feature encoder, projection, positions and, unless `stable`, the encoder norm."""
        norm = () if self.stable else ("encoder.layer_norm",)
        return ("feature_extractor", "feature_projection", "encoder.pos_conv_embed", *norm)

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Wave BxS to tokens_BTD, one token every 20 ms in the published models."""
        frames = net.feature_extractor(inputs["wave"]).transpose(1, 2)
        mask_BT = _frame_mask(net, frames.shape[1], inputs["wave_mask"])
        projected = net.feature_projection(frames)
        tokens_BTD = projected[0] if isinstance(projected, tuple) else projected
        tokens_BTD = tokens_BTD.masked_fill(~mask_BT.unsqueeze(-1), 0.0)
        tokens_BTD = tokens_BTD + net.encoder.pos_conv_embed(tokens_BTD)
        if not self.stable:
            tokens_BTD = net.encoder.layer_norm(tokens_BTD)
        return net.encoder.dropout(tokens_BTD), mask_BT

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """One attention layer; in the stable variant the encoder norm after the last."""
        choose_kernel(net, tokens)
        layer, *norm = (net.get_submodule(path) for path in self.layers[index])
        seen = create_bidirectional_mask(config=net.config, inputs_embeds=tokens, attention_mask=mask)
        out = layer(tokens, attention_mask=seen)
        tokens = out[0] if isinstance(out, tuple) else out
        for module in norm:
            tokens = module(tokens)
        return tokens, mask

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean over real frames."""
        return mean_pool(tokens, mask)


def wave(config: PreTrainedConfig) -> Cut:
    """wav2vec 2.0 (Baevski et al. 2020) and HuBERT (Hsu et al. 2021)."""
    paths = [(f"encoder.layers.{i}",) for i in range(config.num_hidden_layers)]
    if config.do_stable_layer_norm:
        paths[-1] = (*paths[-1], "encoder.layer_norm")
    return Wave(width=config.hidden_size, layers=tuple(paths), stable=config.do_stable_layer_norm)


def without_masking(config: PreTrainedConfig) -> None:
    """Switch the random masking of pretraining off, with the weight that only it uses."""
    config.mask_time_prob = 0.0
    config.mask_feature_prob = 0.0


def _frame_mask(net: nn.Module, frames: int, mask_BS: Tensor) -> Tensor:
    """BxS samples to BxT frames: as many as the convolutions make of each sound's real samples."""
    length = mask_BS.sum(1)
    for kernel, stride in zip(net.config.conv_kernel, net.config.conv_stride, strict=True):
        length = (length - kernel) // stride + 1
    return torch.arange(frames, device=mask_BS.device)[None] < length[:, None].clamp_min(1)


FAMILIES: dict[str, Callable[[Any], Cut]] = {"wav2vec2": wave, "hubert": wave}
