"""Loops over toy bodies, as the engine builds them for a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from landbridge.core import codec
from landbridge.core.batch import Batch
from landbridge.core.model import Model
from landbridge.core.recipe import Stage
from landbridge.engine.feed import Feed
from landbridge.engine.loop import Loop
from landbridge.engine.precision import Precision
from landbridge.engine.supply import Supply
from landbridge.objectives.supervised import Supervised
from landbridge.testing import toy_domain, toy_model

PLAIN = Precision(device=torch.device("cpu"), dtype=torch.float32)


class Pulled:
    """An objective with parameters and a counter of its own, so that its state must be kept to resume exactly."""

    part_name, paper = "pulled", "a test"

    def begin(self, model: Model, domain: Any, rows: Any, memory: Any) -> torch.nn.Module:
        """A linear critic and a count."""
        state = torch.nn.Linear(model.head.outputs, 1)
        with torch.no_grad():
            state.weight.fill_(0.3)
            state.bias.fill_(0.1)
        state.register_buffer("seen", torch.zeros(()))
        return state

    def loss(self, model: Model, state: Any, batch: Batch, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Pull the critic's answer about noisy outputs to one."""
        state.seen += len(batch)
        output = model.output(batch)
        noisy = output + 0.1 * torch.randn(output.shape, generator=generator)
        return {"pull": 0.1 * (state(noisy) - 1 + 0.001 * state.seen).square().mean()}

    def end(self, model: Model, state: Any, memory: Any) -> Any:
        """Nothing."""
        return memory


def make_loop(
    tuning: str = "full(dropout=True)",
    *,
    reads: str = "text",
    objectives: Sequence[Any] = (Supervised(),),
    rows: int = 40,
    validate: bool = True,
    size: int = 8,
    **given: Any,
) -> Loop:
    """A fresh loop; stage lengths and fields of the loop are told apart by name."""
    length = {k: given.pop(k) for k in ("lr", "decay", "patience", "average", "batch") if k in given}
    domain, model = toy_domain(reads, rows=rows), toy_model(reads)
    pair = domain.folds[0].pairs[0]
    stage = Stage(tuning=codec.parse("tunings", tuning), objectives=tuple(objectives), **length)
    handle = stage.tuning.attach(model)
    states = [o.begin(model, domain, pair.train, {}) for o in stage.objectives]
    validation = pair.validation if validate else pair.validation[:0]
    supply = Supply(domain, model.body.prepare)
    feed = Feed(supply=supply, train=pair.train, validation=validation, size=size, augment=False)
    epochs = given.pop("epochs", 3)
    return Loop(
        model=model, handle=handle, objectives=stage.objectives, states=states, stage=stage, feed=feed,
        task=domain.task, precision=PLAIN, seed=3, epochs=epochs, stop_after=given.pop("stop_after", epochs), **given,
    )  # fmt: skip


def weights(loop: Loop) -> dict[str, torch.Tensor]:
    """Everything that a loop can change."""
    found = {f"model/{n}": t.detach().clone() for n, t in loop.model.state_dict().items()}
    for i, state in enumerate(loop.states):
        found |= {f"state{i}/{n}": t.detach().clone() for n, t in state.state_dict().items()}
    return found
