"""Where arithmetic happens and how exact it is: bfloat16 is used where this machine gains by it and the model loses nothing."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import torch

from landbridge.core.batch import Inputs
from landbridge.core.errors import ResourceError, UsageError
from landbridge.core.model import Model

WORTHWHILE = 1.3  # bf16 must beat fp32 by this factor in a matrix product before it is considered
ALIKE = 0.999  # least cosine between a sample's bf16 and fp32 features for bf16 to count as lossless


@dataclass(frozen=True, kw_only=True)
class Precision:
    """A device and the autocast dtype of its matrix products (float32: no autocast)."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which forward passes run; fp16 never, it is two hundred times slower on CPUs."""
        on = self.dtype is not torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype if on else torch.bfloat16, enabled=on)

    def exact(self) -> Precision:
        """The same device in float32."""
        return Precision(device=self.device, dtype=torch.float32)


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


def pick_precision(device: torch.device, model: Model | None = None, inputs: Inputs | None = None) -> Precision:
    """bfloat16 where it is faster here and, when a model and inputs are given, changes no sample's features."""
    exact = Precision(device=device, dtype=torch.float32)
    if bfloat16_gain(device) < WORTHWHILE:
        return exact
    half = Precision(device=device, dtype=torch.bfloat16)
    if model is not None and inputs is not None:
        training = model.training
        model.eval()
        with torch.inference_mode():
            reference = model.features(inputs).float()
            with half.autocast():
                features = model.features(inputs).float()
        model.train(training)
        centre = reference.mean(0, keepdim=True) if len(reference) > 4 else 0.0  # compare what tells samples apart
        cosine = torch.nn.functional.cosine_similarity(reference - centre, features - centre, dim=1)
        if not bool((cosine >= ALIKE).all()):
            return exact
    return half
