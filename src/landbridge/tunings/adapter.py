"""Small bottlenecks between the blocks of a frozen body."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from landbridge.core.contracts import Handle
from landbridge.core.insert import Insert
from landbridge.core.model import Body, Model
from landbridge.core.parts import choice, part, real, whole
from landbridge.tunings.flow import flow_of
from landbridge.tunings.staying import drawn, lowest_depth, stay


@part("adapter", paper="Houlsby et al. 2019, Parameter-efficient transfer learning for NLP, arXiv:1902.00751")
class Adapter:
    """h + up(act(down(h))) after each block, with up zero at the start, so that the first output is the source's.

    One adapter a block, after its feed-forward part, as Pfeiffer et al. 2021 (AdapterFusion, arXiv:2005.00247) place
    it; Houlsby et al. have a second after attention. Ours reads what leaves the block, in post-norm layers after the
    last norm instead of before it, so that one rule fits every body: in convolutions, whose tokens are positions, the
    same bottleneck is a pair of 1x1 convolutions (Rebuffi et al. 2018, arXiv:1803.10082, adapt them by such). The
    modules stay in the model and in the artifact.
    """

    reduction: int = whole(8, 1, 256, log=True, help="the block's width divided by the bottleneck's")
    dropout: float = real(0.0, 0.0, 0.9, help="dropout inside the bottleneck")
    where: str = choice("all", "all", "upper", help="after every block, or from the middle upward, which trains faster")
    head_scale: float = real(10.0, 0.1, 100.0, log=True, help="how much faster the head learns")

    def attach(self, model: Model) -> Handle:
        """Freeze the body and put a bottleneck after each block."""
        return stay(model, self.insert(model.body), lr=1e-3, head_scale=self.head_scale)

    def insert(self, body: Body) -> Insert:
        """The bottlenecks, down maps drawn from a fixed stream."""
        lowest = lowest_depth(body, self.where, bottom=1)
        widths = flow_of(body, "adapter").widths[lowest:]
        made = drawn(Bottlenecks, self, lowest, widths, self.reduction, self.dropout)
        assert isinstance(made, Insert)
        return made

    def merge(self, model: Model) -> None:
        """Nothing: a bent map cannot be folded into the net's weights, so the bottlenecks stay."""


class Bottleneck(nn.Module):
    """What is added to tokens of one width: GELU between two linear maps, the second zero at the start."""

    def __init__(self, width: int, reduction: int, dropout: float) -> None:
        super().__init__()
        self.down = nn.Linear(width, max(1, width // reduction))
        self.up = nn.Linear(self.down.out_features, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens_BTD to what is added to them."""
        return self.up(self.dropout(nn.functional.gelu(self.down(tokens))))


class Bottlenecks(Insert):
    """One bottleneck for each depth from `lowest` to the end."""

    def __init__(self, tuning: Any, lowest: int, widths: tuple[int, ...], reduction: int, dropout: float) -> None:
        super().__init__(tuning, lowest)
        self.layers = nn.ModuleList(Bottleneck(width, reduction, dropout) for width in widths)

    def walk(self) -> Bottlenecks:
        """Itself: nothing is carried along."""
        return self

    def enter(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens with the bottleneck of depth k added."""
        return (tokens + self.layers[k - self.lowest](tokens) if k >= self.lowest else tokens), mask

    def read(self, k: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """As they are."""
        return tokens, mask
