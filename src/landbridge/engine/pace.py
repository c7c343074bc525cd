"""What a recipe costs on this machine, by a rehearsal: a few steps on the user's own rows that change nothing.

It is the foretelling by which the loop cuts a stage to its time, done before a trial is begun. What was measured is
kept beside the activations that runs share, so that a recipe over the same weights is rehearsed once on a machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from landbridge.core.files import write_bytes
from landbridge.core.model import Model
from landbridge.core.recipe import Recipe, Stage
from landbridge.core.seeds import numpy_generator
from landbridge.engine.attempt import Order, Run, default_epochs
from landbridge.engine.cost import Meter, parameters
from landbridge.engine.reader import cast
from landbridge.engine.workshop import Road, Workshop
from landbridge.nn.heads import Head

CHECKED_ROWS, STEPS = 8, 2  # rows that are checked, and steps taken, in a rehearsal
DEARER = 4.0  # times a forward pass that a step costs at most, by which the rehearsal's own cost is foretold
OFF = 1.5  # factor by which a rehearsed time may be off either way: other work, longer rows, warmer caches


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds for a unit of length (the size of a row's largest array), for each stage; memory of the whole process."""

    steps: tuple[float, ...]  # of training, 0 for stages in closed form
    checks: tuple[float, ...]  # of looking at validation rows
    read: float  # of storing activations, all views
    peak_mb: float
    trainable: int
    total: int

    def seconds(self, recipe: Recipe, trained: float, checked: float, rows: int) -> float:
        """One attempt on rows of such lengths in sum, its head's solution left out."""
        scratch = recipe.source.startswith("scratch:")
        found = self.read * (trained + checked)
        for stage, step, check in zip(recipe.stages, self.steps, self.checks, strict=True):
            epochs = stage.epochs or default_epochs(rows, scratch=scratch)
            found += (epochs * (step * trained + check * checked)) if step else 0.0
        return found


def pace_of(workshop: Workshop, recipe: Recipe, rows: np.ndarray, *, room: float = float("inf")) -> Pace | None:
    """The recipe's pace: as kept, else rehearsed on some of `rows`; None where that would take longer than `room`."""
    road = workshop.road(recipe.source, recipe.bridge, rows)
    kept = workshop.notes / f"{_key(workshop, road, recipe)}.json"
    with suppress(OSError, ValueError, TypeError):
        known = json.loads(kept.read_text())
        return Pace(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})
    size = max(stage.batch for stage in recipe.stages)
    some = numpy_generator(workshop.seed, "rehearsed").permutation(rows)[: STEPS * size + CHECKED_ROWS]
    if room < float("inf") and _forward(road, some[:4], workshop.device) * len(some) * DEARER > room:
        return None
    made = rehearse(workshop, road, recipe, np.sort(some))
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_bytes(kept, json.dumps(asdict(made)).encode())
    return made


def rehearse(workshop: Workshop, road: Road, recipe: Recipe, rows: np.ndarray) -> Pace:
    """Attach every stage in turn to a copy of the source and time its steps; heads stay as they were drawn."""
    meter = Meter(workshop.device)
    held = max(1, min(CHECKED_ROWS, len(rows) // 3))
    order = Order(recipe=recipe, train=rows[:-held], validation=rows[-held:], seed=workshop.seed)
    body, pristine = workshop.lend(road, order.seed)
    model = Model(body, Head(body.width, workshop.domain.task.outputs)).to(workshop.device)
    run = Run(workshop, order, road, model, float("inf"), pristine)
    steps, checks, read, trainable = list[float](), list[float](), 0.0, 0
    for number, stage in enumerate(recipe.stages):
        step, check, stored = _stage(run, number, stage)
        steps.append(step)
        checks.append(check)
        read += stored
        trainable = max(trainable, parameters(model)[0])
        stage.tuning.merge(model)
    return Pace(
        steps=tuple(steps), checks=tuple(checks), read=read, peak_mb=meter.peak_mb, trainable=trainable,
        total=parameters(model)[1],
    )  # fmt: skip


def _stage(run: Run, number: int, stage: Stage) -> tuple[float, float, float]:
    """Seconds for a unit of length: of a step, of a check, and of storing activations."""
    order, supply = run.order, run.road.supply
    handle = stage.tuning.attach(run.model)
    if handle.closed_form and len(stage.objectives) == 1:
        return 0.0, 0.0, 0.0
    states = [o.begin(run.model, run.workshop.domain, order.train, {}) for o in stage.objectives]
    began, read = time.monotonic(), 0.0
    feed = run.feed(stage, handle)
    trained, checked = (float(supply.lengths(r).sum()) for r in (order.train, order.validation))
    if feed.stored:
        read = (time.monotonic() - began) / (trained + checked)
    loop = run.loop(number, stage, handle, states, feed)
    training, checking = loop.foretell(loop.rehearse())
    run.pristine = False
    return training / trained, checking / checked, read


@torch.inference_mode()
def _forward(road: Road, rows: np.ndarray, device: torch.device) -> float:
    """Seconds in which the fast copy reads a row, the first pass not counted."""
    inputs = cast({k: v.to(device) for k, v in road.supply.inputs(rows).items()}, road.reader_dtype)
    model = Model(road.reader, torch.nn.Identity())
    seconds: list[float] = []
    for _ in range(2):
        began = time.monotonic()
        model.features(inputs).sum().item()
        seconds.append(time.monotonic() - began)
    return min(seconds) / len(rows)


def lengths_of(road: Road, rows: np.ndarray) -> float:
    """The lengths of rows in sum, from a sample where there are many."""
    some = rows[:: max(1, len(rows) // 200)]
    return float(road.supply.lengths(some).mean() * len(rows)) if len(rows) else 0.0


def _key(workshop: Workshop, road: Road, recipe: Recipe) -> str:
    made: dict[str, Any] = {
        "road": road.key,
        "stages": recipe.to_json()["stages"],
        "task": [workshop.domain.task.part_name, workshop.domain.task.outputs],
        "device": [workshop.device.type, platform.machine(), os.cpu_count(), torch.get_num_threads()],
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(made, sort_keys=True, default=str).encode()).hexdigest()[:32]


def available_mb(device: torch.device) -> float:
    """The most that this process may come to, in MB: what it has and what is free; infinite where nobody tells."""
    if device.type == "cuda":
        return (torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()) / 2**20
    with suppress(OSError, ValueError, IndexError):
        free = Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]
        own = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]
        return (int(free) + int(own)) / 1024
    return float("inf")
