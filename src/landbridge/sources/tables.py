"""`tables:FOLDER`: a network that learns tables in context, from the folder that its recipe writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from landbridge.core.batch import Inputs
from landbridge.core.errors import SourceError
from landbridge.core.files import write_bytes
from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.nn.cells import Cells, tokens
from landbridge.nn.table_net import CHANNELS, TableNet, TableShape
from landbridge.sources.weights_file import json_file, sha256

WEIGHTS, CARD, SHAPE = "tables.safetensors", "tables.json", "shape.json"
COLUMNS = 8  # of a body that no bridge has told how many there are


@part("tables")
class Tables:
    """`tables:FOLDER` is an in-context table network with its card, as recipes/table_head writes them."""

    def open(self, address: str, *, weights: bool = True, modality: str | None = None) -> Body:
        """The body of a folder; SourceError where weights and card are not there or do not fit each other."""
        return open_folder(Path(address), f"tables:{address}", weights)

    def rebuild(self, files: Mapping[str, bytes]) -> Body:
        """The architecture from `Body.files()`."""
        return rebuild(files, "tables:")

    def known(self) -> list[dict[str, Any]]:
        """None: folders are not searched for."""
        return []


class TableBody(Body):
    """Cells go through as they are: the network reads them beside the rows that `probe(head='context')` keeps.

    There are no blocks to tune: what such a source knows is how to learn from rows, which only that head uses. Other
    heads read the scaled cells.
    """

    embedder = ()
    blocks = ()

    def __init__(self, net: TableNet, address: str, card: Mapping[str, Any]) -> None:
        super().__init__()
        self.address, self.reads, self.width = address, "columns", CHANNELS * COLUMNS
        self.net = net.eval()
        self.prepare = Cells(COLUMNS)
        self.card = {"parameters": sum(p.numel() for p in net.parameters()), "origin": address, **card}

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Cells BxFxK and a mask of ones."""
        cells = tokens(inputs["cells"])
        return cells, torch.ones(cells.shape[:2], device=cells.device)

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The cells of a row side by side, Bx(FK)."""
        return tokens.flatten(1)

    def files(self) -> dict[str, bytes]:
        """The shape of the network."""
        shape = self.net.shape
        assert isinstance(shape, TableShape)
        return {SHAPE: json.dumps(shape.to_json()).encode()}

    def reset(self, generator: torch.Generator) -> None:
        """A new network of the same shape."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
            shape = self.net.shape
            assert isinstance(shape, TableShape)
            self.net.load_state_dict(TableNet(shape).state_dict())


def rebuild(files: Mapping[str, bytes], address: str) -> Body:
    """The body that `files` describe, its weights not loaded."""
    if SHAPE not in files:
        raise SourceError(f"{address}: {SHAPE} is missing from the saved source files")
    return TableBody(TableNet(_shape(json.loads(files[SHAPE]), address)), address, {"licence": "apache-2.0"})


def open_folder(folder: Path, address: str, weights: bool) -> Body:
    """The body of a folder with weights and card; with `weights=False` a random network of that shape."""
    card = json_file(folder / CARD)
    if "shape" not in card:
        raise SourceError(f"{address}: {folder / CARD} is missing or names no shape; make it with recipes/table_head")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = TableNet(_shape(card["shape"], address))
    about = {"licence": str(card.get("licence", ""))}
    if weights:
        file = folder / WEIGHTS
        try:
            net.load_state_dict({name: t.float() for name, t in load_file(file).items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise SourceError(f"{address}: {file} cannot be read as such a network ({reason}); make it anew") from error
        about["sha256"] = sha256(file)
    return TableBody(net, address, about)


def write_folder(folder: Path, net: TableNet, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write weights in half precision and the card, with shape, parameters and hash added; the card."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({n: t.detach().half().contiguous() for n, t in net.state_dict().items()}, folder / WEIGHTS)
    parameters = sum(p.numel() for p in net.parameters())
    whole = {**card, "shape": net.shape.to_json(), "parameters": parameters, "sha256": sha256(folder / WEIGHTS)}
    write_bytes(folder / CARD, (json.dumps(whole, indent=2) + "\n").encode())
    return whole


def _shape(found: Any, address: str) -> TableShape:
    try:
        return TableShape(**{str(name): int(value) for name, value in found.items()})
    except (TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{address}: the shape {str(found)[:80]} is none of such a network; make it anew") from error
