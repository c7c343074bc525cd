"""Where arithmetic happens and how exact it is: bfloat16 where this machine gains by it and the model loses nothing."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from landbridge.core.errors import ResourceError, UsageError

WORTHWHILE = 1.3  # bf16 must beat fp32 by this factor in a matrix product before it is considered
ALIKE = 0.99  # least centred cosine of any example's bf16 features to its fp32 ones for bf16 to count as lossless


@dataclass(frozen=True, kw_only=True)
class Precision:
    """A device and the autocast dtype of its matrix products (float32: no autocast)."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which forward passes run; fp16 never, it is two hundred times slower on CPUs."""
        on = self.dtype is not torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype if on else torch.bfloat16, enabled=on)


def pick_device(name: str = "auto") -> torch.device:
    """`auto` takes the first accelerator there is, else the CPU; ResourceError when a named one is absent."""
    if name not in ("auto", "cpu", "cuda", "mps"):
        raise UsageError(f"device must be one of auto, cpu, cuda, mps, got '{name}'")
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if name in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    if name in ("cuda", "mps"):
        raise ResourceError(f"device {name} is not available here; use --device cpu or auto")
    return torch.device("cpu")


@cache
def bfloat16_gain(device: torch.device, size: int = 512, repeats: int = 6) -> float:
    """How many times faster a size^3 matrix product is in bfloat16 than in float32, by the fastest of `repeats`."""
    if device.type == "mps":
        return 0.0

    def best(dtype: torch.dtype) -> float:
        left = torch.ones(size, size, dtype=dtype, device=device)
        seconds: list[float] = []
        for _ in range(repeats):
            began = time.perf_counter()
            (left @ left).sum().item()
            seconds.append(time.perf_counter() - began)
        return min(seconds)

    return best(torch.float32) / best(torch.bfloat16)


def pick_precision(device: torch.device, net: nn.Module | None = None) -> Precision:
    """bfloat16 autocast for training where this machine gains by it, else float32.

    On CPUs depthwise convolutions do too little work for the casts around them (measured: 0.8 times the speed of
    float32 on MobileNetV2), so nets with such layers train in float32.
    """
    depthwise = net is not None and any(isinstance(m, nn.Conv2d) and m.groups > 1 for m in net.modules())
    fast = bfloat16_gain(device) >= WORTHWHILE and not (depthwise and device.type == "cpu")
    return Precision(device=device, dtype=torch.bfloat16 if fast else torch.float32)
