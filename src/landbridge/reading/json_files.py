"""JSON lines (and a JSON list of records): errors by line, types over the whole file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from landbridge.core.errors import DataError
from landbridge.reading.store import keep
from landbridge.reading.text_files import TextFile, open_text

_ROWS = 5000  # of a batch
_MAX_LIST = 1 << 30  # bytes of a JSON list, which must be read whole


def read_json(path: Path, cache: Path | None) -> pa.Table:
    """The records of a file as a table; DataError naming the line that is no record."""
    text = open_text(path, cache)
    kinds: dict[str, set[str]] = {}
    count = 0
    for where, record in _records(text):
        count += 1
        for name, value in record.items():
            kinds.setdefault(name, set()).add(_kind(path, where, name, value))
    if not count:
        raise DataError(f"{path}: there are no records; give a file with data")
    if not kinds:
        raise DataError(f'{path}: the records are empty; give objects such as {{"text": ..., "label": ...}}')
    chosen = {name: _merged(path, name, found) for name, found in kinds.items()}
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in chosen.items()])
    return keep(text.file, schema, _batches(text, chosen, schema), cache)


_ARROW = {
    "text": pa.string(),
    "truth": pa.bool_(),
    "integer": pa.int64(),
    "real": pa.float64(),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.float64()),
    "channels": pa.list_(pa.list_(pa.float64())),
    "nothing": pa.float64(),
}


def _records(text: TextFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where and what: `line 3` and its object."""
    path = text.path
    if _is_list(text):
        if text.file.stat().st_size > _MAX_LIST:
            raise DataError(f"{path}: a JSON list above 1 GB must be read whole; write one object a line (.jsonl)")
        try:
            records = json.loads(text.file.read_text(encoding=text.encoding))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not readable as JSON ({error}); check the file") from error
        for number, record in enumerate(records, 1):
            yield f"record {number}", _object(path, f"record {number}", record)
        return
    for number, line in text.lines():
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number} is no JSON ({error}); mend or remove the line") from error
        yield f"line {number}", _object(path, f"line {number}", record)


def _is_list(text: TextFile) -> bool:
    return next((line.lstrip()[:1] for _, line in text.lines() if line.strip()), "") == "["


def _object(path: Path, where: str, record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{path}: {where} is a {type(record).__name__}, not an object with named fields; mend it")
    return {str(k): v for k, v in record.items()}


def _kind(path: Path, where: str, name: str, value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int):
        if abs(value) >= 1 << 1023:
            return "text"  # beyond every float
        return "integer" if abs(value) < 1 << 63 else "real"
    if isinstance(value, float):
        return "real"
    if isinstance(value, list):
        inner = {_kind(path, where, name, v) for v in value}
        if inner <= {"integer", "real", "nothing"}:
            return "numbers"
        if inner <= {"numbers"}:
            return "channels"
        if inner <= {"text", "truth", "integer", "real"}:
            return "texts"
    if isinstance(value, str):
        return "text"
    raise DataError(f"{path}: {where}: the field '{name}' is nested; flatten it to numbers, texts or a list of them")


def _merged(path: Path, name: str, kinds: set[str]) -> str:
    """One kind that holds all values of a field; scalars fall back to text."""
    found = kinds - {"nothing"}
    if not found:
        return "nothing"
    if len(found) == 1:
        return next(iter(found))
    if found == {"integer", "real"}:
        return "real"
    lists = found & {"texts", "numbers", "channels"}
    if not lists:
        return "text"
    if found == {"texts", "numbers"}:
        return "texts"
    raise DataError(f"{path}: the field '{name}' is a list in some records and not in others; make it alike")


def _batches(text: TextFile, kinds: dict[str, str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    rows: list[dict[str, Any]] = []
    for _, record in _records(text):
        rows.append({name: _cast(record.get(name), kind) for name, kind in kinds.items()})
        if len(rows) == _ROWS:
            yield pa.RecordBatch.from_pylist(rows, schema=schema)
            rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _cast(value: Any, kind: str) -> Any:
    if value is None or kind in ("truth", "integer"):
        return value
    if kind == "text":
        return value if isinstance(value, str) else json.dumps(value)
    if kind == "texts":
        return [v if isinstance(v, str) else json.dumps(v) for v in value]
    if kind == "channels":
        return [_cast(v, "numbers") for v in value]
    if kind == "numbers":
        return [float("nan") if v is None else float(v) for v in value]
    return float(value)
