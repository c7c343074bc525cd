"""The last blocks move."""

from __future__ import annotations

from landbridge.core.contracts import Handle
from landbridge.core.model import Model
from landbridge.core.parts import choice, flag, part, real, whole
from landbridge.tunings.freeze import (
    after_blocks,
    depths,
    falling,
    freeze,
    groups,
    head_groups,
    rate,
    release,
    training,
)


@part("partial", paper="Yosinski et al. 2014, How transferable are features in deep neural networks?, arXiv:1411.1792")
class Partial:
    """The last `blocks` blocks, what comes after them, and the head move; all below is computed once and stored."""

    blocks: int = whole(2, 1, 64, help="how many blocks move, counted from the end")
    layer_decay: float = real(0.9, 0.3, 1.0, help="learning-rate factor from each block to the one below it")
    head_scale: float = real(10.0, 0.1, 100.0, log=True, help="how much faster the head learns")
    norm_statistics: str = choice("frozen", "frozen", "moving", help="running statistics of batch norms")
    dropout: bool = flag(False, help="whether the source's own dropout works, which short tunings do better without")

    def attach(self, model: Model) -> Handle:
        """Release the top; more blocks than there are means all blocks, without the embedder."""
        freeze(model)
        body = model.body
        first = max(0, len(body.blocks) - self.blocks)
        depth_of = depths(body)
        moving = [(n, p) for n, p in body.net.named_parameters() if depth_of[n] >= first]
        made = [*groups(body, moving, falling(body, self.layer_decay)), *head_groups(model, self.head_scale)]
        release(made)
        roots = [*(b.module for b in body.blocks[first:]), *after_blocks(body)]
        statistics = self.norm_statistics == "moving"
        modules = training(roots, statistics=statistics) if self.dropout or statistics else []
        return Handle(groups=made, first_moving=first, moving=[*modules, model.head], lr=rate(body))

    def merge(self, model: Model) -> None:
        """Nothing was added."""
