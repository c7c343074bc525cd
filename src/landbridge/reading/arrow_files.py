"""Parquet files and Hugging Face `datasets` folders as memory-mapped Arrow; nothing of them is executed or decoded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from landbridge.core.errors import DataError
from landbridge.core.files import inside
from landbridge.reading.material import split_name
from landbridge.reading.store import first_line, keep, mapped


def read_parquet(path: Path, cache: Path | None) -> pa.Table:
    """A Parquet file as a table, row group by row group."""
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes); give a file with data")
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            table = keep(path, schema, _groups(file), cache)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({first_line(error)}); write it again") from error
    if table.num_rows == 0:
        raise DataError(f"{path}: there are columns but no rows; give a file with data")
    return plain(path, table, _features(schema))


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk` of `datasets`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read_saved(folder: Path) -> list[tuple[str | None, pa.Table, Path]]:
    """The splits of a folder saved by `datasets`: role, table and folder of each; unlabelled extra splits are left."""
    if not (folder / "dataset_dict.json").is_file():
        return [(None, _saved(folder), folder)]
    splits = _json(folder / "dataset_dict.json").get("splits")
    if not isinstance(splits, list) or not splits:
        raise DataError(f"{folder / 'dataset_dict.json'}: names no splits; save the data set again")
    found = []
    for name in splits:
        place = inside(folder, str(name), where=str(folder / "dataset_dict.json"))
        role = split_name(str(name))
        if role is not None or len(splits) == 1:
            found.append((role if len(splits) > 1 else None, _saved(place), place))
    if not any(role in (None, "train") for role, _, _ in found):
        raise DataError(f"{folder}: none of the splits ({', '.join(map(str, splits))}) is train; rename one")
    return found


def plain(path: Path, table: pa.Table, features: Mapping[str, Any]) -> pa.Table:
    """Plain columns: dictionaries and class numbers become their texts, odd types become text or are refused."""
    names = table.column_names
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}: the column name '{name}' is there {names.count(name)} times; rename one")
    for number, name in enumerate(names):
        column = table.column(number)
        classes = _class_names(features.get(name))
        if classes is not None and pa.types.is_integer(column.type):
            table = table.set_column(number, name, _named(column, classes))
        elif _class_names(_inner(features.get(name))) is not None and pa.types.is_list(column.type):
            table = table.set_column(number, name, _named_lists(column, _class_names(_inner(features[name])) or []))
        else:
            table = table.set_column(number, name, _plain(path, name, column))
    return table


def _groups(file: parquet.ParquetFile) -> Iterator[pa.RecordBatch]:
    yield from file.iter_batches(batch_size=50_000)


def _saved(folder: Path) -> pa.Table:
    state = _json(folder / "state.json")
    files = [str(entry.get("filename")) for entry in state.get("_data_files") or []]
    if not files:
        raise DataError(f"{folder / 'state.json'}: names no data files; save the data set again")
    table = pa.concat_tables([mapped(inside(folder, f, where=str(folder / "state.json"))) for f in files])
    if table.num_rows == 0:
        raise DataError(f"{folder}: the data set has no rows; save one with data")
    info = folder / "dataset_info.json"
    features = _json(info).get("features") if info.is_file() else {}
    return plain(folder, table, features or {})


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({first_line(error)}); save the data set again") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: holds no object; save the data set again")
    return value


def _features(schema: pa.Schema) -> Mapping[str, Any]:
    """The features that `datasets` leaves in a Parquet file's metadata."""
    raw = (schema.metadata or {}).get(b"huggingface")
    if raw is None:
        return {}
    try:
        return json.loads(raw)["info"]["features"] or {}
    except (ValueError, KeyError, TypeError):
        return {}


def _inner(feature: Any) -> Any:
    """What a list feature holds, in either spelling of `datasets`."""
    if isinstance(feature, list) and feature:
        return feature[0]
    if isinstance(feature, Mapping) and feature.get("_type") in ("Sequence", "List", "LargeList"):
        return feature.get("feature")
    return None


def _class_names(feature: Any) -> list[str] | None:
    if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel" and feature.get("names"):
        return [str(n) for n in feature["names"]]
    return None


def _named(column: pa.ChunkedArray, classes: list[str]) -> pa.ChunkedArray:
    known = pc.if_else(pc.and_(pc.greater_equal(column, 0), pc.less(column, len(classes))), column, None)
    return pc.take(pa.chunked_array([pa.array(classes)]), known.cast(pa.int64()))


def _named_lists(column: pa.ChunkedArray, classes: list[str]) -> pa.ChunkedArray:
    rows = [None if r is None else [classes[i] for i in r if 0 <= i < len(classes)] for r in column.to_pylist()]
    return pa.chunked_array([pa.array(rows, pa.list_(pa.string()))])


def _plain(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(path, name, column.cast(kind.value_type))
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        return column.cast(pa.int64()).cast(pa.float64())
    if pa.types.is_uint64(kind):
        return column.cast(pa.float64())
    if pa.types.is_map(kind) or pa.types.is_union(kind):
        raise DataError(f"{path}: the column '{name}' is of type {kind}, which has no meaning here; drop it")
    return column
