"""Fixed convolution kernels and ridge regression: the control for series."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from landbridge.core import seeds
from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.errors import DataError
from landbridge.core.model import Example
from landbridge.core.parts import part, whole
from landbridge.rivals.inner import Goal
from landbridge.rivals.kernels import TAPS, Kernels
from landbridge.rivals.linear import Linear, fit_ridge

_CHUNK = 512


@dataclass(frozen=True)
class Convolved:
    """Kernels and a linear model on their shares of positive values."""

    kernels: Kernels
    linear: Linear

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32."""
        stream = iter(examples)
        parts: list[np.ndarray] = [np.zeros((0, len(self.linear.bias)), np.float32)]
        while chunk := list(itertools.islice(stream, _CHUNK)):
            parts.append(self.linear.output(describe(self.kernels, chunk)))
        return np.concatenate(parts)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Arrays alone."""
        return {}, self.kernels.arrays() | self.linear.arrays()


@part("rocket", paper="Dempster, Schmidt & Webb 2021 (MiniRocket, arXiv:2012.08791)")
class Rocket:
    """MiniRocket features and ridge regression with a leave-one-out penalty; class values scaled to logits.

    Series of other lengths than the median one are stretched to it, and the log of their length is a feature.
    """

    modalities: ClassVar[tuple[str, ...]] = ("series",)
    features: int = whole(9996, 84, 100_000, log=True, help="features, a multiple of 84 is used")

    def fit(self, domain: Domain, rows: np.ndarray, seed: int, deadline: float | None = None) -> Convolved:
        """Everything is closed form, so the deadline does not matter."""
        goal = Goal.of(domain.task, domain.targets[rows])
        series = list(domain.examples(rows))
        length = max(TAPS, int(np.median([s.shape[1] for s in series])))
        generator = seeds.numpy_generator(seed, "rocket")
        kernels = Kernels.fit(stretched(series, length, series[0].shape[0]), self.features, generator)
        linear, _, _ = fit_ridge(describe(kernels, series), goal)
        return Convolved(kernels, linear)

    def rebuild(self, task: Task, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Convolved:
        """The predictor that `state` wrote."""
        return Convolved(Kernels.from_arrays(arrays), Linear.from_arrays(arrays))


def describe(kernels: Kernels, series: Sequence[np.ndarray]) -> np.ndarray:
    """Shares of positive values and the log of the length, NxF+1."""
    shares = kernels.transform(stretched(series, kernels.length, kernels.channels.shape[2]))
    lengths = np.log([[s.shape[1]] for s in series]).astype(np.float32)
    return np.concatenate([shares, lengths], axis=1)


def stretched(series: Sequence[np.ndarray], length: int, channels: int) -> np.ndarray:
    """All series at one length by linear interpolation, NxSxL; DataError where a series has other channels."""
    out = np.empty((len(series), channels, length), np.float32)
    for place, one in enumerate(series):
        if one.shape[0] != channels:
            raise DataError(f"a series has {one.shape[0]} channels where {channels} are expected; give all the same")
        if one.shape[1] == length:
            out[place] = one
            continue
        at = np.linspace(0.0, one.shape[1] - 1.0, length)
        out[place] = [np.interp(at, np.arange(one.shape[1]), row) for row in one]
    return out
