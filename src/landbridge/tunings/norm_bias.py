"""Only norms and biases move."""

from __future__ import annotations

from landbridge.core.contracts import Handle
from landbridge.core.model import Model
from landbridge.core.parts import part, real
from landbridge.tunings.freeze import EMBEDDER, depths, falling, freeze, groups, head_groups, norms, release


@part("norm_bias", paper="Zaken et al. 2021, BitFit: simple parameter-efficient fine-tuning, arXiv:2106.10199")
class NormBias:
    """Every bias and every weight of a normalisation layer move, less than a thousandth of most bodies.

    BitFit moves biases alone; we add the norms' gains, as in convolutions the biases before a batch norm are absent
    (Frankle et al. 2021, arXiv:2003.00152). Running statistics stay the source's.
    """

    head_scale: float = real(1.0, 0.1, 100.0, log=True, help="how much faster the head learns")

    def attach(self, model: Model) -> Handle:
        """Release norms, biases and the head."""
        freeze(model)
        body = model.body
        normal, depth_of = norms(body.net), depths(body)
        named = list(body.net.named_parameters())
        moving = [(n, p) for n, p in named if id(p) in normal or n.rpartition(".")[2] == "bias"]
        made = [*groups(body, moving, falling(body, 1.0)), *head_groups(model, self.head_scale)]
        release(made)
        top = len(body.blocks)
        first = min([depth_of[n] for n, _ in moving], default=top)
        return Handle(groups=made, first_moving=max(first, EMBEDDER), moving=[model.head], lr=1e-3)

    def merge(self, model: Model) -> None:
        """Nothing was added."""
