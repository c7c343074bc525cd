"""Tiny bodies, models, data and judgements to try a part on: built from torch alone, the same on every machine."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core import registry
from landbridge.core.batch import Batch, Inputs
from landbridge.core.model import Body, Example, Model, mean_pool
from landbridge.core.seeds import torch_generator
from landbridge.nn.heads import Head
from landbridge.nn.image_prepare import ImagePrepare
from landbridge.nn.strong_views import strong_views
from landbridge.nn.table_net import TableNet, TableShape
from landbridge.sources.curve_folder import SHAPE_FILE, rebuild_curves
from landbridge.sources.tables import TableBody
from landbridge.testing.data import toy_domain, toy_examples

TOY_TABLE = TableShape(cell_width=8, cell_layers=1, row_width=16, row_layers=1, head_width=8, marks=4)
TOY_CURVES = {"points": 64, "spans": [1, 4], "own": 1, "common": 1, "windows": 2, "width": 32}
_VOCABULARY, _WIDTH, _LENGTH, _SIDE = 64, 16, 12, 16


class _Layer(nn.Module):
    """A transformer layer with named maps, norms after the sums, and dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out, self.up, self.down = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """tokens BxTxD and mask BxT to tokens."""
        scores = self.query(tokens) @ self.key(tokens).transpose(1, 2) / tokens.shape[-1] ** 0.5
        seen = scores.masked_fill(~mask.bool().unsqueeze(1), -1e9).softmax(-1)
        tokens = self.first_norm(tokens + self.dropout(self.out(seen @ self.value(tokens))))
        return self.second_norm(tokens + self.dropout(self.down(torch.relu(self.up(tokens)))))


class _Stage(nn.Module):
    """A convolution, its batch norm, and dropout."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, grid: Tensor) -> Tensor:
        """BxCxHxW to the same or half the size."""
        return self.dropout(torch.relu(self.norm(self.conv(grid))))


class _TokenNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(_VOCABULARY, _WIDTH)
        self.layers = nn.ModuleList(_Layer(_WIDTH) for _ in range(3))
        self.last_norm = nn.LayerNorm(_WIDTH)


class _GridNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, _WIDTH, 3, padding=1), nn.BatchNorm2d(_WIDTH))
        self.layers = nn.ModuleList(_Stage(_WIDTH, stride) for stride in (1, 2, 1))


class _Block:
    """A layer of a toy net behind the block contract."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and mask through the layer."""
        if mask.ndim == 2:
            return self.module(tokens, mask), mask
        grid = self.module(tokens.unflatten(1, mask.shape[1:]).permute(0, 3, 1, 2))
        return _tokens(grid)


class ToyText(Body):
    """A transformer of three layers over hashed words, with dropout, and a norm after the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.address, self.reads, self.width = "toy:text", "text", _WIDTH
        self.net = _TokenNet()
        self.prepare = _Words()
        self.card = {"licence": "none", "parameters": sum(p.numel() for p in self.net.parameters())}

    @property
    def embedder(self) -> tuple[nn.Module, ...]:
        """The word table."""
        return (self.net.words,)

    @property
    def blocks(self) -> Sequence[_Block]:
        """The three layers."""
        return [_Block(layer) for layer in self.net.layers]

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Word numbers to tokens."""
        return self.net.words(inputs["input_ids"]), inputs["attention_mask"]

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean of the real tokens after the last norm."""
        return mean_pool(self.net.last_norm(tokens), mask)

    def files(self) -> dict[str, bytes]:
        """A configuration that says which toy it is."""
        return {"config.json": json.dumps({"toy": self.reads}).encode()}

    def reset(self, generator: torch.Generator) -> None:
        """Every weight drawn anew by torch's own rules."""
        _redraw(self.net, generator)


