"""Keep the source's own classifier at work: it learns to say what the target's classes are among the source's.

Shapes: B batch, D width, N rows, S source classes, C classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.parts import choice, part, real
from landbridge.nn.relation import direct_relation, reverse_relation
from landbridge.nn.solve import make_folds

READ = 32  # rows read at a time to learn the relation


class _State(nn.Module):
    """The source's classifier, which trains along, and p(source class | class), CxS."""

    relation: Tensor

    def __init__(self, weight_SD: Tensor, bias_S: Tensor, relation_CS: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight_SD.clone()), nn.Parameter(bias_S.clone())
        self.register_buffer("relation", relation_CS)


@part("cotuning", paper="You et al. 2020, Co-Tuning for Transfer Learning, NeurIPS 2020")
class CoTuning:
    """Train the source's head beside the new one, toward the source classes that go with each label (equation 2).

    It stands beside an objective that learns, `supervised+cotuning`. The relation of both sets of classes is learnt
    from the source's answers on the training rows before the stage; "reverse" by a calibrated regression and Bayes'
    rule, "direct" by averages. The source has no rows here to calibrate it on, so its probabilities take a fixed
    `temperature`; 1.13 is the authors' for ImageNet. Only checkpoints with a linear classifier over the features have
    what this needs. The classifier is dropped at the end.
    """

    strength: float = real(1.0, 0.0, 100.0, log=True, help="lambda, the weight beside the task's own loss")
    relation: str = choice("reverse", "reverse", "direct", help="how classes are related to the source's")
    temperature: float = real(1.13, 0.1, 10.0, log=True, help="of the source's probabilities; higher is softer")

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """Read the training rows once and relate the classes; UsageError where there is nothing to relate."""
        if domain.targets.ndim != 1 or not np.issubdtype(domain.targets.dtype, np.integer):
            raise UsageError(
                f"cotuning: needs one class for each row, the task is {domain.task.part_name}; use supervised or l2sp"
            )
        if model.body.source_head is None:
            raise UsageError(
                f"cotuning: {model.body.address} has no classifier of its own; use l2sp, or an image classification "
                "checkpoint of transformers"
            )
        weight_SD, bias_S = (t.to(next(model.parameters()).device) for t in model.body.source_head)
        target_N, outputs = torch.from_numpy(domain.targets[rows]).long(), domain.task.outputs
        source_NS = self._answers(model, domain, rows, weight_SD, bias_S)
        if self.relation == "direct":
            relation_CS = direct_relation(source_NS, target_N, outputs)
        else:
            groups = None if domain.groups is None else domain.groups[rows]
            folds = make_folds(len(rows), source_NS.shape[1], outputs, 0, strata=target_N.numpy(), groups=groups)
            relation_CS = reverse_relation(source_NS, target_N, outputs, folds)
        return _State(weight_SD, bias_S, relation_CS.to(weight_SD))

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of the source's classifier against the source classes that belong to each row's label."""
        assert isinstance(state, _State)
        if batch.target is None:
            raise UsageError("cotuning: the batch has no target; this objective needs labels")
        features_BD = model.pooled(batch)[:, -state.weight.shape[1] :]  # those of the end, where depths are tapped
        logits_BS = nn.functional.linear(features_BD, state.weight, state.bias)
        value = nn.functional.cross_entropy(logits_BS, state.relation[batch.target])
        return {"cotuning": self.strength * value}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember."""
        return memory

    @torch.no_grad()
    def _answers(self, model: Model, domain: Domain, rows: np.ndarray, weight_SD: Tensor, bias_S: Tensor) -> Tensor:
        """The source's probabilities on the training rows, NxS, before a weight has moved."""
        body, answers = model.body, []
        model.eval()
        for start in range(0, len(rows), READ):
            prepared = [body.prepare(domain.example(int(r))) for r in rows[start : start + READ]]
            inputs = {k: v.to(weight_SD.device) for k, v in body.prepare.collate(prepared).items()}
            features_BD = model.features(inputs)[:, -weight_SD.shape[1] :]
            logits_BS = nn.functional.linear(features_BD, weight_SD, bias_S)
            answers.append((logits_BS / self.temperature).softmax(1).cpu())
        return torch.cat(answers)
