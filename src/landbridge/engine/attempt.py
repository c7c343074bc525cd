"""One recipe on one split with one seed: from a source's weights to a trained model and what it cost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from landbridge.core import codec, registry
from landbridge.core.batch import Batch
from landbridge.core.contracts import Handle, Memory, Predictor, Task
from landbridge.core.domain import Domain
from landbridge.core.errors import LandbridgeError, OutOfTimeError, UsageError
from landbridge.core.finding import Trial
from landbridge.core.model import Body, Example, Model
from landbridge.core.recipe import Recipe, Stage
from landbridge.engine.checkpoint import Checkpoint
from landbridge.engine.cost import Meter, parameters
from landbridge.engine.feed import Feed
from landbridge.engine.loop import Loop, Progression, Tell, Watch
from landbridge.engine.memory import share
from landbridge.engine.predictor import ModelPredictor, RivalPredictor
from landbridge.engine.workshop import Road, Workshop
from landbridge.nn.context_head import ContextHead
from landbridge.nn.heads import Head
from landbridge.nn.strong_views import strong_views

STORED_VIEWS = 4
LATE = "out of time"  # how the loop says that its deadline cut a stage short
CHECKED = 0.4  # of a trial's time may go to its validation rows, however few epochs it comes to
WORTH = 0.5  # of its schedule that a stage of few steps must come to
FIRST = 0.6  # of the time may go to a stage that trains no head, where others follow it
MARGIN = 0.9  # of the time allowed is planned for; the rest is for evaluation and noise


@runtime_checkable
class Solves(Protocol):
    """An objective that can fill a head in closed form."""

    def solve(
        self,
        features: torch.Tensor,
        target: torch.Tensor,
        task: Task,
        head: Head | ContextHead,
        *,
        seed: int,
        groups: Any,
    ) -> dict[str, Any]: ...


@runtime_checkable
class Suggests(Protocol):
    """An objective that knows labelled examples besides the rows, such as the names of the classes."""

    def extra(self, body: Body, task: Task) -> tuple[list[Example], np.ndarray]: ...


@runtime_checkable
class Draws(Protocol):
    """An objective that wishes for a way of drawing batches: "pairs" puts a row beside another of its class."""

    sampling: str


@runtime_checkable
class Headless(Protocol):
    """An objective that says whether it trains the head; where none does, outputs say nothing until one is solved."""

    trains_head: bool


@runtime_checkable
class Sees(Protocol):
    """An objective that needs so many random views of each example beside the batch itself."""

    views: int


@runtime_checkable
class Alters(Protocol):
    """An objective that changes inputs by itself, for which stored activations are therefore no use."""

    alters_inputs: bool


@dataclass(kw_only=True)
class Order:
    """What to run: rows to train on, rows to choose on (empty for a refit), limits and who watches.

    For each gradient stage of a refit, `lengths` gives the epochs that were best on validation, of what schedule, and
    `shares` how much of its tuned end was best. A stage that `seconds` would cut to fewer steps than `least` and to
    less than half of its schedule is not begun.
    """

    recipe: Recipe
    train: np.ndarray
    validation: np.ndarray
    seed: int = 0
    seconds: float = math.inf
    least: int = 0
    lengths: tuple[tuple[int, int], ...] = ()
    shares: tuple[float, ...] = ()
    watch: Watch = lambda share, best: ""
    tell: Tell = lambda share, loss: None
    checkpoint: Path | None = None
    hold: bool = False  # what a finished stage came to stays in its checkpoint, which whoever gave the order removes


@dataclass(kw_only=True)
class Attempt:
    """A finished trial: the predictor, its outputs on the validation rows, and the record."""

    trial: Trial
    predictor: Predictor | None  # None when the attempt was read back from a journal
    output: np.ndarray
    lengths: tuple[tuple[int, int], ...] = ()  # per gradient stage: best epoch, scheduled epochs
    shares: tuple[float, ...] = ()  # per gradient stage: how much of its end is in its weights
    memory: Memory = field(default_factory=dict)
    adapter: dict[str, bytes] = field(default_factory=dict)  # PEFT files, where the tuning writes such


def attempt(workshop: Workshop, order: Order) -> Attempt:
    """Run an order to its end; errors of the recipe itself are LandbridgeErrors."""
    if order.recipe.source.startswith("rival:"):
        return _rival(workshop, order)
    if not order.recipe.stages:
        raise UsageError(f"{order.recipe.name}: a recipe needs at least one stage; add --tuning probe")
    meter = Meter(workshop.device)
    ends = time.monotonic() + order.seconds
    road = workshop.road(order.recipe.source, order.recipe.bridge, _all_rows(order))
    body, pristine = workshop.lend(road, order.seed)
    model = Model(body, Head(body.width, workshop.domain.task.outputs)).to(workshop.device)
    run = Run(workshop, order, road, model, ends, pristine)
    for number, stage in enumerate(order.recipe.stages):
        run.stage(number, stage)
    trainable, total = run.trainable, parameters(model)[1]
    share(model.body.net, road.body.net)
    predictor = ModelPredictor(
        model, source=order.recipe.source, bridge=order.recipe.bridge, facts=road.facts, origin=road.origin
    )
    trial = Trial(
        name=order.recipe.name,
        recipe=order.recipe.to_json(),
        seconds=meter.seconds,
        peak_mb=meter.peak_mb,
        trainable=trainable,
        total=total,
        status="done",
        seed=order.seed,
        epochs=float(sum(best for best, _ in run.lengths)),
        curve=run.curve,
        reason=run.ended,
    )
    output = run.outputs() if len(order.validation) else np.zeros((0, workshop.domain.task.outputs), np.float32)
    if len(order.validation):
        trial.validation = workshop.domain.task.score(output, workshop.domain.targets[order.validation])
    trial.seconds = meter.seconds
    return Attempt(
        trial=trial,
        predictor=predictor,
        output=output,
        lengths=tuple(run.lengths),
        shares=tuple(run.shares),
        memory=run.memory,
        adapter=run.adapter,
    )


class Run:
    """The stages of one order, one after another on one model."""

    def __init__(self, workshop: Workshop, order: Order, road: Road, model: Model, ends: float, pristine: bool) -> None:
        self.workshop, self.order, self.road, self.model, self.ends = workshop, order, road, model, ends
        self.memory: Memory = {}
        self.lengths: list[tuple[int, int]] = []
        self.shares: list[float] = []
        self.curve: list[dict[str, float]] = []
        self.adapter: dict[str, bytes] = {}
        self.trainable = 0
        self.ended = ""
        self.pristine = pristine  # the body is still the road's own, so that kept features hold

    def stage(self, number: int, stage: Stage) -> None:
        """Attach, train or solve, merge."""
        domain, order = self.workshop.domain, self.order
        handle: Handle = stage.tuning.attach(self.model)
        _must_move(self.model, handle, stage)
        states = [o.begin(self.model, domain, order.train, self.memory) for o in stage.objectives]
        solver = stage.objectives[0]
        if handle.closed_form and len(stage.objectives) == 1 and isinstance(solver, Solves):
            self._solve(solver, last=number + 1 == len(order.recipe.stages))
        else:
            self._train(number, stage, handle, states)
            self.pristine = False
        self.trainable = max(self.trainable, parameters(self.model)[0])  # a solved head may have become larger
        for objective, state in zip(stage.objectives, states, strict=True):
            self.memory = objective.end(self.model, state, self.memory)
        if isinstance(stage.tuning, Exports):
            self.adapter = stage.tuning.export(self.model, self.order.recipe.source)
        stage.tuning.merge(self.model)

    def _solve(self, objective: Solves, *, last: bool) -> None:
        """Fill the head in closed form on features, which a pristine body shares with every other recipe."""
        domain, rows = self.workshop.domain, self.order.train
        features, target = self._features(rows, last=last), domain.targets[rows]
        groups = None if domain.groups is None else domain.groups[rows]
        if isinstance(objective, Suggests) and groups is None:
            examples, known = objective.extra(self.model.body, domain.task)
            if examples:
                features = np.concatenate([features, self._features_of(examples)])
                target = np.concatenate([target, known.astype(target.dtype)])
        head = self.model.head
        assert isinstance(head, (Head, ContextHead))
        pair = torch.from_numpy(features), torch.from_numpy(np.ascontiguousarray(target))
        objective.solve(*pair, domain.task, head, seed=self.order.seed, groups=groups)
        self.model.to(self.workshop.device)

    def _features(self, rows: np.ndarray, *, last: bool = True) -> np.ndarray:
        if self.pristine:
            return self.workshop.features(self.road, self.model.taps, rows, ends=self.ends)
        # features of weights of its own serve this trial alone: they may take half of its time where more follows, and
        # after a stage that took steps all they need, as its work would be lost otherwise
        now = time.monotonic()
        ends = math.inf if self.lengths else self.ends if last else now + 0.5 * (self.ends - now)
        watch = self.workshop.watching(self.road, ends)
        return read_through(self.model, self.road, rows, self.workshop.device, features=True, watch=watch)

    def _features_of(self, examples: list[Example]) -> np.ndarray:
        """Features of a few examples that are no rows of the domain, by the body as it now is."""
        if self.pristine:
            return self.workshop.features_of(self.road, self.model.taps, examples)
        prepare, device = self.model.body.prepare, self.workshop.device
        self.model.eval()
        with torch.inference_mode(), self.road.precision.autocast():
            inputs = {k: v.to(device) for k, v in prepare.collate([prepare(e) for e in examples]).items()}
            return self.model.features(inputs).float().cpu().numpy()

    def _train(self, number: int, stage: Stage, handle: Handle, states: list[nn.Module]) -> None:
        order = self.order
        checkpoint = None
        if order.checkpoint is not None:
            checkpoint = Checkpoint(order.checkpoint.with_name(f"{order.checkpoint.name}.{number}.safetensors"))
        loop = self.loop(number, stage, handle, states, self.feed(stage, handle))
        loop.checkpoint = checkpoint
        loop.stop_after, loop.epochs = self._length(stage, loop)
        seen = loop.run()
        _must_be_finite(seen, order.recipe)
        self.ended = self.ended if self.ended == LATE else seen.ended
        self.lengths.append((seen.best_epoch if seen.best else seen.epoch, loop.epochs))
        self.shares.append(seen.share)
        self.curve += [{**p, "stage": float(number)} for p in seen.curve]
        if checkpoint is not None and order.hold:
            checkpoint.save(loop, seen, now=True)
        elif checkpoint is not None:
            checkpoint.clear()

    def loop(self, number: int, stage: Stage, handle: Handle, states: list[nn.Module], feed: Feed) -> Loop:
        """The loop of a stage, before its length is known."""
        return Loop(
            model=self.model,
            handle=handle,
            objectives=stage.objectives,
            states=states,
            stage=stage,
            feed=feed,
            task=self.workshop.domain.task,
            precision=self.road.precision,
            seed=self.order.seed,
            deadline=self.ends,
            watch=self.order.watch,
            tell=self.order.tell,
            share=self.order.shares[len(self.shares)] if len(self.order.shares) > len(self.shares) else None,
            warm=number > 0,
        )

    def feed(self, stage: Stage, handle: Handle) -> Feed:
        """From the store when everything below a block is frozen, or the whole body is only read; else from inputs."""
        order, depth = self.order, handle.first_moving
        lowest = min([depth, *(level.first_moving for level in handle.levels)])
        rows = np.sort(np.concatenate([order.train, order.validation]))
        stored = None
        looks = max((o.views for o in stage.objectives if isinstance(o, Sees)), default=0)
        from_inputs = looks > 0 or any(isinstance(o, Alters) and o.alters_inputs for o in stage.objectives)
        able = (lowest > 0 or handle.listens) and lowest <= self.model.latest_start
        if able and self.pristine and not from_inputs:
            views = STORED_VIEWS if self.road.supply.views is not None else 1
            stored = self.workshop.activations(
                self.road, rows, depth=lowest, views=views, above=handle.listens, ends=self.ends
            )
        judged = not headless(stage)
        paired = any(isinstance(o, Draws) and o.sampling == "pairs" for o in stage.objectives)
        domain = self.workshop.domain
        return Feed(
            supply=self.road.supply,
            train=order.train,
            validation=order.validation if judged else order.validation[:0],
            strata=domain.task.strata(domain.targets[order.train]) if paired else None,
            size=min(stage.batch, max(2, len(order.train))),
            augment=True,
            looks=looks,
            strong=strong_views(self.road.supply.suited, self.road.supply.inputs(order.train[:1])) if looks else None,
            stored=stored or (),
            stored_rows=rows,
        )

    def _length(self, stage: Stage, loop: Loop) -> tuple[int, int]:
        """Epochs to train and epochs of the schedule: in a refit those that were best; else what the stage says, or a
        default for the amount of data; fewer where the time allows no more."""
        if len(self.order.lengths) > len(self.lengths):
            return self.order.lengths[len(self.lengths)]
        scratch = self.order.recipe.source.startswith("scratch:")
        last = stage is self.order.recipe.stages[-1] or not headless(stage)
        wanted = stage.epochs or default_epochs(len(self.order.train), scratch=scratch)
        if math.isfinite(self.ends):
            training, checking = loop.foretell(self._pace(loop))
            left = MARGIN * (self.ends - time.monotonic()) * (1.0 if last else FIRST)
            if checking and 2 * checking > CHECKED * left:  # once after an epoch, and once at the end
                rows, room = len(self.order.validation), max(0.0, left)
                told = f"checking {rows} rows takes {checking:.2g} s, {room:.2g} s are left"
                share = max(0.0, CHECKED * left / (2 * checking))
                raise OutOfTimeError(f"{self.order.recipe.name}: {told}", share)
            fits = (left - checking) / (training + checking)
            if fits < WORTH * wanted and int(fits) * loop.feed.steps < self.order.least:
                told = f"{max(0, int(fits))} of {wanted} epochs fit into the {max(0.0, left):.2g} s that are left"
                raise OutOfTimeError(f"{self.order.recipe.name}: {told}", max(0.0, fits / wanted))
            wanted = max(1, min(wanted, int(fits)))
        return wanted, wanted

    def _pace(self, loop: Loop) -> float:
        """Rehearsed once for each stage of a recipe: where rows are few, its steps are a good part of training."""
        paces = self.workshop.rehearsed
        key = f"{self.order.recipe.to_json()}|{len(self.lengths)}|{bool(loop.feed.stored)}"
        if key not in paces:
            paces[key] = loop.rehearse()
        return paces[key]

    def outputs(self) -> np.ndarray:
        """Outputs of the trained model on the validation rows."""
        rows = self.order.validation
        if self.pristine:
            features = torch.from_numpy(self._features(rows)).to(self.workshop.device)
            with torch.inference_mode():
                return self.model.head(features).float().cpu().numpy()
        return read_through(self.model, self.road, rows, self.workshop.device, features=False)


def headless(stage: Stage) -> bool:
    """Whether no objective of the stage trains the head, so that outputs say nothing about it."""
    return not any(not isinstance(o, Headless) or o.trains_head for o in stage.objectives)


def _must_move(model: Model, handle: Handle, stage: Stage) -> None:
    """UsageError where a stage would train neither head nor body."""
    lowest = min([handle.first_moving, *(level.first_moving for level in handle.levels)])
    if headless(stage) and handle.closed_form and lowest >= model.latest_start:
        objective, tuning = codec.text(stage.objectives[0]), codec.text(stage.tuning)
        raise UsageError(f"{objective}: does not train the head, and {tuning} moves nothing else; use --tuning full")


@runtime_checkable
class Exports(Protocol):
    """A tuning whose weights have a file format of their own, such as PEFT's."""

    def export(self, model: Model, source: str) -> dict[str, bytes]: ...


