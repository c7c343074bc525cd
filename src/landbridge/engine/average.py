"""Averages of weights along training, between its two ends, and of several that were trained.

Exponential (EMA) or uniform over the last quarter (SWA; Izmailov et al. 2018, arXiv:1803.05407); the exponential
horizon is a tenth of the run, so that it needs no setting. "wise" averages the start of a stage with its end (WiSE-FT;
Wortsman et al. 2022, arXiv:2109.01903). The mean of several is a uniform soup (Wortsman et al. 2022, arXiv:2203.05482).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

HORIZON = 0.1  # of all steps
LATE = 0.75  # SWA begins after this share of the steps
SHARES = tuple(n / 10 for n in range(10, -1, -1))  # of the tuned end, which comes first
RUNNING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Average:
    """Keeps the average of named parameters; `kind` none keeps nothing and swaps nothing.

    "wise" keeps the `start` of what moves, and is applied only once training has ended.
    """

    def __init__(self, kind: str, parameters: Mapping[str, Tensor], steps: int) -> None:
        self.kind = kind
        self.steps = max(1, steps)
        self.decay = 1.0 - 1.0 / max(2.0, HORIZON * self.steps)
        self.count = 0
        self.kept: dict[str, Tensor] = {}
        self.start: dict[str, Tensor] = {}
        if kind == "ema":
            self.kept = {n: p.detach().clone() for n, p in parameters.items()}

    def begin(self, tensors: Mapping[str, Tensor]) -> None:
        """Remember the values from which these tensors set out; those that set out before keep theirs."""
        if self.kind == "wise":
            for name, tensor in tensors.items():
                self.start.setdefault(name, tensor.detach().clone())

    @torch.no_grad()
    def update(self, parameters: Mapping[str, Tensor], step: int) -> None:
        """Take in the weights after optimiser step `step` (from 1)."""
        if self.kind == "ema":
            rate = max(1.0 - self.decay, 1.0 / (step + 1))  # a plain mean until the horizon is reached
            for name, p in parameters.items():
                kept = self.kept.setdefault(name, p.detach().clone())
                kept.lerp_(p.detach(), rate)
        elif self.kind == "swa" and step > LATE * self.steps:
            self.count += 1
            for name, p in parameters.items():
                kept = self.kept.setdefault(name, p.detach().clone())
                kept.lerp_(p.detach(), 1.0 / self.count)

    @contextmanager
    def applied(self, tensors: Mapping[str, Tensor]) -> Iterator[None]:
        """The averaged weights stand in the model inside this context; all `tensors` come back as they were."""
        raw = {n: t.detach().clone() for n, t in tensors.items()} if self.kept else {}
        copy_into(self.kept, tensors)
        try:
            yield
        finally:
            copy_into(raw, tensors)


@torch.no_grad()
def between(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float, into: Mapping[str, Tensor]) -> None:
    """Put `(1 - share) start + share end` into the tensors; counters take the end's value."""
    for name, value in end.items():
        mixed = start[name].lerp(value, share) if value.is_floating_point() else value
        into[name].copy_(mixed)


@torch.no_grad()
def uniform(states: Iterable[Mapping[str, Tensor]], into: Mapping[str, Tensor]) -> None:
    """Put the mean of several states into the tensors; counters take the first's, and equal values stay as they are."""
    for number, state in enumerate(states, 1):
        for name, value in state.items():
            if number == 1:
                into[name].copy_(value)
            elif value.is_floating_point():
                into[name].lerp_(value, 1.0 / number)


@torch.no_grad()
def reestimate(norms: Sequence[nn.Module], read: Callable[[], None]) -> None:
    """Running statistics of batch norms as `read`, a pass over training rows, shows them to the weights there are now.

    Averaged weights never saw the statistics that were running (Izmailov et al. 2018, section 3.2). Each batch counts
    alike.
    """
    running = [m for m in norms if isinstance(m, RUNNING) and m.track_running_stats]
    momenta = [m.momentum for m in running]
    for module in running:
        module.reset_running_stats()
        module.momentum = None  # a plain mean over batches
        module.train()
    read()
    for module, momentum in zip(running, momenta, strict=True):
        module.momentum = momentum
        module.eval()


@torch.no_grad()
def copy_into(values: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Write named values into the tensors of the same names."""
    for name, value in values.items():
        tensors[name].copy_(value)
