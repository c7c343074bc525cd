"""The activation store: what lies below the lowest moving weight is computed once and read from disk after that.

Activations are ragged rows of tokens (T_i x D) in one memory-mapped file of bfloat16, keyed by everything that decides
them: weights, preprocessing, data, depth and view. Recipes that share a prefix share the file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landbridge.core.batch import Batch
from landbridge.core.files import resources
from landbridge.core.model import Model
from landbridge.core.seeds import torch_generator
from landbridge.engine.memory import batched
from landbridge.engine.reader import cast
from landbridge.engine.supply import Supply, in_order


@dataclass(frozen=True)
class Activations:
    """Stored tokens entering block `depth`: row i is `flat[offsets[i]:offsets[i+1]]`, on a grid when one is given."""

    flat: np.ndarray  # (sum of T, D) uint16, the bits of bfloat16
    offsets: np.ndarray
    grid: tuple[int, ...]
    depth: int

    def batch(self, positions: np.ndarray, index: Tensor, target: Tensor) -> Batch:
        """The batch of the stored rows at `positions`, padded to the longest."""
        lengths = self.offsets[positions + 1] - self.offsets[positions]
        longest = int(lengths.max())
        block = np.zeros((len(positions), longest, self.flat.shape[1]), np.uint16)
        for i, p in enumerate(positions):
            block[i, : lengths[i]] = self.flat[self.offsets[p] : self.offsets[p + 1]]
        tokens = torch.from_numpy(block).view(torch.bfloat16).float()
        mask = (torch.arange(longest)[None] < torch.from_numpy(lengths)[:, None]).to(torch.float32)
        if self.grid:
            mask = mask.view(len(positions), *self.grid)
        return Batch(index=index, target=target, tokens=tokens, mask=mask, depth=self.depth)


class ActivationStore:
    """A folder of activations. `key` of what is asked for is hashed; the same key is computed once."""

    def __init__(self, folder: Path, *, limit: int = 8 << 30) -> None:
        self.folder = folder
        self.limit = limit  # bytes; what would not fit is refused by `fits`
        self._open: dict[str, Activations] = {}

    def fits(self, rows: int, tokens: int, width: int, views: int) -> bool:
        """Whether that many activations may be stored."""
        return 2 * rows * tokens * width * views <= self.limit

    def tokens(
        self,
        model: Model,
        supply: Supply,
        rows: np.ndarray,
        *,
        depth: int,
        view: int,
        key: dict[str, Any],
        dtype: torch.dtype,
        size: int = 32,
    ) -> Activations:
        """The tokens of `rows` entering block `depth`; view 0 is the plain example, others are random views."""
        full_key = {**key, "depth": depth, "view": view, "dtype": str(dtype), "rows": _digest(rows)}
        name = hashlib.sha256(json.dumps(full_key, sort_keys=True).encode()).hexdigest()[:32]
        if name not in self._open:
            self._open[name] = self._compute(name, model, supply, rows, depth, view, dtype, size)
        return self._open[name]

    @torch.inference_mode()
    def _compute(
        self,
        name: str,
        model: Model,
        supply: Supply,
        rows: np.ndarray,
        depth: int,
        view: int,
        dtype: torch.dtype,
        size: int,
    ) -> Activations:
        model.eval()
        generator = torch_generator(view, "views", name)
        views = supply.views if view else None
        order: list[np.ndarray] = []
        lengths: list[np.ndarray] = []
        grid: tuple[int, ...] = ()
        device = next(model.parameters()).device

        def read(positions: np.ndarray) -> tuple[Tensor, Tensor]:
            batch = supply.batch(rows[positions], views, generator).to(device)
            return model.tokens_at(depth, cast(batch.inputs or {}, dtype))

        path = self.folder / f"{name}.bf16"
        with resources(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                batches = in_order(rows, supply.lengths(rows), size)
                for positions, (tokens, mask) in batched(batches, read, "activations"):
                    grid = tuple(mask.shape[1:]) if mask.dim() > 2 else ()
                    bits = tokens.to(torch.bfloat16).cpu().contiguous().view(torch.int16).numpy().view(np.uint16)
                    counts = mask.flatten(1).sum(1).round().long().cpu().numpy()
                    for bit_TD, n in zip(bits, counts, strict=True):
                        file.write(np.ascontiguousarray(bit_TD[:n]).tobytes())
                    order.append(positions)
                    lengths.append(counts)
        return _index(path, np.concatenate(order), np.concatenate(lengths), tokens.shape[-1], grid, depth)


def _index(
    path: Path, positions: np.ndarray, counts: np.ndarray, width: int, grid: tuple[int, ...], depth: int
) -> Activations:
    """Sort the written rows back into the order of the request: rewrite once, so that offsets grow with the row."""
    written = np.memmap(path, dtype=np.uint16, mode="r").reshape(-1, width)
    starts = np.concatenate([[0], np.cumsum(counts)])
    order = np.argsort(positions, kind="stable")
    sorted_path = path.with_suffix(".sorted")
    with resources(path), sorted_path.open("wb") as file:
        for i in order:
            file.write(written[starts[i] : starts[i + 1]].tobytes())
    del written
    sorted_path.replace(path)
    offsets = np.concatenate([[0], np.cumsum(counts[order])])
    flat = np.memmap(path, dtype=np.uint16, mode="r").reshape(-1, width)
    return Activations(flat=flat, offsets=offsets, grid=grid, depth=depth)


def _digest(rows: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()
