"""How timm's networks are cut: by the names its families share, verified on a picture before it is believed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landbridge.core.batch import Inputs
from landbridge.sources.conv import to_grid, to_tokens


@dataclass(frozen=True, kw_only=True)
class TimmCut:
    """A chain of modules; features are what timm's own `forward_head(..., pre_logits=True)` makes of the last grid.

    Tokens are positions of a grid, or the sequence that `patch_embed` and the position embedding make. A cut without
    layers takes the whole of `forward_features` as its one block.
    """

    width: int
    front: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...] = (("",),)
    reads: str = "image"

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Pixels through the stem."""
        values = inputs["pixels"]
        for path in self.front:
            values = net.get_submodule(path)(values)
            if path == "patch_embed":
                values = net._pos_embed(values)  # timm's own way, with class token and interpolation
        return _tokens(values)

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The modules of one block."""
        values = to_grid(tokens, mask) if mask.dim() == 3 else tokens
        for path in self.layers[index]:
            values = net.get_submodule(path)(values) if path else net.forward_features(values)
        return _tokens(values)

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """As timm pools before its classifier."""
        return net.forward_head(to_grid(tokens, mask) if mask.dim() == 3 else tokens, pre_logits=True)


def cut_of(net: nn.Module, size: int) -> tuple[TimmCut, str]:
    """The finest cut that gives timm's own features on a random picture, and a note where that is one block."""
    pixels = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = net.eval()(pixels)
    for cut in _candidates(net, wanted.shape[1]):
        if _agrees(cut, net, pixels, wanted):
            return cut, ""
    return TimmCut(width=wanted.shape[1], front=()), "not cut into layers: one block, so partial acts as full"


def _candidates(net: nn.Module, width: int) -> list[TimmCut]:
    """Cuts that the names of the network's children suggest."""
    names = dict(net.named_children())
    found: list[TimmCut] = []
    if "patch_embed" in names and "blocks" in names:
        blocks = _numbered("blocks", names["blocks"])
        front = tuple(n for n in ("patch_embed", "patch_drop", "norm_pre") if n in names)
        last = (*blocks[-1], *(["norm"] if "norm" in names else []))
        found.append(TimmCut(width=width, front=front, layers=(*blocks[:-1], last)))
    if "conv_stem" in names and "blocks" in names:
        blocks = tuple(p for i, s in enumerate(names["blocks"]) for p in _numbered(f"blocks.{i}", s))
        front = ("conv_stem", "bn1")
        found.append(TimmCut(width=width, front=front, layers=(*blocks, ("conv_head", "bn2"))))
        found.append(TimmCut(width=width, front=front, layers=blocks))
    if "layer1" in names:
        stages = [f"layer{i}" for i in range(1, 5) if f"layer{i}" in names]
        blocks = tuple(p for s in stages for p in _numbered(s, names[s]))
        front = tuple(n for n in ("conv1", "bn1", "act1", "maxpool") if n in names)
        found.append(TimmCut(width=width, front=front, layers=blocks))
    if "stem" in names and "stages" in names:
        blocks = tuple(p for i, stage in enumerate(names["stages"]) for p in _stage(f"stages.{i}", stage))
        last = (*blocks[-1], *(["norm_pre"] if "norm_pre" in names else []))
        found.append(TimmCut(width=width, front=("stem",), layers=(*blocks[:-1], last)))
    return found


def _agrees(cut: TimmCut, net: nn.Module, pixels: Tensor, wanted: Tensor) -> bool:
    """Whether the chain of pieces exists and gives the network's own features."""
    try:
        with torch.inference_mode():
            tokens, mask = cut.embed(net, {"pixels": pixels})
            for i in range(len(cut.layers)):
                tokens, mask = cut.step(net, i, tokens, mask)
            got = cut.pool(net, tokens, mask)
    except (AttributeError, RuntimeError, TypeError):  # this family only looks like the one the cut is for
        return False
    return got.shape == wanted.shape and torch.allclose(got, wanted, atol=1e-4, rtol=1e-4)


def _stage(path: str, stage: nn.Module) -> list[tuple[str, ...]]:
    """A ConvNeXt-like stage: its blocks, the first with the downsampling."""
    names = dict(stage.named_children())
    if "blocks" not in names:
        return [(path,)]
    blocks = list(_numbered(f"{path}.blocks", names["blocks"]))
    if "downsample" in names:
        blocks[0] = (f"{path}.downsample", *blocks[0])
    return blocks


def _numbered(path: str, modules: nn.Module) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{path}.{name}",) for name, _ in modules.named_children())


def _tokens(values: Tensor) -> tuple[Tensor, Tensor]:
    if values.dim() == 4:
        return to_tokens(values)
    return values, torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
