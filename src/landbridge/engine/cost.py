"""What a piece of work cost: seconds and peak memory."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn


class Meter:
    """Measures from its creation. Peak memory is the process's resident high-water mark, in MB, reset where Linux
    allows it (else the mark since the process began), or the accelerator's own count."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.began = time.monotonic()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")

    @property
    def seconds(self) -> float:
        """Seconds since creation."""
        return time.monotonic() - self.began

    @property
    def peak_mb(self) -> float:
        """Peak memory in MB."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 2**20
        with suppress(OSError):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        scale = 2**20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def parameters(model: nn.Module) -> tuple[int, int]:
    """Trainable and total parameters."""
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, moves in counts if moves), sum(n for n, _ in counts)
