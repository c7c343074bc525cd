"""`scratch:` sources: an architecture without knowledge, which is what every transfer is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from landbridge.core import registry
from landbridge.core.errors import SourceError, UnknownName
from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.nn.convnet import ConvNet
from landbridge.nn.image_prepare import ImagePrepare
from landbridge.nn.views import FlipCrop
from landbridge.sources.conv import Conv
from landbridge.sources.cut import CutBody
from landbridge.sources.named import NamedBody

NAME_FILE = "scratch.json"
OWN = "convnet"


class ConvNetFresh:
    """Another small convolutional network."""

    def build(self, net: nn.Module) -> nn.Module:
        """The same widths, new weights."""
        assert isinstance(net, ConvNet)
        return ConvNet(net.widths)


@part("scratch")
class Scratch:
    """`scratch:ADDRESS` is the architecture of any other source with random weights; `scratch:convnet` needs no source.

    Opening draws the same weights every time; whoever trains calls `body.reset` with a generator of its own seed.
    """

    def open(self, address: str, *, weights: bool = True, modality: str | None = None) -> Body:
        """The body of an address such as `convnet` or `transformers:FOLDER`, always with random weights."""
        if address == OWN:
            return _named(convnet(), OWN, address)
        scheme, _, rest = address.partition(":")
        known = [name for name in registry.names("sources") if name != "scratch"]
        if scheme not in known:
            raise UnknownName("scratch architecture", scheme, [OWN, *known])
        body: Body = registry.find("sources", scheme)().open(rest, weights=False, modality=modality)
        body.reset(torch.Generator().manual_seed(0))
        return _named(body, scheme, address)

    def rebuild(self, files: Mapping[str, bytes]) -> Body:
        """The architecture from `Body.files()`."""
        if NAME_FILE not in files:
            raise SourceError(f"scratch: {NAME_FILE} is missing from the saved source files")
        scheme = str(json.loads(files[NAME_FILE])["scheme"])
        body = convnet() if scheme == OWN else registry.find("sources", scheme)().rebuild(files)
        return _named(body, scheme, scheme)

    def known(self) -> list[dict[str, Any]]:
        """The architecture of our own."""
        parameters = sum(p.numel() for p in ConvNet().parameters())
        note = "small residual network, no knowledge; scratch:ADDRESS takes any other architecture"
        return [{"address": f"scratch:{OWN}", "reads": "image", "parameters": parameters, "licence": "", "note": note}]


def convnet() -> CutBody:
    """The small convolutional network as a body for whole pictures of 96 pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = ConvNet()
    layers = tuple((f"layers.{i}",) for i in range(len(net.widths)))
    return CutBody(
        address=f"scratch:{OWN}",
        net=net.eval(),
        fresh=ConvNetFresh(),
        cut=Conv(width=net.widths[-1], front=("stem",), layers=layers),
        prepare=ImagePrepare(size=96, resize=96, crop="squash"),
        views=FlipCrop(),
        card={"architecture": "ConvNet", "licence": ""},
        small_files={},
    )


def _named(body: Body, scheme: str, address: str) -> Body:
    files = {NAME_FILE: json.dumps({"scheme": scheme}).encode()}
    named = NamedBody(body, address=f"scratch:{address}", files=files)
    named.card.pop("sha256", None)
    return named
