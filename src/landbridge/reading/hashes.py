"""A 64-bit number per row that is the same for rows of the same content; the base of fingerprints and duplicates."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from landbridge.core.examples import Blob
from landbridge.reading.cells import Chosen, Records, _View
from landbridge.reading.material import Material

_MIX = np.uint64(0x9E3779B97F4A7C15)
_ROWS = 200_000  # of a table hashed at once


class Scanned(_View):
    """Cells whose content has been looked at: `hashes` N uint64, and `sketches` NxK where decoding was paid for."""

    def __init__(self, base: Sequence[Any], hashes: np.ndarray, sketches: np.ndarray | None = None) -> None:
        self.base, self.hashes, self.sketches = base, hashes, sketches

    def __len__(self) -> int:
        return len(self.base)

    def _at(self, row: int) -> Any:
        return self.base[row]


def of_bytes(data: bytes) -> int:
    """The number of a file's bytes."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def of_text(text: str) -> int:
    """The number of a text whatever its case and spacing."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return of_bytes(plain.encode("utf-8", "replace"))


def of_cell(cell: Any) -> int:
    """The number of any one cell."""
    if isinstance(cell, str):
        return of_text(cell)
    if isinstance(cell, Blob):
        return of_bytes(cell.read())
    if isinstance(cell, np.ndarray):
        return of_bytes(f"{cell.shape}".encode() + np.ascontiguousarray(cell).tobytes())
    if isinstance(cell, Mapping):
        if isinstance(cell.get("bytes"), bytes):
            return of_bytes(cell["bytes"])
        return of_bytes(json.dumps({str(k): str(v) for k, v in cell.items()}, sort_keys=True).encode())
    return of_bytes(repr(cell).encode())


def of_cells(cells: Sequence[Any]) -> np.ndarray:
    """N uint64; tables column by column, all else row by row."""
    if isinstance(cells, Scanned):
        return cells.hashes
    if isinstance(cells, Records):
        return _of_table(cells.table, list(cells.kinds))
    if isinstance(cells, Chosen) and isinstance(cells.base, Records):
        return _of_table(cells.base.table, list(cells.base.kinds))[cells.rows]
    return np.fromiter((of_cell(c) for c in cells), dtype=np.uint64, count=len(cells))


def fingerprint(material: Material, hashes: np.ndarray) -> str:
    """sha256 over contents, labels, split, groups and the way of reading."""
    digest = hashlib.sha256(np.ascontiguousarray(hashes).tobytes())
    for part in (material.labels, material.split, material.groups):
        if part is None:
            digest.update(b"-")
        else:
            for value in part:
                digest.update(f"{value}\0".encode("utf-8", "replace"))
    digest.update(json.dumps(material.reading, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _of_table(table: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """Rows hashed over the given columns, block by block; numbers that are equal are equal, missing values too."""
    blocks = table.select(list(columns)).to_batches(max_chunksize=_ROWS)
    return np.concatenate([_of_block(b) for b in blocks]) if blocks else np.zeros(0, dtype=np.uint64)


def _of_block(block: pa.RecordBatch) -> np.ndarray:
    total = np.zeros(block.num_rows, dtype=np.uint64)
    for column in block.columns:
        values = column.to_pandas()
        if values.dtype.kind in "iub":
            values = values.astype(np.float64)
        array = values.to_numpy()
        plain = array if array.dtype.kind in "fM" else np.array(["" if v is None else str(v) for v in array], object)
        total = (total * _MIX) ^ pd.util.hash_array(plain)
    return total
