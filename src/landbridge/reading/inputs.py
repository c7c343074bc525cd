"""Inputs of a finished model: the same kinds of files as in training, with labels (`eval`) or without (`predict`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.core import registry
from landbridge.core.contracts import Modality, Task
from landbridge.core.errors import DataError, UnknownName
from landbridge.core.examples import Blob
from landbridge.reading import archive
from landbridge.reading.arrow_files import is_saved, read_saved
from landbridge.reading.cells import Column, Joined, Lists, Records, RowNames, Wide, single
from landbridge.reading.columns import media_of, profiles
from landbridge.reading.folders import hidden, listing, of_modality
from landbridge.reading.gaps import without_gaps
from landbridge.reading.idx_files import holds_idx, idx_arrays
from landbridge.reading.material import Material
from landbridge.reading.options import Options
from landbridge.reading.packed import ending, extracted
from landbridge.reading.paths import resolve
from landbridge.reading.places import check_suffix, open_material
from landbridge.reading.scan import scan
from landbridge.reading.series_columns import LongForm, gather
from landbridge.reading.series_files import load_arrays, read_ts
from landbridge.reading.tables import SUFFIXES, Part, Sheet, join, load_sheet
from landbridge.reading.text_files import open_text

Named = tuple[list[str], Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Labelled rows for a task that is settled already."""

    names: Sequence[str]
    cells: Sequence[Any]
    labels: list[Any]
    targets: np.ndarray
    slices: Mapping[str, np.ndarray]
    groups: np.ndarray | None


def read_inputs(paths: Sequence[str | Path], reading: Mapping[str, Any], modality: Modality) -> Named:
    """Names and cells of unlabelled inputs: files, folders (all below them), zip archives and tables.

    `reading` is what `read` kept of the training data: columns are looked up by the same names. For texts an argument
    that is no file is the text itself, and a .txt file holds one text a line. Raises DataError in one line when a path
    is missing, a column is absent, or a file is of another kind.
    """
    if not paths:
        raise DataError("no input was given; name files, a folder or a table")
    names: list[str] = []
    parts: list[Sequence[Any]] = []
    for given in paths:
        found, cells = _one(given, reading, modality)
        if not len(cells):
            raise DataError(f"{given}: holds no {modality.part_name} to predict; check the path")
        names += found
        parts.append(cells)
    return names, parts[0] if len(parts) == 1 else Joined(*parts)


def read_labelled(path: str | Path, reading: Mapping[str, Any], task: Task, *, split: str | None = None) -> Labelled:
    """Labelled rows read as the training data was, their targets encoded by `task`.

    Where the data has splits the test rows count (`split` names others, "all" takes every row). Raises DataError
    naming the row of a class that the task does not know.
    """
    options = Options(
        modality=str(reading["modality"]),
        target=reading.get("target") or None,
        input=reading.get("input") or None,
        id=reading.get("id"),
        test=None,
    )
    place = Path(path).expanduser()
    material = open_material(place, options)
    if "columns" in reading:
        material = _with_training_columns(material, reading, place)
    material = _of_split(without_gaps(material), split)
    _check_known(material, task)
    modality = _modality(material.modality)
    material, cells = scan(material, modality)
    labels = list(material.labels or ())
    return Labelled(
        names=material.names,
        cells=cells,
        labels=labels,
        targets=task.encode(_as_task(labels, task)),
        slices=material.slices,
        groups=material.groups,
    )


def _one(given: str | Path, reading: Mapping[str, Any], modality: Modality) -> Named:
    kind = modality.part_name
    path = Path(given).expanduser()
    if kind == "text" and not _exists(path):
        if isinstance(given, Path) or _like_a_path(str(given)):
            raise DataError(f"{given}: there is no such file; check the path")
        return [str(given)], [str(given)]
    if not _exists(path):
        raise DataError(f"{path}: there is no such file or folder; check the path")
    try:
        if kind == "text" and ending(path) == ".txt":
            return _lines(path)
        if kind in ("image", "audio"):
            return _media(path, reading, modality)
        if kind == "series" and ending(path) in (".ts", ".npz"):
            return _series_file(path)
        if path.is_dir() and not is_saved(path):
            return _folder(path, reading, modality)
        return _table(path, reading, modality)
    except PermissionError as error:
        raise DataError(f"{error.filename or path}: permission denied; make it readable") from error


