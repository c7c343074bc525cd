"""How an original network is cut into embedder, blocks and pooling without changing a number.

A cut is a plain value that names the pieces by their path inside the network; it holds no reference to them. So a
body may be copied, moved or have its layers wrapped by adapters, and the cut still finds what is there now.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from landbridge.core.batch import Inputs
from landbridge.core.model import Body, Prepare, Views
from landbridge.nn.fold import folded

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Cut(Protocol):
    """Where one family of networks is divided, and how its pieces are called."""

    @property
    def reads(self) -> str:
        """The modality of the prepared inputs."""
        ...

    @property
    def width(self) -> int:
        """D of the pooled features."""
        ...

    @property
    def front(self) -> tuple[str, ...]:
        """Paths of the modules that `embed` uses."""
        ...

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """For each block the paths of its modules."""
        ...

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Prepared inputs to tokens_BTD and mask."""
        ...

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Through block `index`."""
        ...

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens after the last block to features_BD."""
        ...


class Piece:
    """One addressable block of a cut network."""

    def __init__(self, net: nn.Module, cut: Cut, index: int) -> None:
        self.net = net
        self.cut = cut
        self.index = index

    @property
    def module(self) -> nn.Module:
        """The original layer, or the list of them where a block is made of several."""
        found = [self.net.get_submodule(path) for path in self.cut.layers[self.index]]
        return found[0] if len(found) == 1 else nn.ModuleList(found)

    def __call__(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and mask in, tokens and mask out."""
        return self.cut.step(self.net, self.index, tokens, mask)


class CutBody(Body):
    """A body made of an original network, a cut, a preparation and the small files that describe all three."""

    def __init__(
        self,
        *,
        address: str,
        net: nn.Module,
        fresh: Fresh,
        cut: Cut,
        prepare: Prepare,
        views: Views | None,
        card: Mapping[str, Any],
        small_files: Mapping[str, bytes],
    ) -> None:
        super().__init__()
        self.address = address
        self.net = net
        self.fresh = fresh
        self.cut = cut
        self.reads = cut.reads
        self.width = cut.width
        self.embedder = tuple(net.get_submodule(path) for path in cut.front)
        self.blocks = tuple(Piece(net, cut, i) for i in range(len(cut.layers)))
        self.prepare = prepare
        self.views = views
        self.card = {"parameters": sum(p.numel() for p in net.parameters()), **card}
        self.small_files = dict(small_files)

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Prepared inputs to tokens_BTD and mask."""
        return self.cut.embed(self.net, inputs)

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens after the last block to features_BD, as the original library pools."""
        return self.cut.pool(self.net, tokens, mask)

    def files(self) -> dict[str, bytes]:
        """Configuration and tokenizer, from which the source rebuilds this body without weights."""
        return dict(self.small_files)

    def for_inference(self) -> CutBody:
        """A copy whose batch norms are folded into its convolutions; itself where there are none."""
        if not any(isinstance(module, nn.BatchNorm2d) for module in self.net.modules()):
            return self
        other = copy.copy(self)
        other._modules = {**self._modules, "net": folded(self.net)}
        other.embedder = tuple(other.net.get_submodule(path) for path in self.cut.front)
        other.blocks = tuple(Piece(other.net, self.cut, i) for i in range(len(self.cut.layers)))
        return other

    def reset(self, generator: torch.Generator) -> None:
        """Weights as the original library draws them for a new network; the caller's random state is left alone.

        Batch norms get PyTorch's usual momentum of 0.1: some converted checkpoints carry 0.997 by TensorFlow's
        opposite convention, with which running statistics are only those of the last batch.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
            new = self.fresh.build(self.net)
        self.net.load_state_dict(new.state_dict())
        for module in self.net.modules():
            if isinstance(module, BATCH_NORMS):
                module.momentum = 0.1


class Fresh(Protocol):
    """How a library makes another network of the same architecture with new random weights."""

    def build(self, net: nn.Module) -> nn.Module:
        """A network like `net`, drawn from PyTorch's global random state."""
        ...
