"""CSV and TSV: delimiter, header, types and errors by line; converted in blocks, so size does not matter."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from landbridge.core.errors import DataError
from landbridge.reading.packed import ending
from landbridge.reading.store import first_line, keep
from landbridge.reading.text_files import TextFile, head_rows, open_quote, open_text
from landbridge.reading.values import MISSING

BLOCK = 16 << 20  # bytes parsed at once; one row must fit
_RANK = {"empty": 0, "integer": 1, "real": 2, "comma": 3, "text": 4}
_ARROW = {
    "empty": pa.float64(),
    "integer": pa.int64(),
    "real": pa.float64(),
    "comma": pa.float64(),
    "text": pa.string(),
}


@dataclass(frozen=True)
class Layout:
    """How one file is written: delimiter, quoting, column names; `headed` is False when the first row is data."""

    text: TextFile
    delimiter: str
    quoting: bool
    names: tuple[str, ...]
    headed: bool


def layout(path: Path, cache: Path | None = None) -> Layout:
    """Look at a file's encoding, delimiter and header; DataError when there is no usable table in it."""
    text = open_text(path, cache)
    delimiter = _delimiter(text)
    rows = head_rows(text, delimiter, quoting=True)
    if not rows:
        raise DataError(f"{path}: the file holds only blank lines; give a file with data")
    quoting = delimiter != "\t" or any(c.startswith('"') for row in head_rows(text, delimiter, False) for c in row)
    if quoting and not text.even_quotes:
        line = open_quote(text, delimiter)
        if line is not None:
            raise DataError(f"{path}: line {line}: a quote is opened and never closed; close it or double it")
    rows = head_rows(text, delimiter, quoting)
    headed = not _is_data(rows[0])
    if headed and len(rows) == 1:
        raise DataError(f"{path}: there is a header but no rows; give a file with data")
    names = _names(path, rows[0]) if headed else [f"column_{i}" for i in range(1, len(rows[0]) + 1)]
    return Layout(text, delimiter, quoting, tuple(names), headed)


def read_csv(layouts: Sequence[Layout], cache: Path | None) -> list[pa.Table]:
    """Tables of several files whose columns of the same name get the same type."""
    kinds: dict[str, str] = {}
    held: list[list[pa.RecordBatch] | None] = []
    for one in layouts:
        small = one.text.file.stat().st_size <= BLOCK
        kept: list[pa.RecordBatch] = []
        for batch in _batches(one):
            _widen(kinds, batch, comma=one.delimiter == ";")
            if small:
                kept.append(batch)
        held.append(kept if small else None)
    tables = []
    for one, batches in zip(layouts, held, strict=True):
        schema = pa.schema([(n, _ARROW[kinds.get(n, "empty")]) for n in one.names])
        typed = (_typed(b, kinds, schema) for b in (batches if batches is not None else _batches(one)))
        tables.append(keep(one.text.file, schema, typed, cache))
    for one, table in zip(layouts, tables, strict=True):
        if table.num_rows == 0:
            raise DataError(f"{one.text.path}: there is a header but no rows; give a file with data")
    return tables


def _batches(one: Layout) -> Iterator[pa.RecordBatch]:
    """All cells as text, block by block; DataError naming the line of a ragged row."""
    bad: list[arrow_csv.InvalidRow] = []

    def refuse(row: arrow_csv.InvalidRow) -> str:
        bad.append(row)
        return "error"

    path = one.text.path
    read = arrow_csv.ReadOptions(
        use_threads=False,
        block_size=BLOCK,
        column_names=list(one.names),
        skip_rows=1 if one.headed else 0,
        encoding=one.text.arrow_encoding,
    )
    parse = arrow_csv.ParseOptions(
        delimiter=one.delimiter,
        quote_char='"' if one.quoting else False,
        newlines_in_values=one.quoting,
        invalid_row_handler=refuse,
    )
    convert = arrow_csv.ConvertOptions(column_types={n: pa.string() for n in one.names}, strings_can_be_null=False)
    try:
        with arrow_csv.open_csv(str(one.text.file), read, parse, convert) as reader:
            yield from reader
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if bad:
            raise _ragged(path, bad[0]) from error
        if "straddling" in str(error):
            raise DataError(f"{path}: a row is longer than {BLOCK >> 20} MB; shorten it or check the quotes") from error
        if "Empty CSV" in str(error):
            raise DataError(f"{path}: there is a header but no rows; give a file with data") from error
        raise DataError(f"{path}: not readable as CSV ({first_line(error)}); check the file") from error


