"""What an objective sees in one step: a frozen record with named fields, so that no family invents an order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

Inputs = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B examples. Either `inputs` (what `Body.embed` reads) or `tokens` with `mask` at block `depth` is given.

    Shapes: target B or BxC, index B (row in the domain), weight B; tokens BxTxD, mask BxT (BxHxW for grids).
    """

    index: Tensor
    target: Tensor | None = None
    inputs: Inputs | None = None
    tokens: Tensor | None = None  # activations that entered block `depth`, from the activation store
    mask: Tensor | None = None
    depth: int = 0
    weight: Tensor | None = None
    views: tuple[Batch, ...] = ()  # the same examples seen otherwise
    partner: Batch | None = None  # the paired modality
    other: Batch | None = None  # the second domain
    support: Batch | None = None  # an episode's labelled part
    query: Batch | None = None

    def __len__(self) -> int:
        return int(self.index.shape[0])

    def with_target(self, target: Tensor) -> Batch:
        """The same batch with another target."""
        return replace(self, target=target)