def _exists(path: Path) -> bool:
    """Whether something stands there; a long text given as an argument is no path."""
    try:
        return path.exists()
    except OSError:
        return False


def _like_a_path(text: str) -> bool:
    return " " not in text and ending(text) in SUFFIXES | {".txt", ".zip"}


def _lines(path: Path) -> Named:
    found = [(f"{path.name} line {n}", line) for n, line in open_text(path).lines() if line.strip()]
    return [name for name, _ in found], [line for _, line in found]


def _media(path: Path, reading: Mapping[str, Any], modality: Modality) -> Named:
    kind = modality.part_name
    if ending(path) in SUFFIXES or (path.is_dir() and is_saved(path)):
        return _table(path, reading, modality)
    if kind == "image" and (path.suffix.lower() == ".npz" or holds_idx(path)):
        return _picture_arrays(path)
    if path.is_file() and path.suffix.lower() != ".zip":
        if path.suffix.lower() not in modality.suffixes:
            other = media_of(path.name)
            shown = f"is {other}" if other else f"is of type '{path.suffix}'"
            raise DataError(f"{path}: {shown}, the model reads {kind}; give {', '.join(sorted(modality.suffixes))}")
        return [str(path)], [Blob(path)]
    files = sorted(archive.members(path)) if path.is_file() else listing(path)
    chosen = [f for f in of_modality(files, kind) if not hidden(f)]
    zips = [f for f in files if f.lower().endswith(".zip")]
    if path.is_dir() and not chosen and len(zips) == 1:
        return _media(path / zips[0], reading, modality)
    if path.is_file():
        return [f"{path.name}:{f}" for f in chosen], [Blob(path, f) for f in chosen]
    return [str(path / f) for f in chosen], [Blob(path / f) for f in chosen]


def _folder(path: Path, reading: Mapping[str, Any], modality: Modality) -> Named:
    """Every table (or text file) of a folder."""
    more = {"text": {".txt"}, "series": {".ts", ".npz"}}.get(modality.part_name, set())
    ends = (SUFFIXES - {".json"}) | more  # a .json in a folder is mostly a note about the data
    names: list[str] = []
    parts: list[Sequence[Any]] = []
    for file in listing(path):
        if not hidden(file) and ending(file) in ends:
            found, cells = _one(path / file, reading, modality)
            names += [f"{file} {n}" if n.startswith("row ") else n for n in found]
            parts.append(cells)
    if not parts:
        raise DataError(f"{path}: holds no {modality.part_name} to predict; check the path")
    return names, Joined(*parts)


def _table(path: Path, reading: Mapping[str, Any], modality: Modality) -> Named:
    if path.is_file():
        check_suffix(path)
    if path.suffix.lower() == ".zip":
        return _unpacked(path, reading, modality)
    sheet = _sheet(path)
    cells = _cells(sheet, reading, modality)
    if isinstance(cells, tuple):
        return list(cells[0]), cells[1]
    names = list(RowNames(sheet.files))
    key = reading.get("id")
    if key and key in sheet.table.column_names:
        names = [str(v) for v in sheet.table.column(key).to_pylist()]
    return names, cells


def _unpacked(path: Path, reading: Mapping[str, Any], modality: Modality) -> Named:
    """What lies in an archive that holds files of rows."""
    ends = SUFFIXES | {".ts", ".npz", ".txt"}
    found = [m for m in archive.members(path) if not hidden(m) and ending(m) in ends]
    if not found:
        raise DataError(f"{path}: holds no {modality.part_name} to predict; check the archive")
    with extracted(path, found) as place:
        return _one(place, reading, modality)


