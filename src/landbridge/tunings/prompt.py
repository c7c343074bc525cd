"""Learnt tokens before the first block."""

from __future__ import annotations

from landbridge.core.contracts import Handle
from landbridge.core.insert import Insert
from landbridge.core.model import Body, Model
from landbridge.core.parts import part, real, whole
from landbridge.tunings.prompt_tokens import PromptTokens, sequence_of, small
from landbridge.tunings.staying import stay


@part("prompt", paper="Lester et al. 2021, The power of scale for parameter-efficient prompt tuning, arXiv:2104.08691")
class Prompt:
    """`length` learnt tokens before the real ones, behind the embedder; for pictures see Jia et al. 2022 (VPT-shallow).

    Lester et al. start from word vectors, which pictures and sound have not; ours start small and few, which disturbs
    the source's features least. Pooling leaves the learnt tokens out.
    """

    length: int = whole(4, 1, 512, log=True, help="how many tokens are learnt")
    spread: float = real(0.1, 0.0, 10.0, help="standard deviation of the first tokens")
    dropout: float = real(0.0, 0.0, 0.9, help="dropout of the learnt tokens")
    head_scale: float = real(1.0, 0.1, 100.0, log=True, help="how much faster the head learns")

    def attach(self, model: Model) -> Handle:
        """Freeze the body and put the tokens before block 0; UsageError where positions form a grid."""
        return stay(model, self.insert(model.body), lr=1e-2, head_scale=self.head_scale)

    def insert(self, body: Body) -> Insert:
        """The tokens, drawn from a fixed stream."""
        width = sequence_of(body, self).widths[0]
        return PromptTokens(self, 0, small(1, self.length, width, self.spread), self.dropout)

    def merge(self, model: Model) -> None:
        """Nothing: tokens are no weights of the net, so they stay."""
