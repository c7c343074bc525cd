"""MiniRocket's transform: fixed kernels, many dilations, and how often each response exceeds a bias.

Dempster, Schmidt & Webb 2021, "MiniRocket: a very fast (almost) deterministic transform for time series
classification" (arXiv:2012.08791), sections 3.1 to 3.3, written anew.

Shapes: N series, S channels, L steps, K = 84 kernels, F features.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

TAPS = 9
PLACES = np.array(
    list(itertools.combinations(range(TAPS), 3)), np.int64
)  # of the three weights of 2; the others are -1
KERNELS = len(PLACES)  # 84
MOST_DILATIONS = 32
_CELLS = 400_000  # numbers of one response tensor at a time, so that it stays in the cache


@dataclass(frozen=True)
class Kernels:
    """Dilations with their numbers of biases, the channels that each pair of dilation and kernel sums, and all biases.

    `channels` is dilations x K x S of 0 and 1; `biases[d]` is K x (biases of dilation d).
    """

    length: int
    dilations: np.ndarray
    channels: np.ndarray
    biases: tuple[np.ndarray, ...]

    @classmethod
    def fit(cls, series_NSL: np.ndarray, features: int, generator: np.random.Generator) -> Kernels:
        """Draw channels, and take biases from the responses of one training series for each kernel and dilation."""
        count, width, length = series_NSL.shape
        dilations, numbers = plan(length, max(1, features // KERNELS))
        channels = np.stack([_draw_channels(width, generator) for _ in dilations])
        biases: list[np.ndarray] = []
        used = 0
        for d, (dilation, number) in enumerate(zip(dilations, numbers, strict=True)):
            chosen = generator.integers(count, size=KERNELS)
            mixed = np.einsum("ks,ksl->kl", channels[d], series_NSL[chosen].astype(np.float32))
            answer = responses(torch.from_numpy(mixed.astype(np.float32))[None], int(dilation))[0].numpy()
            # the low-discrepancy sequence of the golden ratio, as the authors have it
            order = np.arange(1, KERNELS * int(number) + 1) + used
            quantiles = np.mod(order * ((np.sqrt(5.0) + 1.0) / 2.0), 1.0).reshape(KERNELS, int(number))
            used += KERNELS * int(number)
            biases.append(np.stack([np.quantile(a, q) for a, q in zip(answer, quantiles, strict=True)]))
        return cls(length, dilations, channels, tuple(b.astype(np.float32) for b in biases))

    def transform(self, series_NSL: np.ndarray) -> np.ndarray:
        """Share of positive values (response above bias) for each kernel, dilation and bias, NxF float32."""
        step = max(1, _CELLS // (KERNELS * self.length))
        parts = [self._block(series_NSL[at : at + step]) for at in range(0, len(series_NSL), step)]
        width = KERNELS * sum(b.shape[1] for b in self.biases)
        return np.concatenate([np.zeros((0, width), np.float32), *parts])

    def _block(self, series_NSL: np.ndarray) -> np.ndarray:
        series = torch.from_numpy(np.ascontiguousarray(series_NSL, np.float32))
        out: list[Tensor] = []
        for d, dilation in enumerate(self.dilations.tolist()):
            mixed = torch.from_numpy(self.channels[d]) @ series
            answer = responses(mixed, dilation)
            margin = (TAPS - 1) * dilation // 2
            biases = torch.from_numpy(self.biases[d])
            # every second kernel counts all steps, the others only those where the kernel lies inside the series
            padded = (np.arange(KERNELS) + d) % 2 == 0
            shares = torch.empty(len(series), KERNELS, biases.shape[1])
            for rows, part in ((padded, answer), (~padded, answer[:, :, margin : self.length - margin])):
                inside, level = part[:, rows], biases[rows]
                inside = inside.contiguous()
                above = torch.empty_like(inside)
                for b in range(level.shape[1]):
                    shares[:, rows, b] = torch.gt(inside, level[:, b, None], out=above).mean(2)
            out.append(shares.flatten(1))
        return torch.cat(out, dim=1).numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for an artifact."""
        numbers = np.array([b.shape[1] for b in self.biases], np.int64)
        flat = np.concatenate(self.biases, axis=1)
        kept = {"length": np.array(self.length), "dilations": self.dilations, "channels": self.channels}
        return {f"kernels.{name}": a for name, a in {**kept, "numbers": numbers, "biases": flat}.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Kernels:
        """What `arrays` wrote."""
        ends = np.cumsum(arrays["kernels.numbers"])[:-1]
        biases = tuple(np.ascontiguousarray(b) for b in np.split(arrays["kernels.biases"], ends, axis=1))
        length, channels = int(arrays["kernels.length"]), np.asarray(arrays["kernels.channels"])
        return cls(length, np.asarray(arrays["kernels.dilations"]), channels, biases)


def plan(length: int, per_kernel: int) -> tuple[np.ndarray, np.ndarray]:
    """Dilations and the biases of each: exponential from 1 until the kernel spans the series, shares rounded down."""
    most = min(per_kernel, MOST_DILATIONS)
    top = np.log2((length - 1) / (TAPS - 1))
    found, counts = np.unique(np.logspace(0, top, most, base=2).astype(np.int64), return_counts=True)
    numbers = (counts * (per_kernel / most)).astype(np.int64)
    rest = per_kernel - int(numbers.sum())
    for i in range(rest):
        numbers[i % len(numbers)] += 1
    return found, numbers


def responses(mixed_NKL: Tensor, dilation: int) -> Tensor:
    """Row k convolved with kernel k, zeros beyond the ends, same length: 3 (a + b + c) - sum of all nine taps.

    With weights 2 at three places and -1 at six, the sum of all taps times -1 leaves 3 at the three places.
    """
    margin = (TAPS - 1) * dilation // 2
    length = mixed_NKL.shape[2]
    padded = torch.nn.functional.pad(mixed_NKL, (margin, margin))
    taps = [padded[:, :, j * dilation : j * dilation + length] for j in range(TAPS)]
    out = -taps[0]
    for tap in taps[1:]:
        out -= tap
    for j, tap in enumerate(taps):
        rows = torch.from_numpy(np.flatnonzero((j == PLACES).any(1)))
        out[:, rows] += 3.0 * tap[:, rows]
    return out


def _draw_channels(width: int, generator: np.random.Generator) -> np.ndarray:
    """K x S of 0 and 1: each kernel sums 2^u channels, u uniform up to log2(min(S, 9)), as the authors' code does."""
    out = np.zeros((KERNELS, width), np.float32)
    sizes = (2.0 ** generator.uniform(0.0, np.log2(min(width, TAPS) + 1), KERNELS)).astype(np.int64)
    for row, size in zip(out, sizes, strict=True):
        row[generator.choice(width, min(int(size), width), replace=False)] = 1.0
    return out
