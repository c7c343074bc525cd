"""Which of the original library's attention kernels a network of attention layers runs."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def choose_kernel(net: nn.Module, tokens: Tensor) -> None:
    """On a CPU the fused kernel reads long inputs faster and trains short ones at less than half the speed."""
    if tokens.device.type == "cpu" and getattr(net, "_supports_sdpa", False):
        net.config._attn_implementation = "sdpa" if torch.is_inference_mode_enabled() else "eager"
