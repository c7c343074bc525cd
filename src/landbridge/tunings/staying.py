"""How a tuning is attached whose modules stay beside the net: the insert and the head move, all else is frozen."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from landbridge.core.contracts import Handle
from landbridge.core.insert import Insert
from landbridge.core.model import Body, Model
from landbridge.core.seeds import stream
from landbridge.tunings.freeze import freeze, head_groups, norms, release


def stay(model: Model, insert: Insert, *, lr: float, head_scale: float) -> Handle:
    """Freeze the model, put the insert in and let it and the head move."""
    freeze(model)
    model.body.inserts.append(insert.to(next(model.body.net.parameters()).device).eval())
    made = [*insert_groups(insert), *head_groups(model, head_scale)]
    release(made)
    return Handle(groups=made, first_moving=insert.lowest, moving=[insert, model.head], lr=lr, listens=insert.listens)


def insert_groups(insert: Insert) -> list[dict[str, Any]]:
    """Optimiser groups of an insert, weights apart from norms and biases."""
    normal, name = norms(insert), insert.tuning.part_name
    decaying = [p for p in insert.parameters() if p.ndim > 1 and id(p) not in normal]
    spared = [p for p in insert.parameters() if p.ndim <= 1 or id(p) in normal]
    made = [
        {"params": decaying, "scale": 1.0, "decay": True, "name": name},
        {"params": spared, "scale": 1.0, "decay": False, "name": f"{name} norms and biases"},
    ]
    return [group for group in made if group["params"]]


def lowest_depth(body: Body, where: str, bottom: int) -> int:
    """`bottom` for "all"; for "upper" the depth of the middle, below which everything is computed once and stored.

    Rücklé et al. 2021 (AdapterDrop, arXiv:2010.11918) find that the lower layers need adapters least.
    """
    return bottom if where == "all" else max(bottom, (len(body.blocks) + 1) // 2)


def drawn(make: type[nn.Module], *arguments: Any) -> nn.Module:
    """A module whose first weights come from a fixed stream, the same in each run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(0, make.__name__))
        return make(*arguments)
