"""What to do so that memory lasts: hold once what is the same; smaller batches where it runs out, down to a single
example, then one line that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from landbridge.core.errors import ResourceError

T = TypeVar("T")
# how PyTorch's allocators say it on CPUs, Apple's GPUs and inside cuBLAS, where the error has no class of its own
SAYINGS = ("allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


def is_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(s in str(error) for s in SAYINGS)


def batched(
    batches: Iterable[np.ndarray], compute: Callable[[np.ndarray], T], what: str
) -> Iterator[tuple[np.ndarray, T]]:
    """Batches of positions with what `compute` makes of each, in pieces where memory asks for it.

    ResourceError, which begins with `what`, when a single example is too large.
    """
    most: int | None = None  # the largest piece that is tried, once a larger one has failed
    for rest in batches:
        while len(rest):
            piece = rest[:most]
            try:
                made = compute(piece)
            except (MemoryError, RuntimeError) as error:
                if not is_memory(error):
                    raise
                if len(piece) == 1:
                    told = f"{what}: a single example is too large for the memory; try a smaller source or example"
                    raise ResourceError(told) from error
                most = -(-len(piece) // 2)
                continue
            yield piece, made
            rest = rest[len(piece) :]


@torch.no_grad()
def share(module: nn.Module, other: nn.Module) -> None:
    """Let a module hold the other's own tensors where they are equal, so that what training left is held once.

    Neither may be changed in place after that.
    """
    theirs = {**dict(other.named_parameters()), **dict(other.named_buffers())}
    for name, mine in (*module.named_parameters(), *module.named_buffers()):
        if (like := theirs.get(name)) is not None and mine.dtype == like.dtype and torch.equal(mine, like):
            mine.data = like.data