def default_epochs(rows: int, *, scratch: bool) -> int:
    """Passes over the data: many when it is small, few when it is large; more where nothing is known yet."""
    epochs = max(3, min(30, round(40_000 / max(1, rows))))
    return min(60, 2 * epochs) if scratch else epochs


@torch.inference_mode()
def read_through(
    model: Model,
    road: Road,
    rows: np.ndarray,
    device: torch.device,
    *,
    features: bool,
    watch: Callable[[float, int], None] = lambda share, rows: None,
) -> np.ndarray:
    """Features or outputs of rows by a model that is not the road's own; `watch` may end it."""
    model.eval()
    feed = Feed(supply=road.supply, train=rows[:0], validation=rows, size=32, augment=False)
    out, done = None, 0

    def read(batch: Batch) -> np.ndarray:
        moved = batch.to(device)
        with road.precision.autocast():
            return (model.pooled(moved) if features else model.output(moved)).float().cpu().numpy()

    for positions, value in feed.check(read):
        out = np.zeros((len(rows), value.shape[1]), np.float32) if out is None else out
        out[positions] = value
        done += len(positions)
        watch(done / len(rows), len(rows))
    assert out is not None
    return out


def _must_be_finite(seen: Progression, recipe: Recipe) -> None:
    if seen.ended == "diverged" and not seen.best:
        raise LandbridgeError(f"{recipe.name}: the loss became infinite; try a lower --lr")


