"""One view of an example foretells the other; that no gradient flows into what is foretold keeps all from being alike.

Shapes: B batch, D width of the projection.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.model import Model
from landbridge.core.parts import part, real, whole
from landbridge.nn.projector import projector, two_views


class _State(nn.Module):
    """The projection f's end and the predictor h."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.project = projector("simsiam", (features, width, width, width), last_norm=True)
        self.predict = projector("simsiam predictor", (width, max(2, width // 4), width))


@part("simsiam", paper="Chen & He 2021, Exploring Simple Siamese Representation Learning, arXiv:2011.10566")
class SimSiam:
    """Learn without labels and without comparing examples: a predictor turns one view's projection into the other's.

    With z the projections and p = h(z), the loss is `D(p1, z2) / 2 + D(p2, z1) / 2` (equation 2), D the negative cosine
    and z held fixed (equation 3). It lies between -1 and 1 and needs no large batches. The predictor trains at the same
    falling rate as all else, where the paper keeps its rate constant.
    """

    width: int = whole(512, 8, 65_536, log=True, help="D; the predictor narrows it to a quarter")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    views: ClassVar[int] = 2
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """Projection and predictor."""
        return _State(model.body.width, self.width).to(next(model.parameters()).device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Half the negative cosine each way, in float32 at least."""
        assert isinstance(state, _State)
        first, second = (state.project(features) for features in two_views(model, batch, "simsiam"))
        told_first, told_second = state.predict(first), state.predict(second)
        value = 0.5 * distance(told_first, second.detach()) + 0.5 * distance(told_second, first.detach())
        return {"simsiam": self.strength * value}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: projection and predictor go."""
        return memory


def distance(told_BD: Tensor, wanted_BD: Tensor) -> Tensor:
    """The mean negative cosine (equation 1)."""
    exact = torch.promote_types(told_BD.dtype, torch.float32)
    return -nn.functional.cosine_similarity(told_BD.to(exact), wanted_BD.to(exact), dim=1).mean()
