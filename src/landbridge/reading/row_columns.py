"""Columns that say something about a row rather than describe it: its split, its group, its time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.core.errors import DataError
from landbridge.reading.material import split_name
from landbridge.reading.roles import plain_name
from landbridge.reading.tables import Sheet
from landbridge.reading.values import date_of

_SPLIT_NAMES = ("split", "splits", "subset", "partition", "set", "dataset", "fold")


def split_columns(sheet: Sheet) -> list[str]:
    """The columns that are named and filled like a split."""
    names = sheet.table.column_names
    return [n for n in names if plain_name(n) in _SPLIT_NAMES and _is_split(sheet.table.column(n))]


def _is_split(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_string(column.type):
        return False
    values = pc.unique(column).to_pylist()
    known = {split_name(v) for v in values if v is not None}
    return "train" in known and None not in known and len(known) > 1


def row_splits(sheet: Sheet, name: str) -> np.ndarray:
    """train, validation or test for each row, as a column says; DataError naming the row of any other word."""
    values = [str(v) for v in sheet.table.column(name).to_pylist()]
    roles = {v: split_name(v) for v in set(values)}
    for row, value in enumerate(values):
        if roles[value] is None:
            raise DataError(
                f"{sheet.row(row)}, column '{name}': '{value}' is neither train, validation nor test; mend it"
            )
    return np.array([roles[v] for v in values], dtype=object)


def row_groups(column: pa.ChunkedArray) -> np.ndarray:
    """Group names; a row without a group is its own."""
    return np.array(
        [f"row {i}" if v is None or v == "" else str(v) for i, v in enumerate(column.to_pylist())], dtype=object
    )


def row_times(sheet: Sheet, name: str, order: str) -> np.ndarray:
    """Seconds; DataError naming the row whose time cannot be read."""
    times = np.empty(sheet.table.num_rows)
    for row, value in enumerate(sheet.table.column(name).to_pylist()):
        moment = value if isinstance(value, (int, float)) else date_of(value, order) if value is not None else None
        if moment is None:
            raise DataError(f"{sheet.row(row)}, column '{name}': '{value}' is no time; mend it or give --time none")
        times[row] = moment if isinstance(moment, (int, float)) else moment.timestamp()
    return times
