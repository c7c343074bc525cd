"""Processes that train one network, each on its own core with its own pictures, by the mean of their gradients.

One process with two threads would leave a core idle while pictures are made, and its threads would wait for each other
at every layer; two processes with a thread each meet once a step, in shared memory.
"""

from __future__ import annotations

import torch
import torch.multiprocessing as multiprocessing
from torch import Tensor

PATIENCE = 1800.0  # seconds to wait for the others, who may be measuring


class Together:
    """Shared memory for `numbers` floats of each of `ranks` processes."""

    def __init__(self, ranks: int, numbers: int) -> None:
        self.ranks = ranks
        self.held = torch.zeros(ranks, numbers).share_memory_() if ranks > 1 else torch.zeros(1, 0)
        self.barrier = multiprocessing.get_context("spawn").Barrier(ranks)

    def mean(self, rank: int, values: Tensor) -> Tensor:
        """The mean over all processes, the same bits in each; all must call it, and with as many numbers."""
        if self.ranks == 1:
            return values
        place = self.held[:, : len(values)]
        place[rank].copy_(values)
        self.barrier.wait(PATIENCE)
        found = place.mean(0)
        self.barrier.wait(PATIENCE)  # nobody writes before all have read
        return found
