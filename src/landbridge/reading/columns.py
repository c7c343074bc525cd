"""What each column of a table looks like, from a sample of its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.core import registry
from landbridge.reading.values import date_order, is_missing

_SAMPLE, _SLICES = 200_000, 20
_TEXT_WORDS, _TEXT_LETTERS = 4.0, 30.0


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One column. `kind` is number, integer, truth, date, category, text, path, media, list or series.

    distinct, missing, words count in the sample of `rows` rows; `media` is the modality that a path or stored file
    belongs to; `counts_up` is True for 0, 1, 2, ... or 1, 2, 3, ... down the rows.
    """

    name: str
    kind: str
    rows: int
    distinct: int
    missing: int
    words: float = 0.0
    unique: bool = False
    counts_up: bool = False
    media: str | None = None
    order: str = "ymd"

    @property
    def constant(self) -> bool:
        """Whether all rows agree."""
        return self.distinct + (self.missing > 0) <= 1

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers."""
        return self.kind in ("number", "integer")


def sample(table: pa.Table) -> pa.Table:
    """All rows of a small table, evenly spaced runs of rows of a large one."""
    rows = table.num_rows
    if rows <= _SAMPLE:
        return table
    starts = np.linspace(0, rows - _SAMPLE // _SLICES, _SLICES).astype(int)
    return pa.concat_tables([table.slice(int(s), _SAMPLE // _SLICES) for s in starts])


def profiles(table: pa.Table) -> dict[str, Profile]:
    """The profile of every column, in order."""
    some = sample(table)
    return {name: profile(name, some.column(name)) for name in table.column_names}


def profile(name: str, column: pa.ChunkedArray) -> Profile:
    """Look at one column."""
    kind, rows = column.type, len(column)
    if pa.types.is_string(kind):
        return _of_text(name, column)
    if pa.types.is_struct(kind):
        return Profile(
            name=name, kind="media", rows=rows, distinct=rows, missing=column.null_count, media=_stored(column)
        )
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_type
        series = pa.types.is_floating(inner) or pa.types.is_integer(inner) or pa.types.is_nested(inner)
        return Profile(
            name=name, kind="series" if series else "list", rows=rows, distinct=rows, missing=column.null_count
        )
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return Profile(name=name, kind="media", rows=rows, distinct=rows, missing=column.null_count, media="image")
    distinct = pc.count_distinct(column, mode="only_valid").as_py()
    missing = column.null_count
    if pa.types.is_floating(kind):
        missing = pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0
    named = "truth" if pa.types.is_boolean(kind) else "date" if pa.types.is_temporal(kind) else "number"
    if pa.types.is_integer(kind) or (named == "number" and missing < rows and _whole(column)):
        named = "integer"
    return Profile(
        name=name,
        kind=named,
        rows=rows,
        distinct=distinct,
        missing=missing,
        unique=distinct == rows,
        counts_up=named == "integer" and missing == 0 and _counts_up(column),
    )


def media_of(path: str) -> str | None:
    """The modality of a file's ending, None when it is no picture or sound."""
    return media_suffixes().get(suffix(path))


def suffix(path: str) -> str:
    """The ending of a path, lower case with its dot, empty when it has none."""
    tail = re.split(r"[/\\]", path)[-1]
    return "." + tail.rsplit(".", 1)[1].lower() if "." in tail.lstrip(".") else ""


@cache
def media_suffixes() -> dict[str, str]:
    """File ending to the modality whose example such a file is, except text."""
    found: dict[str, str] = {}
    for name in registry.names("modalities"):
        if name != "text":
            found |= dict.fromkeys(registry.find("modalities", name).suffixes, name)
    return found


def kinds_of(found: Sequence[Profile]) -> dict[str, str]:
    """The four kinds a table's features have: number, category, date, text."""
    four = {"integer": "number", "truth": "category", "path": "category"}
    return {p.name: four.get(p.kind, p.kind) for p in found}


def _of_text(name: str, column: pa.ChunkedArray) -> Profile:
    trimmed = pc.utf8_trim_whitespace(column)
    counts = pc.value_counts(trimmed.combine_chunks() if column.num_chunks != 1 else trimmed.chunk(0))
    values = counts.field("values").to_pylist()
    numbers = counts.field("counts").to_numpy(zero_copy_only=False)
    gone = np.array([is_missing(v) for v in values], dtype=bool)
    missing = int(numbers[gone].sum()) if len(values) else 0
    known = [v for v, g in zip(values, gone, strict=True) if not g]
    some = known if len(known) <= 2000 else known[:: len(known) // 2000]
    words = float(np.mean([len(v.split()) for v in some])) if some else 0.0
    letters = float(np.mean([len(v) for v in some])) if some else 0.0
    endings = [media_of(v) for v in some]
    media = next((m for m in set(endings) if m and endings.count(m) >= 0.8 * len(some)), None)
    order = None if media else date_order(some)
    varied = len(known) > 0.5 * (len(column) - missing) or len(known) > 2000
    wordy = words >= _TEXT_WORDS or (letters >= _TEXT_LETTERS and words >= 2)
    kind = "path" if media else "date" if order else "text" if wordy and varied else "category"
    return Profile(
        name=name,
        kind=kind,
        rows=len(column),
        distinct=len(known),
        missing=missing,
        words=words,
        unique=len(known) == len(column),
        media=media,
        order=order or "ymd",
    )


def _whole(column: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.equal(pc.floor(column), column), skip_nulls=True).as_py())


def _counts_up(column: pa.ChunkedArray) -> bool:
    values = column.slice(0, 10_000).to_numpy()
    return len(values) > 2 and values[0] in (0, 1) and bool((np.diff(values) == 1).all())


def _stored(column: pa.ChunkedArray) -> str | None:
    """The modality of files stored in a struct column, by the ending of their paths, else by their first bytes."""
    fields = {column.type.field(i).name for i in range(column.type.num_fields)}
    if not {"bytes", "path"} <= fields:
        return None
    for row in column.slice(0, 20).to_pylist():
        if row and row["path"] and media_of(row["path"]):
            return media_of(row["path"])
        if row and row["bytes"]:
            head = row["bytes"][:4]
            return (
                "audio"
                if head in (b"RIFF", b"fLaC", b"OggS") or head[:3] == b"ID3" or head[:2] == b"\xff\xfb"
                else "image"
            )
    return None
