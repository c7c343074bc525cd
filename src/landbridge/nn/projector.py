"""The small network that self-supervised objectives put on the features, and throw away afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.seeds import drawn


def projector(name: str, widths: Sequence[int], *, last_norm: bool = False) -> nn.Sequential:
    """Linear maps from width to width, a batch norm and a rectifier after each but the last (Chen et al. 2020).

    `last_norm` puts a batch norm without weights of its own after the last. Weights are drawn by the name and the
    widths alone, so that they do not depend on what was drawn before.
    """
    layers: list[nn.Module] = []
    with drawn(0, "projector", name, *widths):
        for i, (entering, leaving) in enumerate(itertools.pairwise(widths)):
            last = i == len(widths) - 2
            layers.append(nn.Linear(entering, leaving, bias=last and not last_norm))
            if not last:
                layers += [nn.BatchNorm1d(leaving), nn.ReLU()]
            elif last_norm:
                layers.append(nn.BatchNorm1d(leaving, affine=False))
    return nn.Sequential(*layers)


def two_views(model: Model, batch: Batch, name: str) -> tuple[Tensor, Tensor]:
    """The body's features_BD of two random views of each example; UsageError where there is nothing to compare."""
    if len(batch.views) < 2:
        raise UsageError(f"{name}: needs two views of each example, the batch has {len(batch.views)}")
    if len(batch) < 2:
        raise UsageError(f"{name}: compares examples of a batch, got 1; use a --batch of 2 or more, or more data")
    first, second = (model.pooled(view)[:, -model.body.width :] for view in batch.views[:2])
    return first, second
