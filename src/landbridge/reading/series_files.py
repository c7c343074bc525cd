"""Series in files of their own: `.ts` of sktime and aeon, and `.npz` of arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.reading.archive import MAX_TOTAL
from landbridge.reading.cells import Joined, RowNames, single
from landbridge.reading.material import Material
from landbridge.reading.options import Options
from landbridge.reading.packed import stem
from landbridge.reading.store import first_line
from landbridge.reading.tables import Part
from landbridge.reading.text_files import open_text

_NAMES = {"train": "train", "": "train", "val": "validation", "valid": "validation", "validation": "validation"}
_NAMES |= {"dev": "validation", "test": "test"}


@dataclass(frozen=True)
class SeriesFile:
    """The series of a `.ts` file and their labels, None where the file holds none."""

    cells: list[np.ndarray]
    labels: list[Any] | None
    kind: str


def from_ts(parts: Sequence[Part]) -> Material:
    """`.ts` files as material."""
    files = [read_ts(p.path) for p in parts]
    for part, file in zip(parts, files, strict=True):
        if file.labels is None:
            raise DataError(f"{part.path}: the series have no labels (@classLabel false); give a file with labels")
    channels = {c.shape[0] for f in files for c in f.cells}
    if len(channels) > 1:
        raise DataError(f"{parts[0].path}: series have {sorted(channels)} channels; make them alike")
    split = None
    if any(p.split for p in parts):
        split = np.repeat(np.array([p.split or "train" for p in parts], dtype=object), [len(f.cells) for f in files])
    return Material(
        name=stem(parts[0].path),
        modality="series",
        cells=Joined(*(f.cells for f in files)),
        names=RowNames([(p.path.name, len(f.cells)) for p, f in zip(parts, files, strict=True)]),
        labels=[label for f in files for label in f.labels or ()],
        label_kind=files[0].kind,
        split=split,
        reading={"modality": "series", "form": "ts", "input": None, "target": None, "channels": channels.pop()},
        assumptions=(Assumption(what="the data is series", because="of the file's ending .ts", option="another file"),),
    )


def read_ts(path: Path) -> SeriesFile:
    """Read the format of sktime and aeon: channels joined by `:`, values by `,`, the label last.

    Raises DataError naming the line of a bad header or a value that is no number; `?` and NaN inside are refused later.
    """
    text = open_text(path)
    header: dict[str, list[str]] = {}
    cells: list[np.ndarray] = []
    labels: list[str] = []
    began = False
    for number, raw in text.lines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if not began:
            if not line.startswith("@"):
                raise DataError(f"{path}: line {number}: data before @data; add the header lines of the .ts format")
            key, *values = line[1:].split() or [""]
            header[key.lower()] = values
            began = key.lower() == "data"
            _check_header(path, number, key.lower(), values)
            continue
        channels = line.split(":")
        if _labelled(header):
            if len(channels) < 2:
                raise DataError(f"{path}: line {number}: the label is missing; end the line with :label")
            labels.append(channels.pop().strip())
            _known_class(path, number, header, labels[-1])
        cells.append(_channels(path, number, channels))
    if not began:
        raise DataError(f"{path}: there is no @data line; this is not a .ts file of sktime or aeon")
    if not cells:
        raise DataError(f"{path}: there is a header but no series after @data; give a file with data")
    if not _labelled(header):
        return SeriesFile(cells, None, "text")
    if "targetlabel" in header:
        return SeriesFile(cells, [_target(path, row, v) for row, v in enumerate(labels, 1)], "real")
    return SeriesFile(cells, list(labels), "text")


def from_npz(path: Path, options: Options) -> Material:
    """Arrays X, y or X_train, y_train, X_test, y_test (N, channels, length) as material; never unpickles."""
    return from_arrays(path, load_arrays(path), options)


def from_arrays(path: Path, arrays: Mapping[str, np.ndarray], options: Options) -> Material:
    """The same of arrays that were read from `path`."""
    lower = {name.lower().replace("-", "_"): name for name in arrays}
    cells: list[Any] = []
    labels: list[Any] = []
    split: list[str] = []
    files: list[tuple[str, int]] = []
    for suffix, role in _NAMES.items():
        tail = f"_{suffix}" if suffix else ""
        x_name = next((lower[n + tail] for n in ("x", "data", "series") if n + tail in lower), None)
        y_name = next((lower[n + tail] for n in ("y", "labels", "label", "target") if n + tail in lower), None)
        if x_name is None:
            continue
        if y_name is None:
            raise DataError(f"{path}: the array 'y{tail}' that belongs to '{x_name}' is missing; add it to the file")
        values, targets = arrays[x_name], arrays[y_name].squeeze()
        if targets.ndim != 1 or len(targets) != len(values):
            raise DataError(
                f"{path}: '{x_name}' has {len(values)} rows and '{y_name}' has shape {targets.shape}; make them agree"
            )
        cells.append(_rows(path, x_name, values))
        labels += targets.tolist()
        split += [role] * len(targets)
        files.append((x_name, len(targets)))
    if not cells:
        raise DataError(f"{path}: no array X or X_train (found {', '.join(arrays) or 'none'}); name them X and y")
    return _npz_material(path, cells, labels, split, files, options)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz`; DataError when it is damaged or holds pickled objects."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(e.file_size for e in archive.infolist()) > MAX_TOTAL >> 6:
                raise DataError(f"{path}: the arrays are larger than {MAX_TOTAL >> 36} GB; give a Parquet file instead")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: holds pickled Python objects, which are never loaded; save plain number or text arrays"
            ) from error
        raise DataError(f"{path}: not a readable .npz file ({first_line(error)}); save it again") from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, KeyError, MemoryError) as error:
        raise DataError(f"{path}: not a readable .npz file ({first_line(error)}); save it again") from error


def _npz_material(
    path: Path, cells: list[Any], labels: list[Any], split: list[str], files: list[tuple[str, int]], options: Options
) -> Material:
    shapes = {c.shape[1:] for c in cells}
    if len({s[0] for s in shapes}) > 1:
        raise DataError(f"{path}: the arrays have different channels {sorted(shapes)}; make them agree")
    image = options.modality == "image" or (options.modality is None and _are_images(cells[0]))
    modality = "image" if image else "series"
    kind = {"i": "integer", "u": "integer", "f": "real", "b": "truth"}.get(np.asarray(labels).dtype.kind, "text")
    if kind == "real":
        labels = [None if v != v else v for v in labels]
        if all(v is None or float(v).is_integer() for v in labels):
            kind, labels = "integer", [None if v is None else int(v) for v in labels]
    because = f"the arrays have shape {cells[0].shape} and type {cells[0].dtype}"
    return Material(
        name=path.stem,
        modality=modality,
        cells=Joined(*cells),
        names=RowNames(files),
        labels=labels,
        label_kind=kind,
        split=np.array(split, dtype=object) if len(set(split)) > 1 else None,
        reading={"modality": modality, "form": "npz", "input": None, "target": None},
        assumptions=(Assumption(what=f"the data is {modality}", because=because, option="--modality NAME"),),
    )


def _rows(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiub" or values.ndim not in (2, 3, 4):
        raise DataError(
            f"{path}: '{name}' has shape {values.shape} and type {values.dtype}; give numbers (N, channels, length)"
        )
    if values.dtype == np.uint8 and values.ndim > 2:
        return values
    if values.ndim == 4:
        raise DataError(f"{path}: '{name}' has shape {values.shape}; give series as (N, channels, length)")
    rows = values[:, None, :] if values.ndim == 2 else values
    return single(rows)


def _are_images(values: np.ndarray) -> bool:
    """Bytes of (N, H, W, 1, 3 or 4), or of squares (N, H, H)."""
    if values.dtype != np.uint8:
        return False
    return (values.ndim == 4 and values.shape[3] in (1, 3, 4)) or (
        values.ndim == 3 and values.shape[1] == values.shape[2] >= 8
    )


def _labelled(header: dict[str, list[str]]) -> bool:
    flags = header.get("classlabel") or header.get("targetlabel") or []
    return bool(flags) and flags[0].lower() == "true"


def _check_header(path: Path, number: int, key: str, values: Sequence[str]) -> None:
    if key in ("classlabel", "targetlabel", "univariate", "timestamps", "equallength", "missing"):
        if not values or values[0].lower() not in ("true", "false"):
            raise DataError(f"{path}: line {number}: @{key} needs true or false; mend the header")
        if key == "timestamps" and values[0].lower() == "true":
            raise DataError(f"{path}: line {number}: series with time stamps are not supported; write values only")


def _known_class(path: Path, number: int, header: dict[str, list[str]], label: str) -> None:
    classes = header.get("classlabel", [])[1:]
    if classes and label not in classes:
        raise DataError(f"{path}: line {number}: class '{label}' is not among @classLabel {' '.join(classes)}; mend it")


def _channels(path: Path, number: int, channels: Sequence[str]) -> np.ndarray:
    rows: list[list[float]] = []
    for channel in channels:
        row: list[float] = []
        for value in channel.split(","):
            try:
                row.append(float("nan") if value.strip() == "?" else float(value))
            except ValueError as error:
                raise DataError(f"{path}: line {number}: '{value.strip()[:40]}' is no number; mend it") from error
        rows.append(row)
    if len({len(r) for r in rows}) > 1:
        longest = max(len(r) for r in rows)
        rows = [r + [float("nan")] * (longest - len(r)) for r in rows]
    return single(rows)


def _target(path: Path, row: int, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise DataError(f"{path}: series {row}: the target '{value}' is no number; mend it") from error
