"""A body under another address, with files of its own beside those of the body it stands for."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from landbridge.core.batch import Inputs
from landbridge.core.model import Body


class NamedBody(Body):
    """The same network, numbers and preparation as `inner`; only the address and the saved files differ."""

    def __init__(self, inner: Body, *, address: str, files: Mapping[str, bytes]) -> None:
        super().__init__()
        self.inner = (inner,)  # in a tuple, so that its weights are not counted twice
        self.address = address
        self.reads = inner.reads
        self.width = inner.width
        self.net = inner.net
        self.inserts = inner.inserts
        self.embedder = inner.embedder
        self.blocks = inner.blocks
        self.prepare = inner.prepare
        self.views = inner.views
        self.card = {**inner.card, "origin": address}
        self.own_files = dict(files)

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Prepared inputs to tokens_BTD and mask."""
        return self.inner[0].embed(inputs)

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens after the last block to features_BD."""
        return self.inner[0].pool(tokens, mask)

    def files(self) -> dict[str, bytes]:
        """The inner body's files and those of this address."""
        return {**self.inner[0].files(), **self.own_files}

    def for_inference(self) -> NamedBody:
        """The same around the inner body's faster copy."""
        inner = self.inner[0].for_inference()
        if inner is self.inner[0]:
            return self
        other = copy.copy(self)
        other._modules = {**self._modules, "net": inner.net}
        other.inner = (inner,)
        other.embedder = inner.embedder
        other.blocks = inner.blocks
        return other

    def reset(self, generator: torch.Generator) -> None:
        """New random weights."""
        self.inner[0].reset(generator)
