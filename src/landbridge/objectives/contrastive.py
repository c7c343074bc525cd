"""Draw rows of one class together and push classes apart: all pairs of a batch, never a list of pairs.

Shapes: B batch, D width.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.parts import choice, part, real
from landbridge.nn.heads import normalised


@part(
    "contrastive",
    paper="Tunstall et al. 2022 (SetFit), arXiv:2209.11055; Khosla et al. 2020 (SupCon), arXiv:2004.11362",
)
class Contrastive:
    """Shape the features by pairs of rows; a head is solved on them afterwards: `contrastive`, then `probe`, is SetFit.

    "cosine" takes the cosine of two rows to 1 where they share a class and to 0 where they do not, by squared error, as
    SetFit does. SetFit lists equally many pairs of both kinds beforehand; here the pairs are those within a batch, both
    kinds count half, and memory is that of a batch. "supcon" is Khosla's equation 2 over the same pairs, without a
    projection. The head is left alone, so a stage of this objective by itself has no validation score and runs its
    whole length. Beside `supervised` it regularises (Gunel et al. 2021, arXiv:2011.01403).
    """

    kind: str = choice("cosine", "cosine", "supcon", help="squared error of cosines, or softmax over the batch")
    temperature: float = real(0.1, 0.01, 10.0, log=True, help="of supcon; lower looks at nearer rows only")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    sampling: ClassVar[str] = "pairs"
    trains_head: ClassVar[bool] = False

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """Nothing is learnt beside the model; UsageError where rows have no single class."""
        if domain.targets.ndim != 1 or not np.issubdtype(domain.targets.dtype, np.integer):
            raise UsageError(
                f"contrastive: needs one class for each row, the task is {domain.task.part_name}; use supervised"
            )
        return nn.Module()

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss over all pairs of the batch, in float32 at least."""
        if batch.target is None:
            raise UsageError("contrastive: the batch has no target; this objective needs labels")
        features_BD = model.pooled(batch)
        with torch.autocast(features_BD.device.type, enabled=False):
            rows_BD = normalised(features_BD.to(torch.promote_types(features_BD.dtype, torch.float32)))
            cosine_BB = rows_BD @ rows_BD.T
            alike_BB = batch.target.unsqueeze(0) == batch.target.unsqueeze(1)
            if self.kind == "cosine":
                value = _squared(cosine_BB, alike_BB)
            else:
                value = _softmax(cosine_BB / self.temperature, alike_BB)
        return {"contrastive": self.strength * value}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember."""
        return memory


def _squared(cosine_BB: Tensor, alike_BB: Tensor) -> Tensor:
    """Half the mean of (1 - cosine)^2 over pairs of one class, half that of cosine^2 over the others."""
    itself = torch.eye(len(cosine_BB), dtype=torch.bool, device=cosine_BB.device)
    near, far = alike_BB & ~itself, ~alike_BB
    pulled = ((1 - cosine_BB).square() * near).sum() / near.sum().clamp_min(1)
    pushed = (cosine_BB.square() * far).sum() / far.sum().clamp_min(1)
    return 0.5 * (pulled + pushed)


def _softmax(score_BB: Tensor, alike_BB: Tensor) -> Tensor:
    """Khosla et al. 2020, equation 2: the mean log-probability of an anchor's own class among all other rows.

    Anchors without another row of their class are left out of the mean.
    """
    itself = torch.eye(len(score_BB), dtype=torch.bool, device=score_BB.device)
    near = alike_BB & ~itself
    others = score_BB.masked_fill(itself, torch.finfo(score_BB.dtype).min)
    log_share = score_BB - others.logsumexp(1, keepdim=True)
    count_B = near.sum(1)
    each_B = -(log_share * near).sum(1) / count_B.clamp_min(1)
    return each_B.sum() / (count_B > 0).sum().clamp_min(1)
