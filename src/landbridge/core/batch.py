"""What an objective sees in one step: a frozen record with named fields, so that no family invents an order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

Inputs = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B examples. Either `inputs` (what `Body.embed` reads) or `tokens` with `mask` at block `depth` is given.

    With `above`, which has tokens and mask at each depth after that, no block has to run at all.
    Shapes: target B or BxC, index B (row in the domain), weight B; tokens BxTxD, mask BxT (BxHxW for grids).
    """

    index: Tensor
    target: Tensor | None = None
    inputs: Inputs | None = None
    tokens: Tensor | None = None  # activations that entered block `depth`, from the activation store
    mask: Tensor | None = None
    depth: int = 0
    above: tuple[tuple[Tensor, Tensor], ...] = ()
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

    def rows(self, cut: slice) -> Batch:
        """Some of the examples, with their views and partners; second domain and episode stay whole."""
        return replace(
            self,
            index=self.index[cut],
            target=None if self.target is None else self.target[cut],
            inputs=None if self.inputs is None else {k: v[cut] for k, v in self.inputs.items()},
            tokens=None if self.tokens is None else self.tokens[cut],
            mask=None if self.mask is None else self.mask[cut],
            above=tuple((tokens[cut], mask[cut]) for tokens, mask in self.above),
            weight=None if self.weight is None else self.weight[cut],
            views=tuple(view.rows(cut) for view in self.views),
            partner=None if self.partner is None else self.partner.rows(cut),
        )

    def to(self, device: torch.device) -> Batch:
        """The batch with everything that belongs to it on a device."""
        if self.index.device == device:
            return self
        return replace(
            self,
            index=self.index.to(device),
            target=_moved(self.target, device),
            inputs=None if self.inputs is None else {k: v.to(device) for k, v in self.inputs.items()},
            tokens=_moved(self.tokens, device),
            mask=_moved(self.mask, device),
            above=tuple((tokens.to(device), mask.to(device)) for tokens, mask in self.above),
            weight=_moved(self.weight, device),
            views=tuple(view.to(device) for view in self.views),
            partner=None if self.partner is None else self.partner.to(device),
            other=None if self.other is None else self.other.to(device),
            support=None if self.support is None else self.support.to(device),
            query=None if self.query is None else self.query.to(device),
        )


def _moved(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)
