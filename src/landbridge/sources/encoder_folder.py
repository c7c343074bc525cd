"""A folder with an image encoder of our own: `model.safetensors` in half precision and `card.json`, which tells all.

The card's fields `network` (what `Encoder` takes) and `size` (pixels) rebuild the body, `generated` says whether it has
seen generated pictures only; the others are for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from landbridge.core.errors import SourceError
from landbridge.nn.encoder import Encoder
from landbridge.nn.image_prepare import ImagePrepare
from landbridge.nn.views import FlipCrop
from landbridge.sources.conv import Conv
from landbridge.sources.cut import CutBody
from landbridge.sources.weights_file import json_file, sha256, write_carded

WEIGHTS_FILE, CARD_FILE, SHAPE_FILE = "model.safetensors", "card.json", "encoder.json"


class EncoderFresh:
    """Another encoder of the same shape."""

    def build(self, net: nn.Module) -> nn.Module:
        """The same widths and depths, new weights."""
        assert isinstance(net, Encoder)
        return Encoder(**net.shape)


def open_encoder(folder: Path, address: str, weights: bool) -> CutBody:
    """The body of a folder, with its weights or as for training from scratch; SourceError where the card says less."""
    card = json_file(folder / CARD_FILE)
    body = _body({name: card.get(name) for name in ("network", "size")}, address, str(folder / CARD_FILE))
    body.card |= {name: card.get(name, "") for name in ("licence", "data", "generated")}
    if weights:
        tensors = load_file(folder / WEIGHTS_FILE)
        body.net.load_state_dict({name: _single(tensor) for name, tensor in tensors.items()})
        body.card["sha256"] = sha256(folder / WEIGHTS_FILE)
    return body


def rebuild_encoder(files: Mapping[str, bytes], address: str) -> CutBody:
    """The architecture from `Body.files()`."""
    if SHAPE_FILE not in files:
        raise SourceError(f"{address}: {SHAPE_FILE} is missing from the saved source files")
    return _body(json.loads(files[SHAPE_FILE]), address, SHAPE_FILE)


def save_encoder(net: Encoder, folder: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write weights and card; the card as written, with shape, parameters and sha256. Both appear whole or not at all.

    Convolutions are stored in float16; norms and their statistics are few and stay in float32.
    """
    tensors = {n: (t.half() if t.dim() > 1 else t).contiguous() for n, t in net.state_dict().items()}
    about = {"network": net.shape, "parameters": sum(p.numel() for p in net.parameters()), **card}
    return write_carded(folder / WEIGHTS_FILE, tensors, folder / CARD_FILE, about)


def half_rounded(net: Encoder) -> Encoder:
    """A copy with the numbers that a saved encoder has, for measuring what is shipped."""
    other = Encoder(**net.shape)
    tensors = {n: (t.half() if t.dim() > 1 else t).contiguous() for n, t in net.state_dict().items()}
    other.load_state_dict({name: _single(tensor) for name, tensor in load(save(tensors)).items()})
    return other.eval()


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _body(shape: Mapping[str, Any], address: str, where: str) -> CutBody:
    """The body of a shape, its weights drawn by seed 0."""
    network, size = shape.get("network"), shape.get("size")
    if not isinstance(network, dict) or not isinstance(size, int):
        raise SourceError(f"{address}: {where} needs `network` and `size`, got {network!r} and {size!r}; reinstall it")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Encoder(**network)
    return CutBody(
        address=address,
        net=net.eval(),
        fresh=EncoderFresh(),
        cut=Conv(width=net.width, front=("stem",), layers=tuple((f"layers.{i}",) for i in range(len(net.layers)))),
        prepare=ImagePrepare(size=size, resize=size),
        views=FlipCrop(),
        card={"architecture": "Encoder", "licence": ""},
        small_files={SHAPE_FILE: json.dumps({"network": net.shape, "size": size}).encode()},
    )
