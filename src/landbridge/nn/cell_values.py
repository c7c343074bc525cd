"""Cells of a table as numbers or names: what everything that computes with columns reads them by."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

MOST_CATEGORIES = 250  # a histogram has 255 bins; rarer categories share one
DATE_PARTS = ("days", "year", "month", "day", "weekday", "hour")


def number(value: Any) -> float:
    """A number, also one written as text; NaN where it is none or infinite."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        value = {"true": "1", "false": "0"}.get(value.strip().lower(), value)
    try:
        found = float(value)
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def date_parts(value: Any) -> list[float]:
    """Days since 1970, year, month, day, weekday (Monday 0), hour of an ISO text; NaN where it is none."""
    try:
        moment = datetime.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        return [math.nan] * len(DATE_PARTS)
    hour = moment.hour + moment.minute / 60.0
    days = moment.toordinal() - datetime.date(1970, 1, 1).toordinal() + hour / 24.0
    return [days, *map(float, (moment.year, moment.month, moment.day, moment.weekday())), hour]


def guess(values: Sequence[Any]) -> str:
    """Numbers where every known value reads as one, else categories."""
    known = [v for v in values if v is not None and v == v]
    return "number" if known and not any(math.isnan(number(v)) for v in known) else "category"


def category(value: Any) -> str | None:
    """The name of a category, None where there is none; a number is written out."""
    if value is None or value != value:
        return None
    return value if isinstance(value, str) else f"{float(value):g}"


def frequent(values: Sequence[Any]) -> list[str]:
    """Categories by falling frequency, ties by name."""
    counts: dict[str, int] = {}
    for value in values:
        name = category(value)
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))[:MOST_CATEGORIES]
