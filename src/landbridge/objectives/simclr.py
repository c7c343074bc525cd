"""Two views of one example are told from those of all others in the batch.

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
from landbridge.nn.heads import normalised
from landbridge.nn.projector import projector, two_views


@part("simclr", paper="Chen et al. 2020, SimCLR, arXiv:2002.05709; for texts Gao et al. 2021, SimCSE, arXiv:2104.08821")
class SimCLR:
    """Learn without labels that two random views of an example are one, and all others are not (NT-Xent, equation 1).

    For a pair (i, j) among the 2B projections z of a batch, `l(i, j) = -log exp(s_ij / t) / sum_{k != i} exp(s_ik / t)`
    with cosines s and temperature t; the loss is the mean over both directions of all pairs. The projection is a
    perceptron that is dropped afterwards. More examples in a batch are more to tell apart; where memory forces smaller
    pieces, each is compared within itself.
    """

    temperature: float = real(0.2, 0.01, 10.0, log=True, help="t; lower looks at the most alike examples only")
    width: int = whole(128, 2, 65_536, log=True, help="D, of the projection")
    hidden: int = whole(512, 2, 65_536, log=True, help="of the layer between")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    views: ClassVar[int] = 2
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """The projection."""
        return projector("simclr", (model.body.width, self.hidden, self.width)).to(next(model.parameters()).device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """NT-Xent over the batch, in float32 at least."""
        first, second = (state(features) for features in two_views(model, batch, "simclr"))
        with torch.autocast(first.device.type, enabled=False):
            exact = torch.promote_types(first.dtype, torch.float32)
            return {"simclr": self.strength * nt_xent(first.to(exact), second.to(exact), self.temperature)}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: the projection goes."""
        return memory


def nt_xent(first_BD: Tensor, second_BD: Tensor, temperature: float) -> Tensor:
    """Chen et al. 2020, equation 1, averaged over all 2B anchors."""
    rows = normalised(torch.cat([first_BD, second_BD]))
    score = (rows @ rows.T / temperature).fill_diagonal_(-torch.inf)
    twin = torch.arange(len(rows), device=rows.device).roll(len(first_BD))
    return nn.functional.cross_entropy(score, twin)
