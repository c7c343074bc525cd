"""The one training loop. It knows batches, handles and objectives, and no part by name.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with decoupled decay that spares norms and biases, warm-up and
cosine, clipping at norm 1, early stopping on the validation score (ties by validation loss), gradual unfreezing when
the curve stalls, micro-batches when memory runs out, exact resume at every epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Handle, Objective, Task
from landbridge.core.errors import ResourceError
from landbridge.core.model import Model
from landbridge.core.recipe import Stage
from landbridge.core.seeds import stream, torch_generator
from landbridge.engine.average import RUNNING, SHARES, Average, between, copy_into, reestimate
from landbridge.engine.checkpoint import Checkpoint
from landbridge.engine.ending import as_good, seen_with
from landbridge.engine.feed import Feed
from landbridge.engine.memory import is_memory
from landbridge.engine.precision import Precision
from landbridge.engine.schedule import rate

CLIP = 1.0
REHEARSED = 3  # steps by which the time of an epoch is foretold
REHEARSED_ROWS = 8  # of each step where rows cost alike however many there are, as on a CPU
REST = 1.15  # of a step is its gradient; the rest is clipping and the optimiser
FORWARD = 0.4  # of a step is its forward pass, at most
Watch = Callable[[float, float], str]  # (share of the schedule done, best validation) -> reason to stop, or ""
Tell = Callable[[float, float], None]  # (share of the schedule done, loss of the last step)


@runtime_checkable
class Learns(Protocol):
    """An objective whose own parameters start from nothing, and so need a rate of at least `own_rate`."""

    own_rate: float


@runtime_checkable
class Follows(Protocol):
    """An objective with something that follows the model, such as a slow copy of it."""

    def after_step(self, model: Model, state: Any, done: float) -> None: ...


@dataclass
class Progression:
    """What the loop has seen so far; `best` are the moving weights at the best epoch, or at the end of a whole schedule
    that is as good for all that the validation rows can tell."""

    epoch: int = 0
    step: int = 0
    level: int = 0
    stale: int = 0
    best_epoch: int = 0
    best_score: float = -math.inf
    best_loss: float = math.inf
    best: dict[str, Tensor] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    ended: str = ""  # why training ended before its last epoch
    share: float = 1.0  # of the tuned end in the weights that stay, the rest being the start's


@dataclass(kw_only=True)
class Loop:
    """Trains one stage. `stop_after` ends a schedule of `epochs` early, as a refit of the best length does; `share` is
    what was best between start and end before, to be found on the validation rows where it is None."""

    model: Model
    handle: Handle
    objectives: Sequence[Objective]
    states: Sequence[nn.Module]
    stage: Stage
    feed: Feed
    task: Task
    precision: Precision
    seed: int
    epochs: int = 1
    stop_after: int = 1
    share: float | None = None
    warm: bool = False  # the head says something already: a stage that follows another
    deadline: float = math.inf
    watch: Watch = lambda share, best: ""
    tell: Tell = lambda share, loss: None
    checkpoint: Checkpoint | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.micro = self.feed.size + 1  # the largest batch there is

    def run(self) -> Progression:
        """Train until the last epoch, the deadline, or the end of patience; the best weights are left in the model."""
        seen = Progression()
        self._start(self.handle)
        self.average = Average(self.stage.average, self.moving, self.epochs * self.feed.steps)
        self.average.begin(self._all())
        if self.checkpoint is not None:
            seen = self.checkpoint.restore(self, seen)
        if self.warm and not seen.curve and len(self.feed.validation) and not self.average.start:
            self._first_look(seen)  # which a share of nothing of the tuned end stands for otherwise
        began, spent = self.clock(), seen.curve[-1]["seconds"] if seen.curve else 0.0
        while seen.epoch < self.stop_after and not seen.ended:
            loss = self._epoch(seen)
            seen.epoch += 1
            self._look(seen, loss, spent + self.clock() - began)
            if self.checkpoint is not None:
                self.checkpoint.save(self, seen)
        if seen.best:
            copy_into(seen.best, self._all())
        elif self.average.kept:
            copy_into(self.average.kept, self.moving)
            self._restate(seen)
        if self.average.start:
            seen.share = self._weigh()
        return seen

    def _start(self, handle: Handle) -> None:
        """Let the groups of a handle move under a fresh optimiser."""
        self.current = handle
        peak = self.stage.lr or handle.lr
        groups = []
        for group in handle.groups:
            for p in group["params"]:
                p.requires_grad_(True)
            groups.append(
                {
                    "params": group["params"],
                    "peak": peak * group.get("scale", 1.0),
                    "lr": 0.0,
                    "weight_decay": self.stage.decay if group.get("decay", True) else 0.0,
                }
            )
        for objective, state in zip(self.objectives, self.states, strict=True):
            learnt = [p for p in state.parameters() if p.requires_grad]
            if learnt:
                own = max(peak, objective.own_rate) if isinstance(objective, Learns) else peak
                groups.append({"params": learnt, "peak": own, "lr": 0.0, "weight_decay": 0.0})
        self.optimiser = torch.optim.AdamW(groups, lr=0.0)
        self.moving = {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def _all(self) -> dict[str, Tensor]:
        """The tensors that training may change: moving parameters and the buffers of moving modules."""
        inside = {id(b) for m in self.current.moving for b in m.buffers()}
        buffers = {n: b for n, b in self.model.named_buffers() if id(b) in inside}
        return {**self.moving, **buffers}

    def _epoch(self, seen: Progression) -> float:
        """One pass; its randomness depends on seed and epoch alone, so that a resumed run repeats it exactly."""
        generator = torch_generator(self.seed, "epoch", seen.epoch)
        total, count = 0.0, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(self.seed, "dropout", seen.epoch))
            self.current.train_mode(self.model)
            for batch in self.feed.epoch(generator):
                share = rate(seen.step, self.epochs * self.feed.steps)
                for group in self.optimiser.param_groups:
                    group["lr"] = group["peak"] * share
                loss = self._step(batch, generator)
                seen.step += 1
                self._follow(seen.step, loss)
                self.average.update(self.moving, seen.step)
                total, count = total + loss * len(batch), count + len(batch)
                if not math.isfinite(loss):
                    seen.ended = "diverged"
                    break
                if self.clock() > self.deadline:
                    seen.ended = "out of time"
                    break
        return total / max(1, count)

    def _follow(self, step: int, loss: float) -> None:
        """After an optimiser step: whoever watches is told, and what follows the model takes it in."""
        done = step / max(1, self.epochs * self.feed.steps)
        self.tell(done, loss)
        for objective, state in zip(self.objectives, self.states, strict=True):
            if isinstance(objective, Follows) and math.isfinite(loss):
                objective.after_step(self.model, state, done)

    def rehearse(self) -> float:
        """Seconds of a gradient for a unit of length, from a few steps that change nothing."""
        self._start(self.handle)
        buffers = [b for module in (self.model, *self.states) for b in module.buffers()]
        before = [b.detach().clone() for b in buffers]
        generator = torch_generator(self.seed, "rehearsal")
        self.handle.train_mode(self.model)
        each: list[float] = []  # seconds for a unit of length
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(self.seed, "rehearsal"))
            for _, batch in zip(range(REHEARSED), self.feed.epoch(generator), strict=False):
                if self.precision.device.type == "cpu":
                    batch = next(_pieces(batch, REHEARSED_ROWS))
                began = self.clock()
                self._gradient(batch, generator)
                each.append((self.clock() - began) / float(self.feed.supply.lengths(batch.index.numpy()).sum()))
        self.optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
        return min(each)

    def foretell(self, pace: float) -> tuple[float, float]:
        """Seconds that an epoch and its validation will take each, by the rehearsed pace."""
        trained, checked = (float(self.feed.supply.lengths(r).sum()) for r in (self.feed.train, self.feed.validation))
        again = trained if self.stage.average in ("ema", "swa") and self._norms() else 0.0
        return pace * (REST * trained + FORWARD * again), pace * FORWARD * checked

    def _step(self, batch: Batch, generator: torch.Generator) -> float:
        """One optimiser step; the mean loss. Where that is not finite, nothing moves."""
        loss = self._gradient(batch, generator)
        if math.isfinite(loss):
            nn.utils.clip_grad_norm_([p for g in self.optimiser.param_groups for p in g["params"]], CLIP)
            self.optimiser.step()
        return loss

    def _gradient(self, batch: Batch, generator: torch.Generator) -> float:
        """Gradients of the mean loss and the loss, in as many micro-batches as memory asks for."""
        while True:
            randomness = generator.get_state(), torch.get_rng_state()
            try:
                return self._backward(batch, generator)
            except (MemoryError, RuntimeError) as error:
                if not is_memory(error):
                    raise
                size = min(self.micro, len(batch))
                if size == 1:
                    raise ResourceError(
                        "training: a single example is too large for the memory; try --tuning probe or partial(1)"
                    ) from error
                self.micro = -(-size // 2)
                generator.set_state(randomness[0])
                torch.set_rng_state(randomness[1])

    def _backward(self, batch: Batch, generator: torch.Generator) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        loss = 0.0
        for piece in _pieces(batch, self.micro):
            piece = piece.to(self.precision.device)
            with self.precision.autocast(), self.model.shared():
                terms = [
                    o.loss(self.model, s, piece, generator) for o, s in zip(self.objectives, self.states, strict=True)
                ]
                value = torch.stack([v.float() for t in terms for v in t.values()]).sum() * len(piece) / len(batch)
            value.backward()
            loss += float(value.detach())
        return loss

    def _first_look(self, seen: Progression) -> None:
        """The starting point is the first best, so that a stage never ends worse than the one before it."""
        output, target = self.outputs()
        seen.best_score = self.task.score(output, target)
        seen.best_loss = float(self.task.loss(torch.from_numpy(output), torch.from_numpy(target)).mean())
        seen.best = {n: t.detach().clone() for n, t in self._all().items()}
        point = {"epoch": 0.0, "seconds": 0.0, "validation": seen.best_score, "validation_loss": seen.best_loss}
        seen.curve.append(point)

    def _look(self, seen: Progression, loss: float, seconds: float) -> None:
        """Evaluate, remember the best, and decide whether to go on."""
        point = {"epoch": float(seen.epoch), "loss": loss, "seconds": seconds}
        if len(self.feed.validation):
            with self.average.applied(self._all()):
                self._restate(seen)
                output, target = self.outputs()
                score = self.task.score(output, target)
                check = float(self.task.loss(torch.from_numpy(output), torch.from_numpy(target)).mean())
                if not np.isfinite(output).all():
                    seen.ended = "diverged"
                elif (score, -check) > (seen.best_score, -seen.best_loss) or self._ends_as_well(seen, output):
                    seen.best_score, seen.best_loss, seen.best_epoch, seen.stale = score, check, seen.epoch, 0
                    seen.best = {n: t.detach().clone() for n, t in self._all().items()}
                else:
                    seen.stale += 1
            point |= {"validation": score, "validation_loss": check}
            if self.stage.patience and seen.stale >= self.stage.patience and not seen.ended:
                self._stalled(seen)
            seen.ended = seen.ended or self.watch(seen.epoch / self.epochs, seen.best_score)
        if not seen.ended and self._due(seen):
            self._release(seen)
        seen.curve.append({k: v for k, v in point.items() if math.isfinite(v)})

    def _ends_as_well(self, seen: Progression, output: np.ndarray) -> bool:
        """Whether this is the end of a whole schedule, and as good as the best epoch but for what few rows can tell."""
        if seen.epoch < self.epochs or seen.ended or not seen.best:
            return False
        best = seen_with(seen.best, self._all(), lambda: self.outputs()[0])
        return as_good(self.task, self.feed.supply.domain, self.feed.validation, output, best, self.seed)

    def _stalled(self, seen: Progression) -> None:
        """The curve stalls: unfreeze the next level when there is one, else stop."""
        if seen.level < len(self.handle.levels):
            self._release(seen)
        else:
            seen.ended = "patience"

    def _due(self, seen: Progression) -> bool:
        """Whether the next level is due where no curve can stall: each `patience` epochs, without it evenly."""
        if seen.level == len(self.handle.levels) or (self.stage.patience and len(self.feed.validation)):
            return False
        span = self.stage.patience or self.stop_after / (len(self.handle.levels) + 1)
        return seen.epoch >= span * (seen.level + 1)

    def _release(self, seen: Progression) -> None:
        """Unfreeze the next level; what was frozen until now belongs to the best weights as it is."""
        self._start(self.handle.levels[seen.level])
        self.average.begin(self._all())
        seen.level, seen.stale = seen.level + 1, 0
        if seen.best:
            for name, tensor in self._all().items():
                seen.best.setdefault(name, tensor.detach().clone())

    def _weigh(self) -> float:
        """Leave the weights between start and end that do best on the validation rows, and return the end's share.

        Of equals the one nearest to the tuned end stays; without rows to choose on it is the end itself.
        """
        start = self.average.start
        tensors = {n: t for n, t in (*self.model.named_parameters(), *self.model.named_buffers()) if n in start}
        end = {n: t.detach().clone() for n, t in tensors.items()}
        best, found = -math.inf, 1.0
        for share in SHARES if self.share is None and len(self.feed.validation) else ():
            between(start, end, share, tensors)
            score = self.task.score(*self.outputs())
            if score > best:
                best, found = score, share
            if self.clock() > self.deadline:
                break
        found = found if self.share is None else self.share
        between(start, end, found, tensors)
        return found

    def _norms(self) -> list[nn.Module]:
        """The batch norms whose running statistics move."""
        return [m for root in self.current.moving for m in root.modules() if isinstance(m, RUNNING)]

    def _restate(self, seen: Progression) -> None:
        """Running statistics of the averaged weights, where there are such, by one pass over the training rows."""
        if self.average.kept and (norms := self._norms()):
            self.model.eval()
            reestimate(norms, lambda: self._read(torch_generator(self.seed, "statistics", seen.epoch)))

    def _read(self, generator: torch.Generator) -> None:
        for batch in self.feed.epoch(generator):
            for piece in _pieces(batch, self.micro):
                with self.precision.autocast():
                    self.model.pooled(piece.to(self.precision.device))

    @torch.inference_mode()
    def outputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Outputs and targets of the validation rows, in order."""
        self.model.eval()
        outputs = np.zeros((len(self.feed.validation), self.task.outputs), np.float32)
        for positions, output in self.feed.check(self._output):
            outputs[positions] = output
        return outputs, self.feed.supply.domain.targets[self.feed.validation]

    def _output(self, batch: Batch) -> np.ndarray:
        with self.precision.autocast():
            return self.model.output(batch.to(self.precision.device)).float().cpu().numpy()


def _pieces(batch: Batch, most: int) -> Iterator[Batch]:
    """The batch in as few, as equal pieces of at most `most` examples as there can be."""
    n = len(batch)
    count = -(-n // most)
    for i in range(count):
        yield batch if count == 1 else batch.rows(slice(n * i // count, n * (i + 1) // count))
