"""Learnt tokens before every block."""

from __future__ import annotations

from landbridge.core.contracts import Handle
from landbridge.core.insert import Insert
from landbridge.core.model import Body, Model
from landbridge.core.parts import choice, part, real, whole
from landbridge.tunings.prompt_tokens import PromptTokens, sequence_of, small
from landbridge.tunings.staying import lowest_depth, stay


@part("prefix", paper="Li & Liang 2021, Prefix-tuning: optimizing continuous prompts, arXiv:2101.00190")
class Prefix:
    """`length` learnt tokens before the real ones at every block, new ones at each (deep prompts).

    As in Jia et al. 2022 (VPT-deep, arXiv:2203.12119) they enter as tokens and the block's own maps make their keys
    and values, which every transformer allows. Li & Liang, and Liu et al. 2022 for classification (P-tuning v2,
    arXiv:2110.07602), learn keys and values themselves, which would need each library's attention opened.
    """

    length: int = whole(8, 1, 512, log=True, help="how many tokens are learnt at each block")
    spread: float = real(0.02, 0.0, 10.0, help="standard deviation of the first tokens")
    dropout: float = real(0.0, 0.0, 0.9, help="dropout of the learnt tokens")
    where: str = choice("all", "all", "upper", help="every block, or from the middle upward, which trains faster")
    head_scale: float = real(1.0, 0.1, 100.0, log=True, help="how much faster the head learns")

    def attach(self, model: Model) -> Handle:
        """Freeze the body and put tokens before each block; UsageError where positions form a grid."""
        return stay(model, self.insert(model.body), lr=1e-2, head_scale=self.head_scale)

    def insert(self, body: Body) -> Insert:
        """The tokens of every depth, drawn from a fixed stream."""
        flow = sequence_of(body, self)
        lowest, top = lowest_depth(body, self.where, bottom=0), len(body.blocks)
        lowest = min(lowest, top - 1)
        return PromptTokens(
            self, lowest, small(top - lowest, self.length, flow.widths[lowest], self.spread), self.dropout
        )

    def merge(self, model: Model) -> None:
        """Nothing: tokens are no weights of the net, so they stay."""
