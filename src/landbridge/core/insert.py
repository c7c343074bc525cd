"""What a tuning leaves in a body because no plain weight can hold it: adapters, prompts, a side network.

Shapes: B batch, T tokens, D width; tokens and masks are those of `core.model`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from torch import Tensor, nn

from landbridge.core import codec
from landbridge.core.errors import UsageError
from landbridge.core.parts import name_of

if TYPE_CHECKING:
    from landbridge.core.model import Body


class Walk(Protocol):
    """One pass of a batch through the blocks, as an insert goes along with it. Depth k is the entry of block k; the
    number of blocks is the depth of what is pooled."""

    def enter(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What enters block k instead; called once at each depth, in order."""
        ...

    def read(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What pooling or a tap sees at depth k, as many tokens as the body itself has there."""
        ...


class Insert(nn.Module, ABC):
    """Modules beside a body's `net`, which acts on what flows between its blocks; the net itself stays as it is.

    An artifact keeps `tuning` as JSON and the state dict, and rebuilds the rest with `tuning.insert(body)`.
    """

    neutral: ClassVar[bool] = True  # untrained it changes no output
    carries: ClassVar[bool] = False  # it takes state from depth to depth, so a walk must begin at `lowest` or below
    listens: ClassVar[bool] = False  # what flows between the blocks leaves `enter` as it came
    lengthens: ClassVar[bool] = False  # there are more tokens between `lowest` and the end than the body made

    def __init__(self, tuning: Any, lowest: int) -> None:
        super().__init__()
        self.tuning = tuning  # the part that made it
        self.lowest = lowest  # the depth below which it neither changes nor reads anything

    @abstractmethod
    def walk(self) -> Walk:
        """A fresh companion for one pass; the insert itself where it has no state."""


def put_back(body: Body, made: Iterable[Mapping[str, Any]]) -> None:
    """The inserts of these tunings (as JSON), untrained and in this order, in place of any that the body has."""
    body.inserts = nn.ModuleList()
    for data in made:
        tuning = codec.from_json("tunings", data)
        if not hasattr(tuning, "insert"):
            raise UsageError(f"{name_of(tuning)}: leaves nothing in a model that could be put back; train again")
        body.inserts.append(tuning.insert(body))
