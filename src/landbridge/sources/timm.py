"""`timm:` sources: image networks of the timm library, from a folder, a file or the local hub cache."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from landbridge.core.errors import MissingExtra, SourceError, UnknownName
from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.nn.image_prepare import ImagePrepare
from landbridge.nn.views import FlipCrop
from landbridge.sources.cut import CutBody
from landbridge.sources.hub_address import Place, cached, locate, weights_in
from landbridge.sources.timm_cut import cut_of
from landbridge.sources.weights_file import json_file, licence, sha256

NAME_FILE = "timm.json"
REFUSED = ("checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")  # would read files
RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}


@dataclass(frozen=True)
class Design:
    """A timm architecture, its arguments and how its pictures are prepared; also how another one is made."""

    architecture: str
    arguments: Mapping[str, Any]
    data: Mapping[str, Any]

    def build(self, net: nn.Module | None = None) -> nn.Module:
        """The network without classifier, in float32, drawn from PyTorch's global random state."""
        timm = library()
        if not timm.is_model(self.architecture):
            raise UnknownName("timm architecture", self.architecture, timm.list_models())
        return timm.create_model(self.architecture, pretrained=False, num_classes=0, **self.arguments).float()

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps({"architecture": self.architecture, "arguments": self.arguments, "data": self.data}).encode()


@part("timm", paper="Wightman 2019, PyTorch Image Models, doi:10.5281/zenodo.4414861")
class Timm:
    """`timm:FOLDER` (config.json and model.safetensors), `timm:ARCHITECTURE@FILE.safetensors`, or a cached hub name.

    A file beside a config.json of the same architecture takes that file's arguments, as padding and the like are not
    in the weights. With `weights=False` a bare architecture name is enough.
    """

    def open(self, address: str, *, weights: bool = True, modality: str | None = None) -> Body:
        """The body behind an address; MissingExtra without timm, SourceError where something does not fit."""
        library()
        architecture, mark, file = address.rpartition("@")
        if mark:
            place = locate(file, "timm")
            design = _design(json_file(place.folder / "config.json"), address, architecture)
        elif not weights and "/" not in address and not Path(address).exists():
            return _body(Design(address, {}, {}), f"timm:{address}", {})
        else:
            place = locate(_hub_name(address), "timm")
            design = _design(json_file(place.folder / "config.json"), address, "")
        facts = {"licence": _licence(place)}
        if not weights:
            return _body(design, f"timm:{address}", facts)
        weights_file = weights_in(place, "timm")
        body = _body(design, f"timm:{address}", {**facts, "sha256": sha256(weights_file)})
        _load(body.net, weights_file, design, address)
        return body

    def rebuild(self, files: Mapping[str, bytes]) -> Body:
        """The architecture from `Body.files()`, weights random."""
        if NAME_FILE not in files:
            raise SourceError(f"timm: {NAME_FILE} is missing from the saved source files")
        saved = json.loads(files[NAME_FILE])
        return _body(
            Design(saved["architecture"], _checked(saved["arguments"], "timm"), saved["data"]), "timm:saved", {}
        )

    def known(self) -> list[dict[str, Any]]:
        """What lies in the local hub cache under timm's name."""
        return [entry for entry in cached("timm") if entry["address"].startswith("timm:timm/")]


def library() -> Any:
    """timm itself; MissingExtra where it is not installed."""
    try:
        return import_module("timm")
    except ImportError as error:
        raise MissingExtra("timm", "timm", "a timm source") from error


def _body(design: Design, address: str, facts: Mapping[str, Any]) -> CutBody:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = design.build()
    data = {**net.pretrained_cfg, **design.data}
    size = int(data["input_size"][-1])
    cut, note = cut_of(net, size)
    return CutBody(
        address=address,
        net=net.eval(),
        fresh=design,
        cut=cut,
        prepare=_prepare(data, size),
        views=FlipCrop(),
        card={"origin": address, "architecture": design.architecture, **facts, **({"note": note} if note else {})},
        small_files={NAME_FILE: design.to_bytes()},
    )


def _prepare(data: Mapping[str, Any], size: int) -> ImagePrepare:
    """timm's evaluation transform: scale by the crop share, rounded down, then cut the middle out."""
    return ImagePrepare(
        size=size,
        resize=math.floor(size / float(data.get("crop_pct") or 0.875)),
        crop="squash" if data.get("crop_mode") == "squash" else "center",
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        resample=RESAMPLE.get(str(data.get("interpolation")), 3),
        channels=int(data["input_size"][0]),
    )


def _design(config: Mapping[str, Any], address: str, architecture: str) -> Design:
    stated = str(config.get("architecture") or "")
    if not architecture and not stated:
        raise SourceError(
            f"timm:{address}: config.json names no timm architecture; write ARCHITECTURE@FILE.safetensors"
        )
    if architecture and architecture != stated:
        return Design(architecture, {}, {})
    arguments = _checked(config.get("model_args") or {}, address)
    data = config.get("pretrained_cfg") or {}
    kept = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
    return Design(stated, arguments, {name: data[name] for name in kept if name in data})


def _checked(arguments: Mapping[str, Any], address: str) -> dict[str, Any]:
    bad = [name for name in REFUSED if name in arguments]
    if bad:
        raise SourceError(f"timm:{address}: config.json sets {bad[0]}, which reads other files; remove it")
    return dict(arguments)


def _load(net: nn.Module, file: Path, design: Design, address: str) -> None:
    """The weights without the classifier's; every other name and shape has to fit."""
    try:
        state = load_file(file)
    except (SafetensorError, OSError) as error:
        raise SourceError(f"timm:{address}: {file.name} cannot be read ({error}); copy it again") from error
    heads = net.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    state = {n: t for n, t in state.items() if not n.startswith(tuple(f"{head}." for head in heads))}
    own = net.state_dict()
    wrong = {
        "lacks": sorted(own.keys() - state.keys()),
        "has unexpected": sorted(state.keys() - own.keys()),
        "has other shapes for": sorted(n for n in own.keys() & state.keys() if own[n].shape != state[n].shape),
    }
    for words, names in wrong.items():
        if names:
            raise SourceError(f"timm:{address}: {file.name} does not fit {design.architecture}: it {words} {names[0]}")
    net.load_state_dict(state)


def _hub_name(address: str) -> str:
    bare = "/" not in address and not Path(address).expanduser().exists()
    return f"timm/{address}" if bare else address


def _licence(place: Place) -> str:
    stated = json_file(place.folder / "config.json").get("pretrained_cfg") or {}
    return str(stated.get("license") or licence(place.folder))