def _sheet(path: Path) -> Sheet:
    if path.is_dir():
        saved = read_saved(path)
        return join([Part(path=place) for _, _, place in saved], [t for _, t, _ in saved], path)
    return load_sheet([Part(path=path)], None)


def _cells(sheet: Sheet, reading: Mapping[str, Any], modality: Modality) -> Any:
    kind, form = modality.part_name, reading.get("form")
    table = sheet.table
    if kind == "table":
        return _records(sheet, reading)
    if form == "long":
        values = [str(v) for v in reading["values"]]
        _require(sheet, [reading["series"], reading["step"], *values])
        cells, _, names = gather(table, LongForm(reading["series"], reading["step"], tuple(values)), str(sheet.where))
        return names, cells
    if form == "wide":
        return _wide(sheet, reading)
    column = _input_column(sheet, reading, kind)
    if kind == "series":
        return Lists(table.column(column))
    if kind == "text":
        if not pa.types.is_string(table.column(column).type):
            table = table.set_column(table.column_names.index(column), column, table.column(column).cast(pa.string()))
        missing = pc.index(pc.is_null(table.column(column)), True).as_py()
        if missing >= 0:
            raise DataError(f"{sheet.row(missing)}, column '{column}': the text is missing; fill it in")
        return Column(table.column(column))
    if pa.types.is_string(table.column(column).type):
        return list(resolve(sheet, column).members), resolve(sheet, column)
    return Column(table.column(column))


def _records(sheet: Sheet, reading: Mapping[str, Any]) -> Records:
    """Rows with the columns of training; DataError for an absent column or a word where numbers are expected."""
    kinds: dict[str, str] = dict(reading["columns"])
    _require(sheet, list(kinds))
    for name, kind in kinds.items():
        column = sheet.table.column(name)
        if kind == "number" and pa.types.is_string(column.type):
            for row, value in enumerate(Records(sheet.table, {name: "category"}, {})):
                try:
                    float(value[name] or "nan")
                except ValueError as error:
                    raise DataError(
                        f"{sheet.row(row)}, column '{name}': '{value[name]}' is no number as in training; mend it"
                    ) from error
        if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
            row = pc.index(pc.is_inf(column), True).as_py()
            raise DataError(f"{sheet.row(row)}, column '{name}': the value is infinite; replace it or leave it empty")
    return Records(sheet.table, kinds, dict(reading.get("dates", {})))


def _wide(sheet: Sheet, reading: Mapping[str, Any]) -> Wide:
    """The steps by name; in a file without header all columns, or all but the label's where it is there."""
    values = [str(v) for v in reading["values"]]
    names = sheet.table.column_names
    if not sheet.headed and not reading.get("headed", True):
        target = str(reading.get("target") or "")
        places = [int(v.removeprefix("column_")) for v in values]
        if len(names) == len(places):  # the same file without its label
            values = names
        elif target in names and len(names) != max(places):
            values = [n for n in names if n != target]
    _require(sheet, values)
    for name in values:
        if pa.types.is_string(sheet.table.column(name).type):
            raise DataError(f"{sheet.where}: column '{name}' holds text where the series has numbers; mend it")
    return Wide(sheet.table, values)


def _input_column(sheet: Sheet, reading: Mapping[str, Any], kind: str) -> str:
    """The column of training, or the only one that can be meant."""
    known = reading.get("input")
    names = sheet.table.column_names
    if known in names:
        return str(known)
    found = profiles(sheet.table)
    fits = {
        "text": [n for n, p in found.items() if p.kind in ("text", "category")],
        "series": [n for n, p in found.items() if p.kind == "series"],
    }.get(kind, [n for n, p in found.items() if p.media == kind])
    if len(fits) != 1:
        raise DataError(f"{sheet.where}: {UnknownName('column', str(known), names) if known else 'no column to read'}")
    return fits[0]


def _require(sheet: Sheet, names: Sequence[str]) -> None:
    for name in names:
        if name not in sheet.table.column_names:
            near = UnknownName("column", name, sheet.table.column_names)
            raise DataError(f"{sheet.where}: the column '{name}' that the model reads is missing ({near})")


