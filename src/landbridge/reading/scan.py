"""Every example is looked at once before anything is trained: what cannot be decoded is named, the rest is hashed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from landbridge.core.contracts import Modality
from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.core.examples import Blob
from landbridge.reading.cells import single
from landbridge.reading.hashes import Scanned, of_bytes, of_cells, of_text
from landbridge.reading.material import Material, check

LIMIT = 20_000  # files decoded in a scan; beyond it an even sample, the others by name and size
MOST_BAD, MOST_SHARE = 100, 0.01
_LARGEST = 512 << 20  # bytes of one media file
_SHOWN = 5


def scan(material: Material, modality: Modality) -> tuple[Material, Scanned]:
    """Check every row; few undecodable files (at most 1 % and 100) are set aside, more are a DataError."""
    if material.modality == "series":
        return material, Scanned(material.cells, _series(material))
    if material.modality == "table":
        return material, Scanned(material.cells, of_cells(material.cells))
    rows = np.arange(len(material))
    if len(rows) > LIMIT:
        rows = np.unique(np.linspace(0, len(material) - 1, LIMIT).astype(np.int64))
    if material.modality == "text":
        rows = np.arange(len(material)) if material.reading.get("form") == "text" else rows
    seen = _look(material, modality, rows)
    bad = {row: found for row, found in seen.items() if isinstance(found, str)}
    kept = material if not bad else _set_aside(material, bad)
    order = [i for i in range(len(material)) if i not in bad]
    hashes = np.zeros(len(material), dtype=np.uint64)
    for row in range(len(material)):
        found = seen.get(row)
        hashes[row] = of_text(str(material.names[row])) if not isinstance(found, tuple) else found[0]
    sketches = None
    if len(seen) == len(material) and material.modality != "text":
        sketches = np.stack([seen[i][1] for i in order])
    return kept, Scanned(kept.cells, hashes[order], sketches)


def _look(material: Material, modality: Modality, rows: np.ndarray) -> dict[int, Any]:
    """Row to (hash, sketch), or to what is wrong with it."""
    sketching = material.modality != "text"

    def look(row: int) -> Any:
        try:
            return _one(material.cells[row], modality, sketching=sketching)
        except DataError as error:
            return str(error)

    if not sketching:
        return {int(row): look(int(row)) for row in rows}
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return dict(zip((int(r) for r in rows), pool.map(look, rows.tolist(), chunksize=16), strict=True))


def _one(cell: Any, modality: Modality, *, sketching: bool) -> tuple[int, np.ndarray | None]:
    """Hash and sketch of one cell; DataError when it cannot be decoded."""
    if isinstance(cell, Blob):
        _not_too_large(cell)
        if sketching:
            data = cell.read()
            return of_bytes(data), modality.sketch(modality.decode({"bytes": data, "path": cell.name}))
    example = modality.decode(cell)
    if not sketching:
        if not example.strip():
            raise DataError(f"{cell.name if isinstance(cell, Blob) else 'the text'}: the text is empty; remove it")
        return of_text(example), None
    stored = cell.get("bytes") if isinstance(cell, Mapping) else None
    pixels = np.asarray(cell) if isinstance(cell, np.ndarray) else None
    raw = stored if isinstance(stored, bytes) else (pixels.tobytes() if pixels is not None else repr(cell).encode())
    return of_bytes(raw), modality.sketch(example)


def _not_too_large(cell: Blob) -> None:
    if not cell.member and cell.path.is_file() and cell.path.stat().st_size > _LARGEST:
        raise DataError(f"{cell.name}: the file is larger than {_LARGEST >> 20} MB; make it smaller or remove it")


def _set_aside(material: Material, bad: Mapping[int, str]) -> Material:
    """Drop few bad rows and say so; DataError naming up to five when they are many."""
    rows = sorted(bad)
    if len(rows) > MOST_BAD or len(rows) > MOST_SHARE * len(material):
        if len(rows) == 1:
            raise DataError(bad[rows[0]])
        shown = _listed(material, bad)
        raise DataError(
            f"{material.name}: {len(rows)} of {len(material)} files are unusable: {shown}; remove or replace them"
        )
    keep = np.array([i for i in range(len(material)) if i not in bad], dtype=np.int64)
    note = Assumption(
        what=f"{len(rows)} files are set aside", because="they cannot be decoded", option="remove or replace them"
    )
    return material.take(keep).noting(note, check("broken files", len(rows), _listed(material, bad)))


def _listed(material: Material, bad: Mapping[int, str]) -> str:
    """Up to five file names, the first with its cause."""
    rows = sorted(bad)
    cause = bad[rows[0]].partition(": ")[2].split(";", 1)[0]
    names = [str(material.names[r]) for r in rows[:_SHOWN]]
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"{names[0]} ({cause})" + "".join(f", {n}" for n in names[1:]) + more


def _series(material: Material) -> np.ndarray:
    """Hashes of all series; DataError naming the row of a value that is NaN, infinite or missing."""
    hashes = np.zeros(len(material), dtype=np.uint64)
    channels: int | None = None
    for row in range(len(material)):
        where = f"{material.name}: {material.names[row]}"
        values = _finite(material.cells[row], where)
        channels = values.shape[0] if channels is None else channels
        if values.shape[0] != channels:
            raise DataError(
                f"{where}: the series has {values.shape[0]} channels, the first {channels}; make them alike"
            )
        hashes[row] = of_bytes(f"{values.shape}".encode() + values.tobytes())
    return hashes


def _finite(cell: Any, where: str) -> np.ndarray:
    """A series as float32 without padding at its end; DataError when something inside is not a finite number."""
    try:
        values = single(cell)
    except (ValueError, TypeError) as error:
        raise DataError(f"{where}: the channels have different lengths; make them alike") from error
    values = values[None, :] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0:
        raise DataError(f"{where}: the series has no values; remove the row")
    known = ~np.isnan(values).all(0)
    if not known.any():
        raise DataError(f"{where}: the series has no values; remove the row")
    values = np.ascontiguousarray(values[:, : int(np.flatnonzero(known)[-1]) + 1])
    if not np.isfinite(values).all():
        channel, step = (int(v) for v in np.argwhere(~np.isfinite(values))[0])
        found = "missing (NaN)" if np.isnan(values[channel, step]) else "infinite"
        raise DataError(
            f"{where}: the series is {found} at step {step + 1}, channel {channel + 1}; fill the gap or remove the row"
        )
    if values.shape[1] < 2:
        raise DataError(f"{where}: the series has a single step; remove the row or choose --modality table")
    return values
