"""Columns that say nothing, or too much: constant, empty, and equal to the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.reading.columns import Profile, sample
from landbridge.reading.material import check


def feature_checks(rest: Sequence[Profile]) -> Iterator[dict[str, Any]]:
    """Constant and unusable columns, which are left out, and columns with gaps, which are kept."""
    constant = [p.name for p in rest if p.constant]
    if constant:
        yield check("constant columns", len(constant), f"left out: {', '.join(constant[:8])}")
    odd = [p.name for p in rest if p.kind in ("media", "list", "series")]
    if odd:
        yield check("unused columns", len(odd), f"lists or files are no features: {', '.join(odd[:8])}")
    gaps = [p for p in rest if p.missing and not p.constant]
    if gaps:
        shown = ", ".join(f"{p.name} {p.missing / p.rows:.0%}" for p in gaps[:8])
        yield check("columns with missing values", len(gaps), shown)


def leaks(table: pa.Table, target: Sequence[str], kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """Features whose values stand one to one for the target's, so that nothing needs to be learnt."""
    if len(target) != 1 or not kinds:
        return []
    some = sample(table)
    goal = some.column(target[0])
    if pa.types.is_nested(goal.type):
        return []
    distinct = pc.count_distinct(goal).as_py()
    if distinct < 2 or (distinct == some.num_rows and distinct > 0 and not pa.types.is_floating(goal.type)):
        return []
    found = [name for name in kinds if _one_to_one(some.column(name), goal, distinct)]
    if not found:
        return []
    return [check("leak", len(found), f"the target '{target[0]}' can be read off {', '.join(found[:8])}; drop it")]


def _one_to_one(column: pa.ChunkedArray, goal: pa.ChunkedArray, distinct: int) -> bool:
    if pa.types.is_nested(column.type) or pc.count_distinct(column).as_py() != distinct:
        return False
    if distinct == len(goal):  # every value is unique on both sides, as real numbers are: only equality says a leak
        return column.type == goal.type and bool(pc.all(pc.equal(column, goal)).as_py())
    pairs = pa.table({"a": column, "b": goal}).group_by(["a", "b"]).aggregate([])
    return pairs.num_rows == distinct
