"""One or several table files as one sheet, with the split that each file stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.reading.arrow_files import plain, read_parquet
from landbridge.reading.csv_files import layout, read_csv
from landbridge.reading.json_files import read_json
from landbridge.reading.packed import ending, stem
from landbridge.reading.store import mapped

DELIMITED = frozenset({".csv", ".tsv", ".tab"})
SUFFIXES = DELIMITED | {".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".arrow"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file and the split that its name or an option says it is; `guessed` when nobody asked for the file."""

    path: Path
    split: str | None = None
    guessed: bool = False


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Rows of all parts in order. Paths in cells are relative to `root`; `headed` is False when names were made up."""

    name: str
    where: Path
    root: Path
    table: pa.Table
    files: tuple[tuple[str, int], ...]
    split: np.ndarray | None = None
    headed: bool = True
    assumptions: tuple[Assumption, ...] = ()

    def row(self, number: int) -> str:
        """How row `number` (from 0) is named in messages: file and row from 1."""
        for name, count in self.files:
            if number < count:
                return f"{self.where.parent / name if len(self.files) > 1 else self.where}: row {number + 1}"
            number -= count
        return f"{self.where}: row {number + 1}"


def load_sheet(parts: Sequence[Part], cache: Path | None) -> Sheet:
    """Read the files and lay them under one another; DataError when their columns do not agree."""
    first = parts[0].path
    headed = True
    if all(ending(p.path) in DELIMITED for p in parts):
        layouts = [layout(p.path, cache) for p in parts]
        headed = layouts[0].headed
        for one in layouts[1:]:
            if one.headed != headed:
                odd = one if headed else layouts[0]
                raise DataError(f"{odd.text.path}: has no header row, unlike the other file; add one")
        tables = read_csv(layouts, cache)
    else:
        tables = [read_one(p.path, cache) for p in parts]
    notes: list[Assumption] = []
    if not headed:
        notes.append(Assumption(what="the file has no header", because="its first row is numbers", option="a header"))
    return join(parts, tables, first, headed=headed, notes=notes)


def read_one(path: Path, cache: Path | None) -> pa.Table:
    """One table file of any kind."""
    suffix = ending(path)
    if suffix in DELIMITED:
        return read_csv([layout(path, cache)], cache)[0]
    if suffix in (".parquet", ".pq"):
        return read_parquet(path, cache)
    if suffix == ".arrow":
        table = mapped(path)
        if table.num_rows == 0:
            raise DataError(f"{path}: there are columns but no rows; give a file with data")
        return plain(path, table, {})
    return read_json(path, cache)


def join(
    parts: Sequence[Part],
    tables: Sequence[pa.Table],
    where: Path,
    *,
    headed: bool = True,
    notes: Sequence[Assumption] = (),
) -> Sheet:
    """Tables of the parts as one; a guessed test file without all columns (as contests give) is left out, said."""
    notes = list(notes)
    kept_parts, kept = [parts[0]], [tables[0]]
    names = max((t.column_names for t in tables), key=len) if not headed else tables[0].column_names
    for part, table in zip(parts[1:], tables[1:], strict=True):
        lacking = [n for n in names if n not in table.column_names]
        if lacking and headed:
            if part.guessed and part.split == "test" and len(lacking) == 1:
                because = f"it has no column '{lacking[0]}', so it cannot be scored"
                notes.append(Assumption(what=f"{part.path.name} is not used", because=because, option="--test FILE"))
                continue
            raise DataError(
                f"{part.path}: the column '{lacking[0]}' of {parts[0].path.name} is missing; "
                "give the files the same columns"
            )
        kept_parts.append(part)
        kept.append(table)
    columns = {n: _alike(n, kept, where) for n in names}
    joined = pa.table(columns)
    lengths = [t.num_rows for t in kept]
    split = None
    if any(p.split for p in kept_parts):
        split = np.repeat(np.array([p.split or "train" for p in kept_parts], dtype=object), lengths)
    return Sheet(
        name=stem(where),
        where=where,
        root=where if where.is_dir() else where.parent,
        table=joined,
        files=tuple((p.path.name, n) for p, n in zip(kept_parts, lengths, strict=True)),
        split=split,
        headed=headed,
        assumptions=tuple(notes),
    )


def _alike(name: str, tables: Sequence[pa.Table], where: Path) -> pa.ChunkedArray:
    """One column of all tables under one type: numbers widen, anything else that differs becomes text."""
    columns = [t.column(name) if name in t.column_names else pa.chunked_array([pa.nulls(t.num_rows)]) for t in tables]
    kinds = {c.type for c in columns if not pa.types.is_null(c.type)}
    if len(kinds) > 1:
        numbers = all(pa.types.is_integer(k) or pa.types.is_floating(k) for k in kinds)
        target = pa.float64() if numbers else pa.string()
        if any(pa.types.is_nested(k) for k in kinds):
            shown = " and ".join(sorted(str(k) for k in kinds))
            raise DataError(f"{where}: the column '{name}' is {shown} in different files; make it alike")
    else:
        target = next(iter(kinds), pa.float64())
    return pa.chunked_array([chunk.cast(target) for c in columns for chunk in c.chunks], type=target)
