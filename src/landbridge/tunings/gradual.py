"""From the head downward, a level at a time."""

from __future__ import annotations

from landbridge.core.contracts import Handle
from landbridge.core.model import Model
from landbridge.core.parts import choice, flag, part, real, whole
from landbridge.tunings.freeze import (
    EMBEDDER,
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


@part("gradual", paper="Howard & Ruder 2018, Universal language model fine-tuning (ULMFiT), arXiv:1801.06146")
class Gradual:
    """Start with the head; each time the validation curve stalls, the next blocks below move too.

    ULMFiT releases one layer at each epoch and divides the rate by 2.6 from layer to layer; we let the curve decide
    when, and divide by less by default because bodies are deeper now.
    """

    step: int = whole(2, 1, 64, help="blocks released at each level")
    layer_decay: float = real(0.75, 0.3, 1.0, help="learning-rate factor from each block to the one below it")
    head_scale: float = real(10.0, 0.1, 100.0, log=True, help="how much faster the head learns")
    embedder: bool = flag(True, help="whether the last level releases what makes the tokens")
    norm_statistics: str = choice("frozen", "frozen", "moving", help="running statistics of batch norms")

    def attach(self, model: Model) -> Handle:
        """The head's handle, with a level for every further group of blocks."""
        freeze(model)
        top = len(model.body.blocks)
        lows = [*range(top - self.step, 0, -self.step), 0] if top else []
        levels = [self._level(model, low) for low in [*lows, *([EMBEDDER] if self.embedder else [])]]
        made = head_groups(model, self.head_scale)
        release(made)
        return Handle(groups=made, first_moving=top, moving=[model.head], lr=rate(model.body), levels=levels)

    def merge(self, model: Model) -> None:
        """Nothing was added."""

    def _level(self, model: Model, low: int) -> Handle:
        """What moves once everything from depth `low` upward is released."""
        body, depth_of = model.body, depths(model.body)
        moving = [(n, p) for n, p in body.net.named_parameters() if depth_of[n] >= low]
        made = [*groups(body, moving, falling(body, self.layer_decay)), *head_groups(model, self.head_scale)]
        roots = [body.net] if low == EMBEDDER else [*(b.module for b in body.blocks[low:]), *after_blocks(body)]
        modules = training(roots, statistics=self.norm_statistics == "moving")
        return Handle(groups=made, first_moving=low, moving=[*modules, model.head], lr=rate(body))
