"""Whether pictures can be told from their mirror images: then none like a mirrored one will come, and to train on such
is to train on another world. Digits and letters are written one way; most photographs are not.

Shapes: N pictures, C channels, H and W, S small side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from landbridge.evidence.intervals import wilson

SIDE = 12  # of the small grey copies that are compared
SHARPNESS, RIDGE = 4.0, 0.3
PARTS = 5
SURELY = 0.7  # share told right, at the lower end of its interval, from which on pictures count as one-sided


@dataclass(frozen=True)
class Sides:
    """The share of `rows` pictures that are told from their mirror images."""

    share: float
    rows: int

    @property
    def one(self) -> bool:
        """Whether that is surely more than `SURELY`, by the lower end of its interval."""
        return wilson(self.share, self.rows)[0] > SURELY


def sides(pixels: Iterable[np.ndarray]) -> Sides:
    """How well pictures (CxHxW each) are told from their mirror images; a few cannot be."""
    small = [_small(p) for p in pixels]
    return Sides(told_apart(np.stack(small)) if len(small) >= PARTS else 0.5, len(small))


def told_apart(small_NSS: np.ndarray) -> float:
    """Share of pictures of which a kernel machine, fitted to others, says rightly which way round they are.

    After Lin et al. 2020, Visual Chirality, arXiv:2006.09512, who train a network for it. Here it is ridge regression
    over the kernel `k(a, b) - k(a, mirrored b)`, whose functions change sign when a picture is mirrored, so that 0.5 is
    what chance gives; `k` is Gaussian on copies of mean 0 and length 1. Cross-validated over `PARTS`.
    """
    count = len(small_NSS)
    plain, mirrored = (_unit(s.reshape(count, -1)) for s in (small_NSS, small_NSS[:, :, ::-1]))
    kernel = np.exp(SHARPNESS * (plain @ plain.T - 1)) - np.exp(SHARPNESS * (plain @ mirrored.T - 1))
    kernel /= max(float(np.trace(kernel)) / count, 1e-12)
    score = np.zeros(count)
    order = np.random.default_rng(0).permutation(count)
    for held in np.array_split(order, PARTS):
        rest = np.setdiff1d(order, held)
        weight = np.linalg.solve(kernel[np.ix_(rest, rest)] + RIDGE * np.eye(len(rest)), np.ones(len(rest)))
        score[held] = kernel[np.ix_(held, rest)] @ weight
    return float(np.where(np.abs(score) < 1e-9, 0.5, score > 0).mean())


def _small(pixels: np.ndarray) -> np.ndarray:
    """A grey copy SxS."""
    grey = torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).mean(0, keepdim=True)[None]
    return functional.adaptive_avg_pool2d(grey, SIDE)[0, 0].numpy().astype(np.float64)


def _unit(flat: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and length 1; a picture of one colour stays 0."""
    flat = flat - flat.mean(1, keepdims=True)
    return flat / np.maximum(np.sqrt((flat**2).sum(1, keepdims=True)), 1e-6)
