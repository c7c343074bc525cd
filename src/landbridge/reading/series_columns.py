"""Tables that are series: one column a step (wide), or one row a step (long)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from landbridge.core.errors import DataError
from landbridge.reading.cells import Long
from landbridge.reading.columns import Profile
from landbridge.reading.roles import plain_name
from landbridge.reading.values import date_of

SHORTEST = 16  # columns from which a run of steps is believed without being asked
_STEP_PREFIX = ("", "t", "time", "step", "lag", "ts", "timestep", "att", "value", "val", "sample", "s", "y", "att_")
# fmt: off
_SERIES = [
    "id", "seriesid", "series", "case", "caseid", "sampleid", "unit", "unitid", "instance", "instanceid", "uid",
    "recordid",
]
_STEP = [
    "t", "time", "step", "timestep", "timestamp", "tick", "frame", "index", "readingid", "date", "datetime",
    "seconds", "ms",
]
# fmt: on


@dataclass(frozen=True)
class LongForm:
    """The columns of a long table: which series, which step, and the channels."""

    series: str
    step: str
    values: tuple[str, ...]


def wide_columns(rest: Sequence[Profile], table: pa.Table, *, headed: bool, forced: bool) -> list[str]:
    """The numeric columns that are the steps of one series, empty when the table is none.

    Believed when at least 16 columns are numbered with a prefix for time, or have no names and neighbours are alike.
    """
    numbers = [p.name for p in rest if p.numeric]
    if forced:
        return numbers
    if len(numbers) < SHORTEST or len(rest) - len(numbers) > 3:
        return []
    if not headed:
        return numbers if _smooth(table, numbers) else []
    parts = [re.fullmatch(r"(.*?)[_ ]?(\d+)", n) for n in numbers]
    found = [(m[1].lower(), int(m[2])) for m in parts if m]
    if len(found) < len(numbers) or len({prefix for prefix, _ in found}) > 1 or found[0][0] not in _STEP_PREFIX:
        return []
    steps = [n for _, n in found]
    return numbers if all(b - a == 1 for a, b in itertools.pairwise(steps)) else []


def long_form(found: Mapping[str, Profile], target: Sequence[str], asked: str | None) -> LongForm | None:
    """The columns of a long table, None when there is no column that names the series or none for the step."""
    rest = [p for p in found.values() if p.name not in target]
    series = [p for p in rest if (p.name == asked if asked else plain_name(p.name) in _SERIES) and not p.unique]
    steps = [p for p in rest if plain_name(p.name) in _STEP and (p.numeric or p.kind == "date")]
    if not series or not steps or series[0].name == steps[0].name or series[0].distinct * 3 > series[0].rows:
        return None
    used = {series[0].name, steps[0].name}
    values = tuple(p.name for p in rest if p.numeric and p.name not in used)
    return LongForm(series[0].name, steps[0].name, values) if values else None


def gather(table: pa.Table, form: LongForm, where: str) -> tuple[Long, np.ndarray, list[str]]:
    """The series of a long table in order of appearance: cells, the first row of each, and their names.

    Raises DataError when a step is there twice in one series.
    """
    ids = table.column(form.series).to_pylist()
    steps = _steps(table.column(form.step))
    first: dict[object, int] = {}
    member = np.array([first.setdefault(i, len(first)) for i in ids], dtype=np.int64)
    order = np.lexsort((steps, member))
    same = (np.diff(member[order]) == 0) & (np.diff(steps[order]) == 0)
    if same.any():
        row = int(order[int(np.flatnonzero(same)[0]) + 1])
        raise DataError(
            f"{where}: row {row + 1}: column '{form.step}' repeats a step of series '{ids[row]}'; remove one row"
        )
    starts = np.concatenate([[0], np.cumsum(np.bincount(member))])
    values = np.stack([table.column(v).cast(pa.float64()).to_numpy() for v in form.values], axis=1)
    firsts = np.full(len(first), len(ids), dtype=np.int64)
    np.minimum.at(firsts, member, np.arange(len(ids)))
    return Long(values, order, starts), firsts, [str(i) for i in first]


def _steps(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_string(column.type) or pa.types.is_temporal(column.type):
        moments = [date_of(v) if v is not None else None for v in column.to_pylist()]
        return np.array([m.timestamp() if m else np.nan for m in moments])
    return column.cast(pa.float64()).to_numpy()


def _smooth(table: pa.Table, columns: Sequence[str]) -> bool:
    """Whether neighbouring columns are more alike than columns drawn at random: mean lag-1 correlation above 0.5."""
    some = table.slice(0, 200)
    grid = np.stack([some.column(c).cast(pa.float64()).to_numpy() for c in columns], axis=1)
    grid = np.where(np.isfinite(grid), grid, 0.0)
    grid = grid / np.maximum(np.abs(grid).max(1, keepdims=True), 1e-300)
    grid = grid - grid.mean(1, keepdims=True)
    power = (grid**2).sum(1)
    known = power > 0
    if not known.any():
        return False
    lag = (grid[known, 1:] * grid[known, :-1]).sum(1) / power[known]
    return float(np.median(lag)) > 0.5
