"""Single values as people write them: what counts as missing, numbers, and dates in three orders."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-", "--", "<na>", "nat")
LABEL_MISSING = ("", "na", "n/a", "nan", "null", "?", "<na>")  # "-" stands beside "+", and "none" is a class of many
_ISO = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?")
_DAY = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})([T ]\d{1,2}:\d{2}(:\d{2})?)?")


def is_missing(value: Any) -> bool:
    """Whether a value stands for nothing: None, NaN, or one of the usual markers."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return isinstance(value, float) and value != value


def is_no_label(value: Any) -> bool:
    """Whether a label is missing; stricter than `is_missing`, as "-" and "none" may be classes."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in LABEL_MISSING
    return isinstance(value, float) and value != value


def number_of(value: Any) -> float:
    """A cell as float; ValueError when it is none."""
    if isinstance(value, str):
        return float(value.strip())
    return float(value)


def date_order(values: Iterable[str]) -> str | None:
    """`ymd`, `dmy` or `mdy` when at least 95 % of the values are dates in that order, otherwise None."""
    texts = [v.strip() for v in values]
    if not texts:
        return None
    iso = sum(_ISO.fullmatch(t) is not None for t in texts)
    if iso >= 0.95 * len(texts):
        return "ymd"
    found = [m for m in (_DAY.fullmatch(t) for t in texts) if m]
    if len(found) < 0.95 * len(texts):
        return None
    first, second = max(int(m[1]) for m in found), max(int(m[2]) for m in found)
    return "mdy" if second > 12 >= first else "dmy"


def date_of(value: Any, order: str = "ymd") -> datetime.datetime | None:
    """A cell as a point in time (UTC where it names no zone), None when it is none."""
    if isinstance(value, datetime.datetime):
        return value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
    text = str(value).strip()
    iso, day = _ISO.fullmatch(text), _DAY.fullmatch(text)
    match = iso or day
    if match is None:
        return None
    if iso:
        year, month, date = int(iso[1]), int(iso[2]), int(iso[3])
        clock = iso[4]
    else:
        assert day is not None
        a, b, year, clock = int(day[1]), int(day[2]), int(day[3]), day[4]
        date, month = (a, b) if order == "dmy" else (b, a)
    return _moment(year, month, date, clock)


def iso_date(value: Any, order: str = "ymd") -> str | None:
    """A cell as ISO text: the date alone at midnight, otherwise date and time."""
    moment = date_of(value, order)
    if moment is None:
        return None
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return moment.date().isoformat()
    return moment.replace(tzinfo=None, microsecond=0).isoformat()


def _moment(year: int, month: int, day: int, clock: str | None) -> datetime.datetime | None:
    text = f"{year:04d}-{month:02d}-{day:02d}"
    if clock:
        hour, rest = clock.strip("T ").split(":", 1)
        text += f"T{int(hour):02d}:{rest.replace(' ', '')}"
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC) if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
