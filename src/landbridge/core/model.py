"""A model is `embed -> blocks -> pool -> head`; a body is a source's share of it, a head is the task's.

Shapes: B batch, T tokens (positions of a grid for convolutions), D width, C outputs. Tokens are BxTxD everywhere; the
mask is BxT (1 real, 0 padding), or BxHxW where the tokens form a grid, so that a convolution can restore it.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch, Inputs
from landbridge.core.insert import Insert, Walk

LIKE, WORTH = 8, 0.8  # rows of a piece of like length, and the share of the tokens that pieces may come to

Example = Any  # what a modality decodes: an image, a text, a sound, a row, a series
Views = Callable[[Inputs, torch.Generator], Inputs]


class Prepare(Protocol):
    """Deterministic preprocessing of one example; part of the model, saved and exported with it."""

    def __call__(self, example: Example) -> dict[str, np.ndarray]:
        """The arrays of one example; the same example gives the same bytes everywhere."""
        ...

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Stack prepared examples into tensors, padding where lengths differ."""
        ...

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers, as JSON; enters the cache key and the artifact."""
        ...


class Block(Protocol):
    """One addressable layer of a body."""

    module: nn.Module  # the original library's layer, whose parameters these are

    def __call__(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and mask in, tokens and mask out; strided blocks return a smaller grid."""
        ...


class Body(nn.Module, ABC):
    """What a source gives: the original network (`net`), cut into addressable pieces without changing its numbers.

    `net` holds all weights under the original library's own names, so that PEFT files and state dicts fit it. What
    tunings left beside it is in `inserts`, in the order in which they came.
    """

    address: str  # the source's name, such as `embedded:minilm`
    reads: str  # the modality that `prepare` takes
    width: int  # D of the pooled features
    net: nn.Module
    embedder: tuple[nn.Module, ...]  # the modules of `net` that `embed` uses
    blocks: Sequence[Block]
    prepare: Prepare
    views: Views | None = None  # random label-keeping changes of prepared inputs, for training
    card: dict[str, Any]  # licence, parameters, origin, weights' sha256
    source_head: tuple[Tensor, Tensor] | None = None  # weight SxD, bias S of the source's own classifier, if linear
    inserts: nn.ModuleList  # of Insert

    def __init__(self) -> None:
        super().__init__()
        self.inserts = nn.ModuleList()

    @abstractmethod
    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Prepared inputs to tokens_BTD and mask."""

    @abstractmethod
    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens after the last block to features_BD, as the original library pools."""

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """The small files (configuration, tokenizer) from which `Source.rebuild` makes this body without weights."""

    @abstractmethod
    def reset(self, generator: torch.Generator) -> None:
        """Re-initialise every weight as for training from scratch, by the architecture's own rule."""

    def for_inference(self) -> Body:
        """A body with the same numbers to float tolerance that computes faster and must not be trained; or itself."""
        return self


