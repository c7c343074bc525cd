"""Averages of weights along training: exponential (EMA) or uniform over the last quarter (SWA).

Izmailov et al. 2018, arXiv:1803.05407; the exponential horizon is a tenth of the run, so that it needs no setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

HORIZON = 0.1  # of all steps
LATE = 0.75  # SWA begins after this share of the steps


class Average:
    """Keeps the average of named parameters; `kind` none keeps nothing and swaps nothing."""

    def __init__(self, kind: str, parameters: Mapping[str, Tensor], steps: int) -> None:
        self.kind = kind
        self.steps = max(1, steps)
        self.decay = 1.0 - 1.0 / max(2.0, HORIZON * self.steps)
        self.count = 0
        self.kept: dict[str, Tensor] = {}
        if kind == "ema":
            self.kept = {n: p.detach().clone() for n, p in parameters.items()}

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
    def applied(self, parameters: Mapping[str, Tensor]) -> Iterator[None]:
        """The averaged weights stand in the model inside this context."""
        raw = {n: parameters[n].detach().clone() for n in self.kept}
        _copy(self.kept, parameters)
        try:
            yield
        finally:
            _copy(raw, parameters)


@torch.no_grad()
def _copy(values: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)
