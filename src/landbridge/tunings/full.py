"""Everything moves."""

from __future__ import annotations

from landbridge.core.contracts import Handle
from landbridge.core.model import Model
from landbridge.core.parts import choice, flag, part, real
from landbridge.tunings.freeze import EMBEDDER, depths, falling, freeze, groups, head_groups, rate, release, training


@part("full", paper="Yosinski et al. 2014, How transferable are features in deep neural networks?, arXiv:1411.1792")
class Full:
    """All weights move, those nearer the input more slowly.

    Running statistics of batch norms stay the source's unless `norm_statistics` is "moving", which is what training
    from scratch needs: with small batches the moving ones are noisier than the source's own.
    """

    layer_decay: float = real(0.9, 0.3, 1.0, help="learning-rate factor from each block to the one below it")
    head_scale: float = real(10.0, 0.1, 100.0, log=True, help="how much faster the head learns")
    embedder: bool = flag(True, help="whether what makes the tokens moves as well")
    norm_statistics: str = choice("frozen", "frozen", "moving", help="running statistics of batch norms")
    dropout: bool = flag(False, help="whether the source's own dropout works, which short tunings do better without")
    haste: float = real(1.0, 0.01, 100.0, log=True, help="times the body's usual rate, where the stage names none")

    def attach(self, model: Model) -> Handle:
        """Release all weights, or all above the embedder."""
        freeze(model)
        body = model.body
        depth_of = depths(body)
        lowest = EMBEDDER if self.embedder else 0
        moving = [(n, p) for n, p in body.net.named_parameters() if depth_of[n] >= lowest]
        made = [*groups(body, moving, falling(body, self.layer_decay)), *head_groups(model, self.head_scale)]
        release(made)
        roots = [body.net] if self.embedder else [b.module for b in body.blocks]
        statistics = self.norm_statistics == "moving"
        modules = training(roots, statistics=statistics) if self.dropout or statistics else []
        first = min([depth_of[n] for n, _ in moving], default=len(body.blocks))
        return Handle(groups=made, first_moving=first, moving=[*modules, model.head], lr=self.haste * rate(body))

    def merge(self, model: Model) -> None:
        """Nothing was added."""
