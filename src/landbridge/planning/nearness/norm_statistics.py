"""How far the data is from what a convolutional source was trained on, by the statistics in its batch norms.

Batch norms keep mean and variance of each channel over the source's own data: a description of that data which needs
none of it (Li et al. 2016, arXiv:1603.04779, adapt by exchanging them; Yin et al. 2020, arXiv:1912.08795, draw pictures
from them). Shapes: C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.seeds import numpy_generator
from landbridge.engine.workshop import Road

ROWS, BATCH = 64, 16
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass
class _Moments:
    """Sums over what has entered a norm."""

    count: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    square: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, entering: Tensor) -> None:
        """Count a batch, channels second."""
        flat = entering.detach().double().transpose(0, 1).flatten(1)
        self.count += flat.shape[1]
        self.total, self.square = self.total + flat.sum(1).cpu(), self.square + flat.square().sum(1).cpu()


def distance(mean_C: Tensor, variance_C: Tensor, own_mean_C: Tensor, own_variance_C: Tensor) -> float:
    """Root mean square over channels of the 2-Wasserstein distance of two Gaussians, in the source's own deviations.

    `(m - M)^2 / S^2 + (s / S - 1)^2` for each channel; 0 for data like the source's own. That is the Frechet distance
    of diagonal Gaussians (Dowson & Landau 1982), which we divide by S so that no channel counts for its scale.
    """
    own = own_variance_C.double().clamp_min(1e-12).sqrt()
    shift = (mean_C - own_mean_C.double()) / own
    spread = variance_C.clamp_min(0).sqrt() / own - 1.0
    return float((shift.square() + spread.square()).mean().sqrt())


@torch.inference_mode()
def norm_distance(road: Road, rows: np.ndarray, seed: int) -> dict[str, Any] | None:
    """The distance at each batch norm and `value`, their median; None for a source without such norms.

    `noise` is the median distance between random halves of the rows, which comes of having few rows alone.
    """
    norms = [m for m in road.body.net.modules() if isinstance(m, NORMS) and m.running_mean is not None]
    if not norms:
        return None
    taken = rows[np.sort(numpy_generator(seed, "norms").permutation(len(rows))[:ROWS])]
    halves = [_moments(road, norms, part) for part in (taken[::2], taken[1::2]) if len(part)]
    by_layer, noise = [], []
    for k, norm in enumerate(norms):
        assert norm.running_mean is not None and norm.running_var is not None
        own = norm.running_mean.cpu(), norm.running_var.cpu()
        count = sum(h[k].count for h in halves)
        if not count:
            continue  # a norm that this body does not pass
        mean = torch.stack([h[k].total for h in halves]).sum(0) / count
        variance = torch.stack([h[k].square for h in halves]).sum(0) / count - mean.square()
        by_layer.append(distance(mean, variance, *own))
        if len(halves) == 2:
            one, other = ((h[k].total / h[k].count, h[k].square / h[k].count) for h in halves)
            apart = (one[0] - other[0]) / own[1].double().clamp_min(1e-12).sqrt()
            noise.append(float(apart.square().mean().sqrt()) / 2)  # of the mean of both halves
    if not by_layer:
        return None
    return {
        "value": float(np.median(by_layer)),
        "layers": by_layer,
        "noise": float(np.median(noise)) if noise else None,
        "rows": len(taken),
    }


def _moments(road: Road, norms: list[Any], rows: np.ndarray) -> list[_Moments]:
    found = [_Moments() for _ in norms]
    device = next(road.body.net.parameters()).device
    with _listening(norms, found):
        for start in range(0, len(rows), BATCH):
            inputs = {k: v.to(device) for k, v in road.supply.inputs(rows[start : start + BATCH]).items()}
            tokens, mask = road.body.embed(inputs)
            for block in road.body.blocks:
                tokens, mask = block(tokens, mask)
    return found


@contextmanager
def _listening(norms: list[Any], found: list[_Moments]) -> Iterator[None]:
    def listen(moments: _Moments) -> Any:
        return lambda module, entering: moments.add(entering[0])

    hooks = [norm.register_forward_pre_hook(listen(m)) for norm, m in zip(norms, found, strict=True)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