def _series_file(path: Path) -> Named:
    if ending(path) == ".ts":
        cells: Sequence[Any] = read_ts(path).cells
    else:
        name, values = _inputs_of(path, load_arrays(path))
        if values.ndim not in (2, 3) or values.dtype.kind not in "fiub":
            raise DataError(f"{path}: '{name}' has shape {values.shape}; give numbers (N, channels, length)")
        cells = single(values[:, None, :] if values.ndim == 2 else values)
    return [f"{path.name} row {i}" for i in range(1, len(cells) + 1)], cells


def _picture_arrays(path: Path) -> Named:
    """Pictures as bytes (N, H, W) or (N, H, W, 1, 3 or 4), all that the files hold."""
    if holds_idx(path):
        arrays = {n: a for n, a in idx_arrays(path).items() if n[0] == "X"}
    else:
        arrays = dict([_inputs_of(path, load_arrays(path))])
    names: list[str] = []
    for name, values in arrays.items():
        if values.dtype != np.uint8 or values.ndim not in (3, 4):
            told = f"'{name}' has shape {values.shape} and type {values.dtype}"
            raise DataError(f"{path}: {told}; give uint8 (N, H, W) or (N, H, W, 3)")
        many = f"{name} " if len(arrays) > 1 else ""
        names += [f"{path.name} {many}row {i}" for i in range(1, len(values) + 1)]
    return names, Joined(*arrays.values()) if arrays else []


def _inputs_of(path: Path, arrays: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """The array to predict among those of a file, and its name."""
    lower = {n.lower(): n for n in arrays}
    name = next((lower[n] for n in ("x", "x_test", "data", "series", "x_train") if n in lower), None)
    if name is None:
        raise DataError(f"{path}: no array X (found {', '.join(arrays) or 'none'}); name it X")
    return name, arrays[name]


def _with_training_columns(material: Material, reading: Mapping[str, Any], path: Path) -> Material:
    """The same rows seen through the columns of training, in case detection saw this file otherwise."""
    base = material.cells
    if not isinstance(base, Records):
        raise DataError(f"{path}: holds no table rows as the model reads them; check the path")
    for name in reading["columns"]:
        if name not in base.table.column_names:
            near = UnknownName("column", name, base.table.column_names)
            raise DataError(f"{path}: the column '{name}' that the model reads is missing ({near})")
    sheet = Sheet(name=material.name, where=path, root=path.parent, table=base.table, files=((path.name, len(base)),))
    return Material(
        name=material.name,
        modality=material.modality,
        cells=_records(sheet, reading),
        names=material.names,
        labels=material.labels,
        label_kind=material.label_kind,
        split=material.split,
        groups=material.groups,
        slices=material.slices,
        reading=reading,
    )


def _of_split(material: Material, split: str | None) -> Material:
    if material.split is None or split == "all":
        return material
    wanted = split or "test"
    rows = np.flatnonzero(material.split == wanted)
    return material.take(rows) if len(rows) else material


def _check_known(material: Material, task: Task) -> None:
    """DataError naming the first row whose class the task does not know."""
    if task.part_name != "classify":
        return
    known = {str(c) for c in task.to_json()["classes"]}
    for row, label in enumerate(material.labels or ()):
        if str(label) not in known:
            near = UnknownName("class", str(label), known)
            raise DataError(f"{material.name}: {material.names[row]}: {near}")


def _as_task(labels: list[Any], task: Task) -> list[Any]:
    """Joined labels taken apart for a task of many labels."""
    if task.part_name != "multilabel":
        return labels
    known = {str(c) for c in task.to_json()["classes"]}
    out = []
    for label in labels:
        if isinstance(label, list):
            out.append([str(v) for v in label])
        else:
            separator = "|" if "|" in str(label) or str(label) in known else ";"
            out.append([a.strip() for a in str(label).split(separator) if a.strip()])
    return out


def _modality(name: str) -> Modality:
    return registry.find("modalities", name)()
