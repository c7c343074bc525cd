"""The classifier that came with a checkpoint, where it is one linear map over the features that the body gives."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

NAMES = ("classifier", "classifier.1")  # a plain layer; a flattening before it, as ResNets have


def source_head(file: Path, width: int) -> tuple[Tensor, Tensor] | None:
    """Weight SxD and bias S in float32 from a weights file or the index of several; None where there is no such."""
    for name in NAMES:
        found = [_tensor(file, f"{name}.{kind}") for kind in ("weight", "bias")]
        weight, bias = found
        if weight is not None and bias is not None and weight.ndim == 2 and weight.shape[1] == width:
            return weight.float(), bias.float()
    return None


def _tensor(file: Path, name: str) -> Tensor | None:
    if file.name.endswith(".index.json"):
        shard = json.loads(file.read_text("utf-8"))["weight_map"].get(name)
        if shard is None:
            return None
        file = file.parent / shard
    with safe_open(file, "pt") as tensors:
        return tensors.get_tensor(name) if name in tensors.keys() else None  # noqa: SIM118, not a mapping
