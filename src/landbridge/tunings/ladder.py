"""A small network climbs beside the frozen body and reads it at every rung."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from landbridge.core.contracts import Handle
from landbridge.core.errors import UsageError
from landbridge.core.insert import Insert
from landbridge.core.model import Body, Model
from landbridge.core.parts import choice, part, real, whole
from landbridge.nn.side import SideLayer, resized
from landbridge.tunings.flow import Flow, flow_of
from landbridge.tunings.staying import drawn, lowest_depth, stay


@part("ladder", paper="Sung et al. 2022, LST: ladder side-tuning for memory efficient transfer, arXiv:2206.06522")
class Ladder:
    """A side network reads the body's tokens at each depth through a gated ladder and adds its own answer at the end.

    At depth i the side tokens become mu_i W_i h_i + (1 - mu_i) s_i with mu_i = sigmoid(a_i), a_i = 0 at the start
    (section 3.2 there), then pass a narrow layer. No gradient enters the body, so no activation of it is kept.
    We start the layers at random, not as pruned copies of the body's, which would need each library's layer opened;
    and the end is added through a map that is zero at first, where the paper's takes the body's place.

    The body's tokens at `where` and above are computed once and stored, where they fit, so that an epoch costs the side
    network alone.
    """

    reduction: int = whole(8, 1, 64, log=True, help="the body's width divided by the side network's")
    where: str = choice("all", "all", "upper", help="read from the first block on, or from the middle upward")
    head_scale: float = real(20.0, 0.1, 100.0, log=True, help="how much faster the head learns")

    def attach(self, model: Model) -> Handle:
        """Freeze the body and set the side network beside it."""
        return stay(model, self.insert(model.body), lr=5e-4, head_scale=self.head_scale)

    def insert(self, body: Body) -> Insert:
        """The side network, drawn from a fixed stream; UsageError where a sequence follows a grid or the reverse."""
        flow = flow_of(body, "ladder")
        if len(set(flow.grids)) > 1:
            raise UsageError(f"ladder: {body.address} turns a grid into a sequence on its way; use adapter or lora")
        made = drawn(SideNetwork, self, lowest_depth(body, self.where, bottom=0), flow, self.reduction)
        assert isinstance(made, Insert)
        return made

    def merge(self, model: Model) -> None:
        """Nothing: the side network stays."""


class SideNetwork(Insert):
    """Maps from the body's widths to one narrow width, a gate for each rung, a layer between rungs, the way back."""

    carries = listens = True

    def __init__(self, tuning: Any, lowest: int, flow: Flow, reduction: int) -> None:
        super().__init__(tuning, lowest)
        widths = flow.widths[lowest:]
        width = max(1, max(widths) // reduction)
        self.down = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.layers = nn.ModuleList(SideLayer(width, flow.grids[0]) for _ in widths[1:])
        self.gates = nn.Parameter(torch.zeros(len(self.layers)))
        self.norm, self.up = nn.LayerNorm(width), nn.Linear(width, widths[-1])
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def walk(self) -> Climb:
        """One climb."""
        return Climb(self)


class Climb:
    """One pass of the side network beside the body's."""

    def __init__(self, side: SideNetwork) -> None:
        self.side = side
        self.tokens: Tensor | None = None  # of the side network
        self.mask: Tensor | None = None

    def enter(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Read the body's tokens at depth k and leave them as they are."""
        rung = k - self.side.lowest
        if rung >= 0:
            read = self.side.down[rung](tokens.detach())
            if self.tokens is not None and self.mask is not None:
                own = self.side.layers[rung - 1](self.tokens, self.mask)
                own = resized(own, self.mask.shape[1:], mask.shape[1:])
                gate = torch.sigmoid(self.side.gates[rung - 1])
                read = gate * read + (1 - gate) * own
            self.tokens, self.mask = read, mask
        return tokens, mask

    def read(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """At the end the body's tokens with the side network's answer added; a tap reads the body alone."""
        if self.tokens is None or k < self.side.lowest + len(self.side.layers):
            return tokens, mask
        return tokens + self.side.up(self.side.norm(self.tokens)), mask
