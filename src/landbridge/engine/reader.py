"""The fastest copy of a frozen body that gives the same features: what probes and the activation store read with.

Batch norms are folded into convolutions, weights are cast to bfloat16, memory is channels-last; each step is kept only
if features of real examples stay alike, because a saving that changes what is learnt is none.
"""

from __future__ import annotations

import copy
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Inputs
from landbridge.core.model import Body, Model
from landbridge.engine.memory import batched
from landbridge.engine.precision import ALIKE, WORTHWHILE, bfloat16_gain

SAME = 0.99999  # least cosine for a change that should be exact up to rounding


@torch.inference_mode()
def fast_copy(body: Body, inputs: Inputs, device: torch.device) -> tuple[Body, torch.dtype]:
    """A copy for reading and the dtype of its float inputs; `inputs` are some real examples, on `device`."""
    dtype = torch.float32
    reference = _features(body.eval(), inputs, dtype)
    best = copy.deepcopy(body.for_inference()).eval()
    if not alike(reference, _features(best, inputs, dtype), SAME):
        best = copy.deepcopy(body)
    if any(isinstance(m, nn.Conv2d) for m in best.net.modules()):
        best.net.to(memory_format=torch.channels_last)
    if bfloat16_gain(device) >= WORTHWHILE:
        half = copy.deepcopy(best)
        half.net.to(torch.bfloat16)
        with suppress(RuntimeError):  # a body may hold constants in float32, which do not mix with bfloat16
            if alike(reference, _features(half, inputs, torch.bfloat16), ALIKE):
                return half, torch.bfloat16
    return best, dtype


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Float inputs in `dtype`, images channels-last; token numbers stay."""
    return {k: _cast(v, dtype) for k, v in inputs.items()}


def _cast(value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value
    return value.to(dtype, memory_format=torch.channels_last) if value.dim() == 4 else value.to(dtype)


def alike(reference: Tensor, features: Tensor, least: float) -> bool:
    """Whether every example's features point the same way, the mean taken off so that what tells them apart counts."""
    centre = reference.mean(0, keepdim=True) if len(reference) > 4 else torch.zeros(())
    cosine = nn.functional.cosine_similarity(reference - centre, features - centre, dim=1)
    return bool((cosine >= least).all())


def _features(body: Body, inputs: Inputs, dtype: torch.dtype) -> Tensor:
    model, rows = Model(body, nn.Identity()), np.arange(len(next(iter(inputs.values()))))
    pieces = batched(
        [rows], lambda some: model.features(cast({k: v[some] for k, v in inputs.items()}, dtype)).float(), "reading"
    )
    return torch.cat([features for _, features in pieces])
