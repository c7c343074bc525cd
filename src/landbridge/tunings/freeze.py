"""What every tuning needs to know of a model: its parts in order of depth, and how to freeze and group them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn

from landbridge.core.model import Body, Model

BATCH_NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)
EMBEDDER = -1  # the depth of what makes tokens, one below block 0

Named = list[tuple[str, nn.Parameter]]


def freeze(model: Model) -> None:
    """Nothing moves: no parameter asks for a gradient."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def depths(body: Body) -> dict[str, int]:
    """Parameter name in `body.net` to depth: -1 embedder, i block i, number of blocks for what comes after them."""
    place: dict[int, int] = {}
    for module in body.embedder:
        place |= {id(p): EMBEDDER for p in module.parameters()}
    for i, block in enumerate(body.blocks):
        for parameter in block.module.parameters():
            place.setdefault(id(parameter), i)
    return {name: place.get(id(p), len(body.blocks)) for name, p in body.net.named_parameters()}


def norms(module: nn.Module) -> set[int]:
    """Ids of the parameters that belong to normalisation layers, of any library."""
    return {id(p) for m in module.modules() if is_norm(m) for p in m.parameters(recurse=False)}


def is_norm(module: nn.Module) -> bool:
    """Whether a layer normalises; libraries bring their own classes, which all say so in their name."""
    return "norm" in type(module).__name__.lower() and not any(True for _ in module.children())


def groups(body: Body, moving: Named, scale_at: dict[int, float]) -> list[dict[str, Any]]:
    """Optimiser groups of body parameters, one for each depth, weights apart from norms and biases.

    `scale_at` gives the learning-rate multiplier of each depth. Norms and biases (one-dimensional parameters) are
    spared from weight decay.
    """
    depth_of, normal = depths(body), norms(body.net)
    sorted_out: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in moving:
        decays = parameter.ndim > 1 and id(parameter) not in normal
        sorted_out.setdefault((depth_of[name], decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "scale": scale_at[depth],
            "decay": decays,
            "name": f"{_label(depth, len(body.blocks))}{'' if decays else ' norms and biases'}",
        }
        for (depth, decays), parameters in sorted(sorted_out.items(), key=lambda item: item[0])
    ]


def head_groups(model: Model, scale: float = 1.0) -> list[dict[str, Any]]:
    """Optimiser groups of the head."""
    flat = [p for p in model.head.parameters() if p.ndim <= 1]
    wide = [p for p in model.head.parameters() if p.ndim > 1]
    made = [
        {"params": wide, "scale": scale, "decay": True, "name": "head"},
        {"params": flat, "scale": scale, "decay": False, "name": "head biases"},
    ]
    return [group for group in made if group["params"]]


def falling(body: Body, layer_decay: float) -> dict[int, float]:
    """Learning-rate multiplier of each depth: 1 at the top, `layer_decay` times less each block further down.

    Howard & Ruder 2018, section 3.2, in the form of Clark et al. 2020 (ELECTRA, arXiv:2003.10555).
    """
    top = len(body.blocks)
    return {top: 1.0, **{d: layer_decay ** (top - 1 - d) for d in range(EMBEDDER, top)}}


def release(groups_of: Iterable[dict[str, Any]]) -> None:
    """Let the parameters of these groups ask for gradients."""
    for group in groups_of:
        for parameter in group["params"]:
            parameter.requires_grad_(True)


def training(modules: Iterable[nn.Module], *, statistics: bool) -> list[nn.Module]:
    """The modules to put in train mode; batch norms only when their statistics may move.

    `Module.train` reaches every child, so a module that holds a batch norm is replaced by its children. Dropout that
    such a module applies by a function of its own stays off with it.
    """
    return [m for module in modules for m in _without_batch_norm(module, statistics)]


def _without_batch_norm(module: nn.Module, statistics: bool) -> Iterator[nn.Module]:
    if statistics or not any(isinstance(m, BATCH_NORMS) for m in module.modules()):
        yield module
    elif not isinstance(module, BATCH_NORMS):
        for child in module.children():
            yield from _without_batch_norm(child, statistics)


def after_blocks(body: Body) -> list[nn.Module]:
    """Leaf modules of the net that are neither embedder nor block: the last norm, a pooling projection."""
    taken = {id(m) for part in body.embedder for m in part.modules()}
    taken |= {id(m) for block in body.blocks for m in block.module.modules()}
    return [m for m in body.net.modules() if id(m) not in taken and not any(True for _ in m.children())]


def rate(body: Body) -> float:
    """The default peak rate where the whole body may move: 5e-5 for transformers, 2e-4 for nets with batch norm.

    Devlin et al. 2019 (arXiv:1810.04805, appendix A.3) use 2e-5 to 5e-5; batch norm makes the loss insensitive to the
    length of the weights before it, so that larger steps are safe there.
    """
    return 2e-4 if batch_normed(body) else 5e-5


def batch_normed(body: Body) -> bool:
    """Whether a net has layers that normalise over the batch."""
    return any(isinstance(m, BATCH_NORMS) for m in body.net.modules())


def _label(depth: int, blocks: int) -> str:
    return "embedder" if depth == EMBEDDER else "after the blocks" if depth == blocks else f"block {depth}"
