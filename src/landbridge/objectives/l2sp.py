"""Stay near the weights one begins with: a quadratic penalty whose centre is the source instead of zero."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.model import Model
from landbridge.core.parts import part, real


class _Start(nn.Module):
    """The weights of the body with which the stage began, as buffers under their own names."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        for name, parameter in body.named_parameters():
            self.register_buffer(_key(name), parameter.detach().clone())

    def of(self, name: str) -> Tensor:
        """The starting value of the parameter `name`."""
        return self.get_buffer(_key(name))


@part(
    "l2sp",
    paper="Li et al. 2018, Explicit Inductive Bias for Transfer Learning with Convolutional Networks, arXiv:1802.01483",
)
class L2SP:
    """Pull the body to its starting weights and the new head to zero: `strength/2 |w - w0|^2 + head/2 |v|^2` (eq. 3).

    It stands beside an objective that learns, `supervised+l2sp(strength=0.1)`. The start is that of the stage, which is
    the source itself where only a head was solved before. What is frozen costs nothing; weights that a tuning inserts
    are pulled to their own start. The stage's `decay` pulls all weights to zero besides; 0 gives the paper's form.
    """

    strength: float = real(0.01, 0.0, 100.0, log=True, help="alpha, the pull of the body's weights to their start")
    head: float = real(0.01, 0.0, 100.0, log=True, help="beta, the pull of the head's weights to zero")

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """A copy of all weights of the body: what is frozen now may be released later."""
        return _Start(model.body)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The penalty on what moves; it does not depend on the batch."""
        assert isinstance(state, _Start)
        body = [(p - state.of(n)).square().sum() for n, p in model.body.named_parameters() if p.requires_grad]
        head = [p.square().sum() for p in model.head.parameters() if p.requires_grad]
        nothing = next(model.parameters()).new_zeros(())
        return {"l2sp": 0.5 * (self.strength * sum(body, nothing) + self.head * sum(head, nothing))}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember."""
        return memory


def _key(name: str) -> str:
    return name.replace(".", "/")  # buffers may have no dot in their names