class Model(nn.Module):
    """A body and a head.

    `taps` names block counts after which features are pooled as well (mean over the mask) and concatenated before the
    head: `taps=(4,)` on a 6-block body gives features of block 4 and of the end.
    """

    def __init__(self, body: Body, head: nn.Module, *, taps: Sequence[int] = ()) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.taps = tuple(taps)
        self._seen: list[tuple[Batch, Tensor]] | None = None

    def forward(self, inputs: Inputs) -> Tensor:
        """Prepared inputs to output_BC."""
        return self.head(self.features(inputs))

    def features(self, inputs: Inputs) -> Tensor:
        """Prepared inputs to the features_BD that the head reads."""
        tokens, mask = self.body.embed(inputs)
        return self.features_from(0, tokens, mask)

    def forward_from(self, k: int, tokens: Tensor, mask: Tensor) -> Tensor:
        """Continue from the activations that enter block k (k = number of blocks: pool and head only)."""
        return self.head(self.features_from(k, tokens, mask))

    @property
    def latest_start(self) -> int:
        """The highest depth from which features can be continued: neither taps nor carrying inserts lie below it."""
        carrying = [insert.lowest for insert in _inserts(self.body) if insert.carries]
        return min([len(self.body.blocks), *self.taps, *carrying])

    def features_from(self, k: int, tokens: Tensor, mask: Tensor) -> Tensor:
        """Features from the activations that enter block k; what is read below k cannot be read any more."""
        if k > self.latest_start:
            raise ValueError(f"taps {self.taps} or inserts read below block {k}; start from block {self.latest_start}")
        walks = [insert.walk() for insert in _inserts(self.body)]
        tapped: list[Tensor] = []
        for i, block in enumerate(self.body.blocks):
            if i >= k:
                tokens, mask = _enter(walks, i, tokens, mask)
                if i in self.taps:
                    tapped.append(mean_pool(*_read(walks, i, tokens, mask)))
                tokens, mask = block(tokens, mask)
        top = len(self.body.blocks)
        tokens, mask = _read(walks, top, *_enter(walks, top, tokens, mask))
        return torch.cat([*tapped, self.body.pool(tokens, mask)], dim=1)

    def depths(self, inputs: Inputs) -> list[Tensor]:
        """What any taps would give, in one pass: the mean of what enters each block, and the body's own features."""
        walks = [insert.walk() for insert in _inserts(self.body)]
        tokens, mask = self.body.embed(inputs)
        means: list[Tensor] = []
        for i, block in enumerate(self.body.blocks):
            tokens, mask = _enter(walks, i, tokens, mask)
            seen, at = _read(walks, i, tokens, mask)
            full = at.dim() > 2 and at.device.type == "cpu" and bool(at.all())
            means.append(seen.mean(1) if full else mean_pool(seen, at))  # large grids are read once, not copied
            tokens, mask = block(tokens, mask)
        top = len(self.body.blocks)
        tokens, mask = _read(walks, top, *_enter(walks, top, tokens, mask))
        return [*means, self.body.pool(tokens, mask)]

    def layers(self, inputs: Inputs) -> list[tuple[Tensor, Tensor]]:
        """Tokens and mask as they are read at every depth: what enters each block, and last what pooling sees."""
        walks = [insert.walk() for insert in _inserts(self.body)]
        tokens, mask = self.body.embed(inputs)
        seen: list[tuple[Tensor, Tensor]] = []
        for i, block in enumerate(self.body.blocks):
            tokens, mask = _enter(walks, i, tokens, mask)
            seen.append(_read(walks, i, tokens, mask))
            tokens, mask = block(tokens, mask)
        top = len(self.body.blocks)
        return [*seen, _read(walks, top, *_enter(walks, top, tokens, mask))]

    def features_along(self, k: int, layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Features from the activations at depth k and at each depth after it, without running a block: for inserts
        that only read what flows between the blocks."""
        if k > self.latest_start:
            raise ValueError(f"taps {self.taps} or inserts read below block {k}; start from block {self.latest_start}")
        walks = [insert.walk() for insert in _inserts(self.body)]
        tapped: list[Tensor] = []
        for i, layer in enumerate(layers[:-1], start=k):
            entered = _enter(walks, i, *layer)
            if i in self.taps:
                tapped.append(mean_pool(*_read(walks, i, *entered)))
        top = len(self.body.blocks)
        tokens, mask = _read(walks, top, *_enter(walks, top, *layers[-1]))
        return torch.cat([*tapped, self.body.pool(tokens, mask)], dim=1)

    def tokens_at(self, k: int, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The activations that enter block k, before any insert acts at that depth, and their mask."""
        walks = [insert.walk() for insert in _inserts(self.body)]
        tokens, mask = self.body.embed(inputs)
        for i, block in enumerate(self.body.blocks[:k]):
            tokens, mask = block(*_enter(walks, i, tokens, mask))
        return tokens, mask

    def tokens_from(self, k: int, inputs: Inputs) -> list[tuple[Tensor, Tensor]]:
        """What enters block k and each block after it, and last what leaves the last; for a body without inserts."""
        layers = [self.tokens_at(k, inputs)]
        for block in self.body.blocks[k:]:
            layers.append(block(*layers[-1]))
        return layers

    def output(self, batch: Batch) -> Tensor:
        """Output of a batch, from its inputs or from stored activations."""
        return self.head(self.pooled(batch))

    @contextmanager
    def shared(self) -> Generator[None]:
        """Inside, the features of one batch are computed once, however many objectives read them."""
        self._seen = []
        try:
            yield
        finally:
            self._seen = None

    def pooled(self, batch: Batch) -> Tensor:
        """Features of a batch, from its inputs or from stored activations."""
        if self._seen is None:
            return self._pooled(batch)
        for seen, features in self._seen:
            if seen is batch:
                return features
        self._seen.append((batch, self._pooled(batch)))
        return self._seen[-1][1]

    def _pooled(self, batch: Batch) -> Tensor:
        if batch.tokens is not None and batch.mask is not None:
            if batch.above:
                return self.features_along(batch.depth, [(batch.tokens, batch.mask), *batch.above])
            return self._by_length(batch.depth, batch.tokens, batch.mask)
        if batch.inputs is None:
            raise ValueError("a batch needs inputs or tokens with mask")
        return self._by_length(0, *self.body.embed(batch.inputs))

    def _by_length(self, k: int, tokens: Tensor, mask: Tensor) -> Tensor:
        """`features_from`, on a CPU in pieces of like length where texts differ so much that padding would cost more
        than a fifth: a training batch of a small set holds the longest text and the shortest. Padding is to the right.
        """
        if self.body.reads != "text" or tokens.device.type != "cpu" or mask.dim() != 2:
            return self.features_from(k, tokens, mask)
        ends = (mask != 0) * torch.arange(1, mask.shape[1] + 1)
        lengths, order = ends.amax(1).sort(descending=True)
        pieces, cuts = torch.split(order, LIKE), [max(1, int(longest)) for longest in lengths[::LIKE]]
        if sum(len(rows) * cut for rows, cut in zip(pieces, cuts, strict=True)) > WORTH * mask.numel():
            return self.features_from(k, tokens, mask)
        made = [
            self.features_from(k, tokens[rows, :cut], mask[rows, :cut]) for rows, cut in zip(pieces, cuts, strict=True)
        ]
        return torch.cat(made)[order.argsort()]


def _inserts(body: Body) -> list[Insert]:
    return cast("list[Insert]", list(body.inserts))


def _enter(walks: Sequence[Walk], k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Through every insert, the oldest first."""
    for walk in walks:
        tokens, mask = walk.enter(k, tokens, mask)
    return tokens, mask


def _read(walks: Sequence[Walk], k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What is read of them, the newest first, so that each undoes what it did."""
    for walk in reversed(walks):
        tokens, mask = walk.read(k, tokens, mask)
    return tokens, mask


def mean_pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real tokens, BxTxD to BxD."""
    weight = mask.flatten(1).to(tokens.dtype).unsqueeze(-1)
    return (tokens * weight).sum(1) / weight.sum(1).clamp_min(1.0)


def weights_hash(module: nn.Module) -> str:
    """sha256 over names, shapes, dtypes and bytes of every parameter and buffer, in name order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        flat = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(flat.shape)} {flat.dtype}".encode())
        digest.update(flat.reshape(-1).view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    return digest.hexdigest()
