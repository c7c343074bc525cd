"""A folder with a network that reads curves: `model.safetensors` in half precision and `card.json`, which tells all.

The card's field `network` (what `CurveNet` takes) rebuilds the body; the others are for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from landbridge.core.batch import Inputs
from landbridge.core.errors import SourceError
from landbridge.nn.curve_net import CurveNet
from landbridge.nn.curve_prepare import CurvePrepare, Slowed
from landbridge.sources.cut import CutBody
from landbridge.sources.weights_file import json_file, sha256, write_carded

WEIGHTS_FILE, CARD_FILE, SHAPE_FILE = "model.safetensors", "card.json", "curves.json"


@dataclass(frozen=True, kw_only=True)
class CurveCut:
    """Shares of exceeded thresholds as tokens, the linear map as the only block, features are the mean.

    The mask is BxCxW (channels, windows) and carries the shape of the tokens.
    """

    width: int
    reads: str = "curves"
    front: tuple[str, ...] = ()
    layers: tuple[tuple[str, ...], ...] = (("settle",),)

    def embed(self, net: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Two views BxCxL to shares."""
        assert isinstance(net, CurveNet)
        tokens, channels = net.tokens(inputs["own"], inputs["common"])
        return tokens, torch.ones(len(tokens), channels, net.windows, dtype=torch.bool, device=tokens.device)

    def step(self, net: nn.Module, index: int, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The linear map."""
        assert isinstance(net, CurveNet)
        return net.settled(tokens, mask.shape[1]), mask

    def pool(self, net: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean over channels and windows."""
        return tokens.mean(1)


class CurveFresh:
    """Another network of the same shape."""

    def build(self, net: nn.Module) -> CurveNet:
        """Random kernels of length about one, random thresholds and map: nothing that was designed or learnt."""
        assert isinstance(net, CurveNet)
        other = CurveNet(**net.shape)
        nn.init.normal_(other.kernel, std=1 / 3)
        return other


def open_curves(folder: Path, address: str, weights: bool) -> CutBody:
    """The body of a folder, with its weights or as for training from scratch; SourceError where the card says less."""
    card = json_file(folder / CARD_FILE)
    body = _body(card.get("network"), address, str(folder / CARD_FILE))
    body.card |= {name: card.get(name, "") for name in ("licence", "data", "generated")}
    if weights:
        body.net.load_state_dict({name: tensor.float() for name, tensor in load_file(folder / WEIGHTS_FILE).items()})
        body.card["sha256"] = sha256(folder / WEIGHTS_FILE)
    return body


def rebuild_curves(files: Mapping[str, bytes], address: str) -> CutBody:
    """The architecture from `Body.files()`."""
    if SHAPE_FILE not in files:
        raise SourceError(f"{address}: {SHAPE_FILE} is missing from the saved source files")
    return _body(json.loads(files[SHAPE_FILE]), address, SHAPE_FILE)


def save_curves(net: CurveNet, folder: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write weights and card; the card as written, with shape, parameters and sha256. Both appear whole or not at all.

    The linear map, nearly all of it, is stored in float16; kernels and thresholds in float32, for they decide.
    """
    tensors = {n: (t.half() if n.startswith("settle") else t).contiguous() for n, t in net.state_dict().items()}
    about = {"network": net.shape, "parameters": sum(p.numel() for p in net.parameters()), **card}
    return write_carded(folder / WEIGHTS_FILE, tensors, folder / CARD_FILE, about)


def _body(shape: Any, address: str, where: str) -> CutBody:
    """The body of a shape, its weights drawn by seed 0."""
    if not isinstance(shape, dict):
        raise SourceError(f"{address}: {where} names no `network`, got {str(shape)[:80]!r}; reinstall it")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            net = CurveFresh().build(CurveNet(**shape))
        except (TypeError, RuntimeError) as error:
            told = " ".join(str(error).split())[:120]
            raise SourceError(f"{address}: {where} tells of no such network ({told}); reinstall it") from error
    return CutBody(
        address=address,
        net=net.eval(),
        fresh=CurveFresh(),
        cut=CurveCut(width=net.width),
        prepare=CurvePrepare(net.points),
        views=Slowed(),
        card={"architecture": "CurveNet", "licence": ""},
        small_files={SHAPE_FILE: json.dumps(net.shape).encode()},
    )
