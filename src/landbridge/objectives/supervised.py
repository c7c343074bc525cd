"""Learn from labels: the task's own loss, or the head solved at once where only the head moves."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory, Task
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Body, Example, Model
from landbridge.core.parts import choice, flag, part, real
from landbridge.core.seeds import stream
from landbridge.nn.context_head import ContextHead
from landbridge.nn.heads import Head
from landbridge.objectives.closed_form import Order, solved


class _State(nn.Module):
    """What the objective keeps beside the model: the task, and the weight of each class as a buffer."""

    def __init__(self, task: Task, weight_C: Tensor | None) -> None:
        super().__init__()
        self.task = task
        self.register_buffer("weight", weight_C)


@part(
    "supervised",
    paper="Szegedy et al. 2016 (label smoothing), arXiv:1512.00567; Zhang et al. 2018 (mixup), arXiv:1710.09412",
)
class Supervised:
    """The task's loss on labels, with label smoothing, class weights and mixup where they are wished for.

    Mixup draws one lambda ~ Beta(mixup, mixup) for a batch and mixes the loss of both targets, which equals mixing the
    targets for cross-entropy. Pixels and other real inputs are mixed, and so are stored activations that have the same
    mask; batches of word numbers are mixed after pooling (Guo et al. 2019, arXiv:1905.08941, "senMixup").
    """

    smoothing: float = real(0.0, 0.0, 0.9, help="share of the target spread over all classes")
    mixup: float = real(0.0, 0.0, 10.0, help="alpha of mixup's Beta distribution, 0 for none")
    weights: str = choice("none", "none", "balanced", help="whether rare classes count more")
    names: bool = flag(False, help="for texts, the name of each class as one more example of it when solving a head")

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """The task, and class weights from the training rows when they are balanced."""
        weight = domain.task.class_weight(domain.targets[rows]) if self.weights == "balanced" else None
        return _State(domain.task, None if weight is None else torch.from_numpy(weight.astype(np.float32)))

    def extra(self, body: Body, task: Task) -> tuple[list[Example], np.ndarray]:
        """Examples that the task itself gives, with targets: the class names as texts, where both are words.

        With few labels a name is worth about as much as a labelled example; `card_arrival` is read as `card arrival`.
        """
        names = list(task.describe(np.zeros((1, task.outputs), np.float32))[0]) if self.names else []
        if body.reads != "text" or task.part_name != "classify" or not all(is_word(n) for n in names):
            return [], np.empty(0, np.int64)
        return [as_text(n) for n in names], np.arange(len(names))

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The mean loss of the batch; rows with a weight count by it."""
        assert isinstance(state, _State)
        if batch.target is None:
            raise UsageError("supervised: the batch has no target; this objective needs labels")
        if self.mixup == 0.0 or len(batch) < 2:
            each_B = self._each(state, model.output(batch), batch.target)
        else:
            each_B = self._mixed(model, state, batch, batch.target, generator)
        if batch.weight is not None:
            return {"supervised": (each_B * batch.weight).sum() / batch.weight.sum().clamp_min(1e-12)}
        return {"supervised": each_B.mean()}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember."""
        return memory

    def solve(
        self,
        features: Tensor,
        target: Tensor,
        task: Task,
        head: Head | ContextHead,
        *,
        seed: int,
        groups: np.ndarray | None = None,
        kind: str = "auto",
    ) -> dict[str, Any]:
        """Fill `head` from features_ND and targets at once; how it was chosen, as JSON.

        `kind` (a solver of the wish) overrules the head's wish; `groups` stay together in cross-validation.
        """
        balanced = task.class_weight(target.numpy()) if self.weights == "balanced" else None
        if isinstance(head, ContextHead):
            if task.part_name != "classify":
                raise UsageError(f"probe: head 'context' tells classes apart, the task is {task.part_name}; use auto")
            return head.fill(features, target, seed=stream(seed, "context") % 2**32, class_weight=balanced)
        wish = head.wish if kind == "auto" else replace(head.wish, solver=kind)
        order = Order(task=task, wish=wish, smoothing=self.smoothing, class_weight=balanced, groups=groups)
        solution = solved(order, features, target, stream(seed, "solve") % 2**32)
        if solution.support is not None:
            head.normalise = solution.normalise
            parts = solution.weight, solution.bias, solution.support, solution.gamma, solution.mean, solution.scale
            head.fill_kernel(*parts, unit=solution.unit)
            return solution.facts
        prepared = {"normalise": solution.normalise, "unit": solution.unit}
        head.fill(solution.weight, solution.bias, solution.mean, solution.scale, **prepared)
        return solution.facts

    def _each(self, state: _State, output: Tensor, target: Tensor) -> Tensor:
        """Loss of each example."""
        return state.task.loss(output, target, weight=state.weight, smoothing=self.smoothing)

    def _mixed(self, model: Model, state: _State, batch: Batch, target: Tensor, generator: torch.Generator) -> Tensor:
        """Loss of each example of a mixed batch."""
        share = _beta(self.mixup, generator)
        partner = torch.randperm(len(batch), generator=generator).to(target.device)
        output = _output(model, batch, share, partner)
        return share * self._each(state, output, target) + (1 - share) * self._each(state, output, target[partner])


def is_word(name: str) -> bool:
    """Whether a class name says something: at least three letters in a row."""
    return re.search(r"[^\W\d_]{3}", name) is not None


def as_text(name: str) -> str:
    """A class name as a person would write it: `cardArrival` and `card_arrival` are `card arrival`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.split(r"[\s_\-/.]+", spaced)).strip().lower()


def _output(model: Model, batch: Batch, share: float, partner: Tensor) -> Tensor:
    """Output of a batch in which every example is mixed with its partner, as early as its kind allows."""
    if batch.tokens is not None and batch.mask is not None and bool((batch.mask == batch.mask[:1]).all()):
        return model.output(replace(batch, tokens=_mix(batch.tokens, share, partner)))
    if batch.tokens is None and batch.inputs is not None and all(v.is_floating_point() for v in batch.inputs.values()):
        return model.output(replace(batch, inputs={k: _mix(v, share, partner) for k, v in batch.inputs.items()}))
    return model.head(_mix(model.pooled(batch), share, partner))


def _mix(value: Tensor, share: float, partner: Tensor) -> Tensor:
    return share * value + (1 - share) * value[partner]


def _beta(alpha: float, generator: torch.Generator) -> float:
    """One draw from Beta(alpha, alpha) by two gamma draws of the given stream."""
    pair = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=generator)
    total = float(pair.sum())
    return float(pair[0]) / total if total > 0 else 1.0
