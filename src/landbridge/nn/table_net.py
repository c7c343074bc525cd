"""A network that learns in context: it reads labelled rows of a table beside the rows it is asked about.

Shapes: G tables, N rows (the first M have labels: the context), F columns, K channels of a cell, E width of a cell,
D width of a row, C classes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

CHANNELS = 4  # of a cell: its rank among the known rows, its distance from their middle, missing, category
WAVES = 5  # octaves in which a rank is seen besides, so that near values can be told apart
Keys = tuple[Tensor, Tensor]  # keys and values of one attention over context rows


@dataclass(frozen=True, kw_only=True)
class TableShape:
    """Everything that decides the network's architecture."""

    cell_width: int = 96
    cell_layers: int = 3
    row_width: int = 192
    row_layers: int = 4
    head_width: int = 48
    marks: int = 16  # random numbers by which columns that look alike are told apart
    classes: int = 10

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


class Attention(nn.Module):
    """Attention of rows of tokens to keys that may have been made before."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.heads = width // head_width
        self.query, self.keys, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def remembered(self, tokens: Tensor) -> Keys:
        """Keys and values of tokens ...xTxD, each ...xHxTxD/H."""
        key, value = self.keys(tokens).chunk(2, -1)
        return self._split(key), self._split(value)

    def forward(self, tokens: Tensor, keys: Keys) -> Tensor:
        """What each of the tokens ...xTxD reads of the keys."""
        query = self._split(self.query(tokens))
        flat = (t.flatten(0, -4) for t in (query, *keys))  # four dimensions, or PyTorch takes its slow way
        read = _trained(*flat) if torch.is_grad_enabled() else nn.functional.scaled_dot_product_attention(*flat)
        return self.out(read.unflatten(0, query.shape[:-3]).transpose(-3, -2).flatten(-2))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(-3, -2)


def _trained(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention in the plain way, whose gradient costs a third of the fused one's on CPUs (PyTorch 2.13, bfloat16)."""
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return scores.softmax(-1).to(value.dtype) @ value


def _widened(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


class CellLayer(nn.Module):
    """Cells of one row look at each other, then cells of one column at those of the context, then each by itself."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.across, self.down = Attention(width, head_width), Attention(width, head_width)
        self.across_norm, self.down_norm, self.wide_norm = (nn.LayerNorm(width) for _ in range(3))
        self.wide = _widened(width)

    def forward(self, cells: Tensor, known: int, keys: Keys | None) -> tuple[Tensor, Keys]:
        """cells GxNxFxE; `keys` of context rows, made of the first `known` rows where there are none yet."""
        normed = self.across_norm(cells)
        cells = cells + self.across(normed, self.across.remembered(normed))
        normed = self.down_norm(cells).transpose(1, 2)
        keys = self.down.remembered(normed[:, :, :known]) if keys is None else keys
        cells = cells + self.down(normed, keys).transpose(1, 2)
        return cells + self.wide(self.wide_norm(cells)), keys


class RowLayer(nn.Module):
    """Rows look at those of the context, then each by itself."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.down = Attention(width, head_width)
        self.down_norm, self.wide_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.wide = _widened(width)

    def forward(self, rows: Tensor, known: int, keys: Keys | None) -> tuple[Tensor, Keys]:
        """rows GxNxD, otherwise as for cells."""
        normed = self.down_norm(rows)
        keys = self.down.remembered(normed[:, :known]) if keys is None else keys
        rows = rows + self.down(normed, keys)
        return rows + self.wide(self.wide_norm(rows)), keys


class TableNet(nn.Module):
    """Rows with labels and rows without to the classes of the latter, in one pass (Hollmann et al. 2023, TabPFN).

    First every cell is a token and attention goes along rows and along columns in turn, as in TabPFN v2 (Hollmann et
    al. 2025, Nature 637:319) and nanoTabPFN (arXiv:2511.03634); the label is one more cell. Then each row is one token,
    as in TabPFN v1 and TabICL (Qu et al. 2025, arXiv:2502.05564), which is wider and costs less. Only rows of the
    context are ever looked at, so that what is answered of one row depends on no other row that is asked about.
    """

    def __init__(self, shape: TableShape) -> None:
        super().__init__()
        self.shape = shape
        cell, row = shape.cell_width, shape.row_width
        self.value = nn.Linear(CHANNELS + 2 * WAVES, cell)
        self.mark = nn.Linear(shape.marks, cell, bias=False)
        self.label = nn.Embedding(shape.classes + 1, cell)  # the last one says that the label is asked for
        self.cell_layers = nn.ModuleList(CellLayer(cell, shape.head_width) for _ in range(shape.cell_layers))
        self.gather_norm, self.gather = nn.LayerNorm(2 * cell), nn.Linear(2 * cell, row)
        self.row_label = nn.Embedding(shape.classes + 1, row)
        self.row_layers = nn.ModuleList(RowLayer(row, shape.head_width) for _ in range(shape.row_layers))
        self.last_norm, self.classes = nn.LayerNorm(row), nn.Linear(row, shape.classes)

    def forward(self, cells: Tensor, labels: Tensor, marks: Tensor) -> Tensor:
        """cells GxNxFxK, labels GxM of the first rows and marks GxFx`marks` to logits Gx(N-M)xC."""
        known, asked = labels.shape[1], cells.shape[1] - labels.shape[1]
        unknown = labels.new_full((len(labels), asked), self.shape.classes)
        return self._walk(cells, torch.cat([labels, unknown], 1), marks, known, None)[0][:, known:]

    def remember(self, cells: Tensor, labels: Tensor, marks: Tensor) -> list[Keys]:
        """What a context comes to, for any number of questions: cells GxMxFxK, labels GxM."""
        return self._walk(cells, labels, marks, labels.shape[1], None)[1]

    def answer(self, cells: Tensor, marks: Tensor, memory: list[Keys]) -> Tensor:
        """Logits GxNxC of rows GxNxFxK over a remembered context."""
        unknown = torch.full(cells.shape[:2], self.shape.classes, device=cells.device)
        return self._walk(cells, unknown, marks, 0, memory)[0]

    def _walk(
        self, cells: Tensor, labels: Tensor, marks: Tensor, known: int, memory: list[Keys] | None
    ) -> tuple[Tensor, list[Keys]]:
        """Logits of all rows, and the keys of the context at each layer."""
        tokens = self.value(seen(cells)) + self.mark(marks).unsqueeze(1)
        tokens = torch.cat([self.label(labels).to(tokens.dtype).unsqueeze(2), tokens], 2)
        made: list[Keys] = []
        for layer in self.cell_layers:
            tokens, keys = layer(tokens, known, None if memory is None else memory[len(made)])
            made.append(keys)
        rows = self.gather(self.gather_norm(torch.cat([tokens[:, :, 0], tokens[:, :, 1:].mean(2)], -1)))
        rows = rows + self.row_label(labels).to(rows.dtype)
        for layer in self.row_layers:
            rows, keys = layer(rows, known, None if memory is None else memory[len(made)])
            made.append(keys)
        return self.classes(self.last_norm(rows)), made


def seen(cells: Tensor) -> Tensor:
    """Cells ...xK with waves of their rank, ...x(K+2W); those of a missing value are still."""
    octaves = math.pi * 2.0 ** torch.arange(WAVES, device=cells.device, dtype=cells.dtype) / 4.0
    angle = cells[..., :1] * octaves
    there = 1.0 - cells[..., 2:3]
    return torch.cat([cells, there * angle.sin(), there * angle.cos()], -1)
