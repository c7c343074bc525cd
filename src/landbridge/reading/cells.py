"""Rows as light sequences over memory-mapped columns: nothing is loaded before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa

from landbridge.core.examples import Blob
from landbridge.reading.values import is_missing, iso_date, number_of

_BLOCK = 64  # rows of a wide table converted at once


class _View(Sequence[Any]):
    """A sequence that is read by position; a slice gives a list."""

    def _at(self, row: int) -> Any:
        raise IndexError(row)

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> list[Any]: ...
    def __getitem__(self, row: int | slice) -> Any:
        if isinstance(row, slice):
            return [self._at(i) for i in range(*row.indices(len(self)))]
        size = len(self)
        if not -size <= row < size:
            raise IndexError(f"row {row} of {size}")
        return self._at(int(row) % size)


class Chosen(_View):
    """Some rows of another sequence, in the given order."""

    def __init__(self, base: Sequence[Any], rows: np.ndarray) -> None:
        if isinstance(base, Chosen):
            base, rows = base.base, base.rows[rows]
        self.base, self.rows = base, rows

    def __len__(self) -> int:
        return len(self.rows)

    def _at(self, row: int) -> Any:
        return self.base[int(self.rows[row])]


class Joined(_View):
    """Several sequences end to end."""

    def __init__(self, *parts: Sequence[Any]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(p) for p in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def _at(self, row: int) -> Any:
        part = int(np.searchsorted(self.ends, row, side="right"))
        return self.parts[part][row - (int(self.ends[part - 1]) if part else 0)]


class Blobs(_View):
    """Files of a folder, or members of a zip archive, by relative path."""

    def __init__(self, root: Path, members: Sequence[str], *, archive: bool) -> None:
        self.root, self.members, self.archive = root, members, archive

    def __len__(self) -> int:
        return len(self.members)

    def _at(self, row: int) -> Blob:
        member = self.members[row]
        return Blob(self.root, member) if self.archive else Blob(self.root / member)


class Column(_View):
    """One Arrow column as plain values: text as `str`, an image or sound as its `{"bytes", "path"}` mapping."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    def _at(self, row: int) -> Any:
        return self.column[row].as_py()


class Records(_View):
    """Table rows as dict of column to float, text or None; dates become ISO text.

    `kinds` maps each feature to `number`, `category`, `text` or `date`; `dates` gives the order of day and month of
    the date columns that are not ISO already.
    """

    def __init__(self, table: pa.Table, kinds: Mapping[str, str], dates: Mapping[str, str]) -> None:
        self.table, self.kinds, self.dates = table, dict(kinds), dict(dates)
        self._columns = [(name, kind, table.column(name)) for name, kind in self.kinds.items()]

    def __len__(self) -> int:
        return self.table.num_rows

    def _at(self, row: int) -> dict[str, float | str | None]:
        return {name: self._value(name, kind, column[row].as_py()) for name, kind, column in self._columns}

    def _value(self, name: str, kind: str, value: Any) -> float | str | None:
        if value is None or is_missing(value):
            return None
        if kind == "number":
            return number_of(value)
        if kind == "date":
            return iso_date(value, self.dates.get(name, "ymd"))
        if isinstance(value, bool):
            return "true" if value else "false"
        return value.strip() if isinstance(value, str) else str(value)


class Wide(_View):
    """Series whose steps are the columns of a table: float32 (1, length), padding at the end cut off."""

    def __init__(self, table: pa.Table, columns: Sequence[str]) -> None:
        self.table = table.select(list(columns))
        room = max(4, (256 << 20) // (_BLOCK * 4 * max(1, len(columns))))
        self._block = lru_cache(maxsize=room)(self._convert)

    def __len__(self) -> int:
        return self.table.num_rows

    def _convert(self, block: int) -> np.ndarray:
        part = self.table.slice(block * _BLOCK, _BLOCK)
        return np.stack([_floats(column) for column in part.columns], axis=1)

    def _at(self, row: int) -> np.ndarray:
        values = self._block(row // _BLOCK)[row % _BLOCK]
        known = np.flatnonzero(~np.isnan(values))
        return values[None, : known[-1] + 1 if len(known) else len(values)]

    def __getstate__(self) -> tuple[pa.Table, list[str]]:
        return self.table, self.table.column_names

    def __setstate__(self, state: tuple[pa.Table, list[str]]) -> None:
        self.__init__(*state)


class Long(_View):
    """Series that are runs of rows of a table sorted by series: float32 (channels, length)."""

    def __init__(self, values: np.ndarray, order: np.ndarray, starts: np.ndarray) -> None:
        self.values, self.order, self.starts = values, order, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def _at(self, row: int) -> np.ndarray:
        rows = self.order[self.starts[row] : self.starts[row + 1]]
        return np.ascontiguousarray(single(self.values[rows].T))


class Lists(_View):
    """Series kept as a list of numbers, or a list of channels, in one column: float32 (channels, length)."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    def _at(self, row: int) -> Any:
        value = self.column[row].as_py()
        try:
            array = single([] if value is None else value)
        except (ValueError, TypeError):
            return value  # ragged channels: the scan names the row
        return array[None, :] if array.ndim == 1 else array


class RowNames(_View):
    """`row 1`, `row 2`, ...; with several files `train.csv row 1`."""

    def __init__(self, files: Sequence[tuple[str, int]]) -> None:
        self.files = tuple(files)
        self.ends = np.cumsum([count for _, count in self.files])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def _at(self, row: int) -> str:
        part = int(np.searchsorted(self.ends, row, side="right"))
        number = row - (int(self.ends[part - 1]) if part else 0) + 1
        return f"{self.files[part][0]} row {number}" if len(self.files) > 1 else f"row {number}"


def single(values: Any) -> np.ndarray:
    """Numbers as float32; what does not fit becomes infinite, which the checks name by its row."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """A numeric column as float32, null as NaN."""
    return single(column.cast(pa.float64()).to_numpy())
