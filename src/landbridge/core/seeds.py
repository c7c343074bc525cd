"""Randomness comes in from outside: one seed, and a named stream for each use, so that no two uses share numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch


def stream(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one named use; the same on any machine."""
    text = "/".join(str(n) for n in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for one named use."""
    return np.random.default_rng(stream(seed, *names))


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU torch generator for one named use."""
    return torch.Generator().manual_seed(stream(seed, *names))


@contextmanager
def drawn(seed: int, *names: str | int) -> Generator[None]:
    """Inside, torch's own draws on the CPU follow seed and names alone; outside, its random state is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, *names))
        yield
