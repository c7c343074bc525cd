"""A network agrees with a slow copy of itself on how to sort examples into groups that nobody named.

Shapes: B batch, D width, K prototypes.
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
from landbridge.core.seeds import drawn
from landbridge.nn.heads import normalised
from landbridge.nn.projector import two_views
from landbridge.nn.slow_copy import SlowCopy, bare, slowness


class _Head(nn.Module):
    """Features_BD to scores_BK: two layers, a bottleneck of length 1, and prototypes of length 1."""

    def __init__(self, features: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        with drawn(0, "dino", features, hidden, bottleneck, prototypes):
            widths = ((features, hidden), (hidden, hidden), (hidden, bottleneck))
            maps = [nn.Linear(entering, leaving) for entering, leaving in widths]
            self.layers = nn.Sequential(maps[0], nn.GELU(), maps[1], nn.GELU(), maps[2])
            self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))

    def forward(self, features_BD: Tensor) -> Tensor:
        """Cosines to the prototypes."""
        return normalised(self.layers(features_BD)) @ normalised(self.prototypes).T


class _State(nn.Module):
    """The student's head, slow copies of body and head, the centre of the teacher's scores, and what moves it next."""

    centre: Tensor
    seen: Tensor
    rows: Tensor

    def __init__(self, model: Model, head: _Head) -> None:
        super().__init__()
        self.head = head
        self.body = SlowCopy(bare(model))
        self.teacher = SlowCopy(head)
        count = len(head.prototypes)
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("seen", torch.zeros(count))  # teacher's scores since the last step, summed
        self.register_buffer("rows", torch.zeros(()))


@part("dino", paper="Caron et al. 2021, Emerging Properties in Self-Supervised Vision Transformers, arXiv:2104.14294")
class Dino:
    """Learn without labels from a teacher that is the slow copy of the network itself (self-distillation).

    The student's groups for one view, `softmax(g_s / student)`, are pulled to the teacher's for the other,
    `softmax((g_t - c) / teacher)`, by cross-entropy, both ways (equations 1 and 2). The centre c follows the mean of
    the teacher's scores (equation 4) so that no group takes all, and the low temperature sharpens so that not all are
    alike. Departs from the paper: two views of the whole and no small crops, fewer prototypes, the teacher's
    temperature is constant and the last layer is never frozen, as is fit for short runs on small sets.
    """

    prototypes: int = whole(1024, 2, 262_144, log=True, help="K, the number of groups")
    student: float = real(0.1, 0.01, 10.0, log=True, help="temperature of the student")
    teacher: float = real(0.04, 0.001, 10.0, log=True, help="temperature of the teacher; below the student's")
    momentum: float = real(0.99, 0.0, 1.0, help="how much of the teacher stays after a step; rises to 1")
    centring: float = real(0.9, 0.0, 1.0, help="how much of the centre stays after a step")
    hidden: int = whole(512, 2, 65_536, log=True, help="of the head's layers")
    bottleneck: int = whole(128, 2, 65_536, log=True, help="of the head's last layer before the prototypes")
    views: ClassVar[int] = 2
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """A head, and copies of everything for the teacher."""
        device = next(model.parameters()).device
        head = _Head(model.body.width, self.hidden, self.bottleneck, self.prototypes).to(device)
        return _State(model, head).to(device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of the student's groups for each view against the teacher's for the other."""
        assert isinstance(state, _State)
        mine = [state.head(features) for features in two_views(model, batch, "dino")]
        with torch.no_grad():
            teacher = state.body.module
            assert isinstance(teacher, Model)
            theirs = [state.teacher.module(features) for features in two_views(teacher, batch, "dino")]
            state.seen += torch.cat(theirs).sum(0)
            state.rows += len(batch) * len(theirs)
        with torch.autocast(mine[0].device.type, enabled=False):
            exact = torch.promote_types(mine[0].dtype, torch.float32)
            student = [(scores.to(exact) / self.student).log_softmax(1) for scores in mine]
            wanted = [((scores.to(exact) - state.centre) / self.teacher).softmax(1) for scores in theirs]
            each = [-(wanted[i] * student[1 - i]).sum(1).mean() for i in range(2)]
        return {"dino": 0.5 * (each[0] + each[1])}

    @torch.no_grad()
    def after_step(self, model: Model, state: nn.Module, done: float) -> None:
        """Teacher and centre follow."""
        assert isinstance(state, _State)
        slow = slowness(self.momentum, done)
        state.body.follow(bare(model), slow)
        state.teacher.follow(state.head, slow)
        if state.rows > 0:
            state.centre.lerp_(state.seen / state.rows, 1.0 - self.centring)
        state.seen.zero_()
        state.rows.zero_()

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: heads and teacher go."""
        return memory
