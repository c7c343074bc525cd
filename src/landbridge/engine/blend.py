"""One model out of several that were trained from one start: the mean of their weights, and what it comes to."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from landbridge.core.domain import Pair
from landbridge.core.finding import Trial
from landbridge.core.model import Model
from landbridge.core.seeds import torch_generator
from landbridge.engine.attempt import Attempt, read_through
from landbridge.engine.average import RUNNING, reestimate, uniform
from landbridge.engine.cost import Meter, parameters
from landbridge.engine.extract import Watch
from landbridge.engine.feed import Feed
from landbridge.engine.memory import share
from landbridge.engine.predictor import ModelPredictor
from landbridge.engine.workshop import Road, Workshop
from landbridge.nn.heads import Head

BATCH = 32  # rows from which statistics are estimated at a time


def plain_model(attempt: Attempt) -> Model | None:
    """The trained model of an attempt where it is at hand, without inserts and with a linear head, else None.

    Only such models are averaged: low-rank updates are merged into their weights by then, while inserts start from next
    to nothing and move far, and a bent head is a sum over examples as its own body sees them.
    """
    predictor = attempt.predictor
    if not isinstance(predictor, ModelPredictor) or len(predictor.model.body.inserts):
        return None
    head = predictor.model.head
    return predictor.model if isinstance(head, Head) and not len(head.support) else None


def blend(workshop: Workshop, parts: Sequence[Attempt], pair: Pair, *, ends: float = math.inf) -> Attempt:
    """The mean of the parts' weights, which were trained on the pair's training rows, judged on its validation rows.

    Statistics of batch norms that moved in training are estimated anew on the training rows. OutOfTimeError as soon as
    reading shows that it would end after monotonic time `ends`. The parts stay as they are.
    """
    meter = Meter(workshop.device)
    first, models = parts[0].predictor, [plain_model(p) for p in parts]
    assert isinstance(first, ModelPredictor) and all(m is not None for m in models)
    road = workshop.road(first.source, first.bridge, np.sort(np.concatenate([pair.train, pair.validation])))
    model = copy.deepcopy(first.model)
    uniform([m.state_dict() for m in models if m is not None], model.state_dict())
    _restate(model, road, pair.train, workshop.seed, workshop.watching(road, ends))
    share(model.body.net, road.body.net)
    output = np.zeros((0, workshop.domain.task.outputs), np.float32)
    trial = Trial(name=parts[0].trial.name, recipe=parts[0].trial.recipe, status="done", seed=parts[0].trial.seed)
    if len(pair.validation):
        watch = workshop.watching(road, ends)
        output = read_through(model, road, pair.validation, workshop.device, features=False, watch=watch)
        score = workshop.domain.task.score(output, workshop.domain.targets[pair.validation])
        trial.validation = score if np.isfinite(output).all() else -math.inf
    trial.trainable, trial.total = max(p.trial.trainable for p in parts), parameters(model)[1]
    trial.seconds, trial.peak_mb = meter.seconds, meter.peak_mb
    made = ModelPredictor(model, source=first.source, bridge=first.bridge, facts=first.facts, origin=first.origin)
    return Attempt(trial=trial, predictor=made, output=output)


def _restate(model: Model, road: Road, rows: np.ndarray, seed: int, watch: Watch) -> None:
    """Running statistics of the weights there are now, where they are not the source's own any more."""
    own = dict(road.body.net.named_buffers())
    moved = [module for name, module in model.body.net.named_modules() if _moved(module, name, own)]
    if not moved:
        return
    feed = Feed(supply=road.supply, train=rows, validation=rows[:0], size=BATCH, augment=True)

    def read() -> None:
        done = 0
        for batch in feed.epoch(torch_generator(seed, "blend")):
            with road.precision.autocast():
                model.pooled(batch.to(road.precision.device))
            done += len(batch)
            watch(done / len(rows), len(rows))

    reestimate(moved, read)


def _moved(module: nn.Module, name: str, own: dict[str, torch.Tensor]) -> bool:
    if not isinstance(module, RUNNING) or module.running_mean is None:
        return False
    return not torch.equal(module.running_mean, own[f"{name}.running_mean"])
