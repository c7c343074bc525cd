"""Class names as people write them: their types, their order, and what was probably meant by an unknown one."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from landbridge.core.errors import DataError

Label = bool | int | float | str


def plain(label: object, row: int) -> Label:
    """A label as a plain Python value that JSON keeps; whole floats become ints. `row` names it in errors."""
    value = label.item() if isinstance(label, np.generic) else label
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else value
    if isinstance(value, bool | int) or (isinstance(value, str) and value.strip()):
        return value
    raise DataError(f"row {row}: the label is missing or no plain value ({label!r}); fill it in or drop the row")


def classes_of(labels: Iterable[Label]) -> tuple[Label, ...]:
    """The distinct labels in natural order; labels of mixed types (1, "a", True) all become text."""
    seen = list(labels)
    kinds = {bool if isinstance(v, bool) else str if isinstance(v, str) else float for v in seen}
    distinct = set(seen) if len(kinds) <= 1 else {str(v) for v in seen}
    return tuple(sorted(distinct, key=natural))


def natural(label: Label) -> tuple[tuple[int, float, str], ...]:
    """A sort key: numbers numerically, texts with their digits read as numbers, so `fold2` precedes `fold10`."""
    if not isinstance(label, str):
        return ((0, float(label), ""),)
    pieces = [p for p in re.split(r"(\d+)", label) if p]
    key = [(0, float(p), "") if p.isdecimal() and len(p) < 300 else (1, 0.0, p.casefold()) for p in pieces]
    return (*key, (2, 0.0, label))


def positions(classes: Sequence[Label]) -> dict[str, int]:
    """The number of each class by its text, so that `1`, `1.0` and `"1"` name the same class."""
    return {str(value): number for number, value in enumerate(classes)}


def position(known: Mapping[str, int], label: object, row: int) -> int:
    """The number of a label's class; DataError naming row and label, with the nearest known classes."""
    text = str(plain(label, row))
    if text in known:
        return known[text]
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.5) or list(known)[:5]
    more = "" if len(near) == len(known) else f" (of {len(known)})"
    raise DataError(
        f"row {row}: unknown class '{text}'; the task's classes are {', '.join(near)}{more}; mend or drop the row"
    )