def _ragged(path: Path, row: arrow_csv.InvalidRow) -> DataError:
    where = f"line {row.number}" if row.number is not None else f"the row '{row.text[:60]}'"
    return DataError(
        f"{path}: {where} has {row.actual_columns} cells where {row.expected_columns} are expected; "
        "mend the row or quote cells that hold the delimiter"
    )


def _widen(kinds: dict[str, str], batch: pa.RecordBatch, *, comma: bool) -> None:
    """Raise each column's kind to what this batch needs."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        known = kinds.get(name, "empty")
        if known != "text":
            kinds[name] = max(known, _kind(column, comma=comma), key=_RANK.__getitem__)


def _kind(column: pa.Array, *, comma: bool) -> str:
    values = _present(column)
    if len(values) == values.null_count:
        return "empty"
    if pc.any(pc.match_substring_regex(values, r"^[+-]?0\d|^0[xX]|_")).as_py():
        return "text"  # 007 is a code, not a number
    if _casts(values, pa.int64()):
        return "integer"
    if _casts(values, pa.float64()):
        return "real"
    return "comma" if comma and _casts(_pointed(values), pa.float64()) else "text"


def _present(column: pa.Array) -> pa.Array:
    """Trimmed text with every missing marker as null."""
    trimmed = pc.utf8_trim_whitespace(column)
    gone = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(MISSING))
    return pc.if_else(gone, pa.scalar(None, pa.string()), trimmed)


def _pointed(values: pa.Array) -> pa.Array:
    return pc.replace_substring(values, ",", ".")


def _casts(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        pc.cast(values, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _typed(batch: pa.RecordBatch, kinds: dict[str, str], schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = kinds.get(name, "empty")
        if kind == "text":
            columns.append(column)
        else:
            values = _present(column)
            columns.append(pc.cast(_pointed(values) if kind == "comma" else values, _ARROW[kind]))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _delimiter(text: TextFile) -> str:
    """The delimiter that cuts the first lines into the most equal and the most cells."""
    if ending(text.path) in (".tsv", ".tab"):
        return "\t"
    best, found = (0, 0), ","
    for delimiter in (",", ";", "\t", "|"):
        rows = head_rows(text, delimiter, quoting=True, count=20)
        widths = [len(r) for r in rows]
        width = widths[0] if widths else 0
        if width > 1 and (widths.count(width), width) > best:
            best, found = (widths.count(width), width), delimiter
    return found


def _is_data(row: Sequence[str]) -> bool:
    """Whether a first row is data already: at least half of its cells, and the most of the filled ones, are numbers."""
    filled = [c.strip() for c in row if c.strip()]
    if not filled:
        return False
    numbers = [c for c in filled if re.fullmatch(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|nan", c, re.IGNORECASE)]
    if len(numbers) * 2 < len(row) or len(numbers) < 1:
        return False
    whole = [int(c) for c in numbers if re.fullmatch(r"\d+", c)]
    counting = len(whole) >= 2 and all(b - a == 1 for a, b in itertools.pairwise(whole))
    return not (counting and len(whole) == len(numbers))  # 0,1,2,...: names of the steps of a series


def _names(path: Path, row: Sequence[str]) -> list[str]:
    names = [c.strip().lstrip("\ufeff") or f"column_{i}" for i, c in enumerate(row, 1)]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}: the column name '{name}' is there {names.count(name)} times; rename one")
    return names