class ToyImage(Body):
    """A convolutional net of three stages with batch norms and dropout, over pictures of 16 x 16."""

    def __init__(self) -> None:
        super().__init__()
        self.address, self.reads, self.width = "toy:image", "image", _WIDTH
        self.net = _GridNet()
        self.prepare = ImagePrepare(size=_SIDE, resize=_SIDE, crop="squash")
        self.card = {"licence": "none", "parameters": sum(p.numel() for p in self.net.parameters())}

    @property
    def embedder(self) -> tuple[nn.Module, ...]:
        """The stem."""
        return (self.net.stem,)

    @property
    def blocks(self) -> Sequence[_Block]:
        """The three stages."""
        return [_Block(layer) for layer in self.net.layers]

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Pixels through the stem."""
        return _tokens(self.net.stem(inputs["pixels"]))

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mean over positions."""
        return mean_pool(tokens, mask)

    def files(self) -> dict[str, bytes]:
        """A configuration that says which toy it is."""
        return {"config.json": json.dumps({"toy": self.reads}).encode()}

    def reset(self, generator: torch.Generator) -> None:
        """Every weight drawn anew by torch's own rules."""
        _redraw(self.net, generator)


class _Words:
    """Text to hashed word numbers."""

    def __call__(self, example: Example) -> dict[str, np.ndarray]:
        """Word numbers and mask of one text."""
        ids = [zlib.crc32(word.encode()) % _VOCABULARY for word in str(example).split()[:_LENGTH]] or [0]
        return {"input_ids": np.array(ids, np.int64), "attention_mask": np.ones(len(ids), np.int64)}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Padded to the longest text."""
        longest = max(len(row["input_ids"]) for row in rows)
        padded = {k: [np.pad(row[k], (0, longest - len(row[k]))) for row in rows] for k in rows[0]}
        return {k: torch.from_numpy(np.stack(v)) for k, v in padded.items()}

    def spec(self) -> dict[str, Any]:
        """What decides the numbers."""
        return {"kind": "toy words", "vocabulary": _VOCABULARY, "length": _LENGTH}


def toy_body(reads: str = "text", seed: int = 0) -> Body:
    """A tiny body that reads "text" (a transformer) or "image" (convolutions with batch norm), as if pretrained, or
    "table" (the first behind a bridge that puts rows into words), "columns" (a network that learns in context), or
    "curves"."""
    if reads == "curves":
        body = rebuild_curves({SHAPE_FILE: json.dumps(TOY_CURVES).encode()}, "toy:curves")
        body.reset(torch_generator(seed, "toy", reads))
        return body.eval()
    if reads == "columns":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return TableBody(TableNet(TOY_TABLE), "toy:columns", {"licence": "none"}).eval()
    if reads == "table":
        bridge, domain = registry.find("bridges", "describe")(), toy_domain("table")
        text = toy_body("text", seed)
        return bridge.connect(text, bridge.fit(text, domain, domain.folds[0].pairs[0].train))
    body = {"text": ToyText, "image": ToyImage}[reads]()
    generator = torch_generator(seed, "toy", reads)
    body.reset(generator)
    for module in body.net.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics that are not the new net's own show whether they move
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)
    body.source_head = torch.randn(5, _WIDTH, generator=generator), torch.zeros(5)
    return body.eval()


def toy_model(reads: str = "text", outputs: int = 2, seed: int = 0) -> Model:
    """A tiny body with a head whose weights are small random numbers, so that outputs differ."""
    body = toy_body(reads, seed)
    head, generator = Head(body.width, outputs), torch_generator(seed, "toy head")
    head.fill(0.1 * torch.randn(outputs, body.width, generator=generator), torch.zeros(outputs))
    return Model(body, head).eval()


def toy_batch(body: Body, rows: int = 32, classes: int = 2, views: int = 0) -> Batch:
    """A batch of examples of the body's modality whose class shows in the data, with so many random views of each."""
    examples, labels = toy_examples(body.reads, rows, classes)
    inputs = body.prepare.collate([body.prepare(example) for example in examples])
    batch = Batch(index=torch.arange(rows), inputs=inputs, target=torch.from_numpy(labels))
    strong, generator = strong_views(body.views, inputs), torch_generator(0, "toy views")
    seen = tuple(replace(batch, inputs=strong(inputs, generator) if strong else inputs) for _ in range(views))
    return replace(batch, views=seen)


def _tokens(grid: Tensor) -> tuple[Tensor, Tensor]:
    mask = torch.ones(grid.shape[0], *grid.shape[2:], dtype=torch.bool)
    return grid.permute(0, 2, 3, 1).flatten(1, 2), mask


def _redraw(net: nn.Module, generator: torch.Generator) -> None:
    """Reset every layer under the generator's numbers, leaving the global stream alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        for module in net.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding, nn.LayerNorm, nn.BatchNorm2d)):
                module.reset_parameters()