def _all_rows(order: Order) -> np.ndarray:
    return np.sort(np.concatenate([order.train, order.validation]))


def rival_of(recipe: Recipe, domain: Domain) -> Any:
    """The control that a recipe names; UsageError when it does not read the domain's modality."""
    text = recipe.source.removeprefix("rival:")
    rival = codec.parse("rivals", text)
    modality = domain.modality.part_name
    if rival.modalities != ("*",) and modality not in rival.modalities:
        fits = [n for n in registry.names("rivals") if modality in registry.find("rivals", n).modalities]
        raise UsageError(
            f"the rival '{text}' reads {', '.join(rival.modalities)}, not {modality}; use {' or '.join(fits)}"
        )
    return rival


def _rival(workshop: Workshop, order: Order) -> Attempt:
    """A control that fits itself."""
    domain = workshop.domain
    meter = Meter(workshop.device)
    rival = rival_of(order.recipe, domain)
    deadline = None if math.isinf(order.seconds) else time.monotonic() + order.seconds
    inner = rival.fit(domain, order.train, order.seed, deadline)
    output = inner.predict(domain.examples(order.validation))
    trial = Trial(name=order.recipe.name, recipe=order.recipe.to_json(), status="done", seed=order.seed, role="rival")
    if len(order.validation):
        trial.validation = domain.task.score(output, domain.targets[order.validation])
    trial.seconds, trial.peak_mb = meter.seconds, meter.peak_mb
    trial.trainable = trial.total = sum(a.size for a in inner.state()[1].values())
    return Attempt(trial=trial, predictor=RivalPredictor(inner, rival), output=output)
