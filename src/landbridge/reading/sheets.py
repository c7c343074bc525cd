"""A sheet becomes material: the modality is settled, its rows become cells, its columns labels, groups and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.core.errors import DataError, UsageError
from landbridge.reading.cells import Column, Lists, Records, RowNames, Wide
from landbridge.reading.columns import Profile, kinds_of, profiles
from landbridge.reading.labels import column_labels
from landbridge.reading.leaks import feature_checks, leaks
from landbridge.reading.long_tables import from_long
from landbridge.reading.material import Material
from landbridge.reading.options import Options
from landbridge.reading.paths import resolve
from landbridge.reading.roles import Roles, find_roles, text_column, unlabelled_roles
from landbridge.reading.row_columns import row_groups, row_splits, row_times, split_columns
from landbridge.reading.series_columns import wide_columns
from landbridge.reading.tables import Sheet


def from_sheet(sheet: Sheet, options: Options) -> Material:
    """Settle what the sheet holds and give its rows as material; DataError when it cannot be used."""
    found = profiles(sheet.table)
    splits = split_columns(sheet)
    if sheet.split is not None:
        splits = []
    if options.modality in (None, "series"):
        long = from_long(sheet, found, options)
        if long is not None:
            return long
    roles = find_roles(found, options, splits, headed=sheet.headed, where=str(sheet.where))
    rest = [p for p in found.values() if p.name not in roles.taken and (p.missing < p.rows or p.kind == "media")]
    maker = _maker(sheet, found, rest, roles, options)
    material = maker(sheet, found, rest, roles, options)
    return _with_columns(material, sheet, found, roles, options)


def unlabelled_rows(sheet: Sheet, options: Options) -> Material:
    """The rows without what looks like a label or is named as the target; nothing is guessed to be one by its place."""
    found = profiles(sheet.table)
    roles = unlabelled_roles(found, options)
    rest = [p for p in found.values() if p.name not in roles.taken and (p.missing < p.rows or p.kind == "media")]
    if not rest:
        raise DataError(f"{sheet.where}: besides labels there is no column to learn from; check --target")
    material = _maker(sheet, found, rest, roles, options)(sheet, found, rest, roles, options)
    return replace(material, reading={**material.reading, "input": roles.input}).noting(
        *sheet.assumptions, *roles.notes
    )


def _maker(sheet: Sheet, found: Mapping[str, Profile], rest: Sequence[Profile], roles: Roles, options: Options) -> Any:
    """Which of the functions below reads the rows."""
    asked = options.modality
    if roles.input is not None:
        return _by_input(found[roles.input], asked)
    media = [p for p in rest if p.media and p.kind in ("path", "media") and asked in (None, p.media)]
    lists = [p for p in rest if p.kind == "series"]
    if media and asked not in ("table", "text"):
        roles.input = media[0].name
        _note_modality(roles, str(media[0].media), f"column '{media[0].name}' holds files of that kind", asked)
        return _media
    if asked in ("image", "audio"):
        raise DataError(f"{sheet.where}: no column holds {asked} files; name the column of paths with --input")
    if lists and asked in (None, "series"):
        roles.input = lists[0].name
        _note_modality(roles, "series", f"column '{lists[0].name}' holds lists of numbers", asked)
        return _lists
    if asked == "series" or (asked is None and wide_columns(rest, sheet.table, headed=sheet.headed, forced=False)):
        _note_modality(roles, "series", "its columns are numbered steps", asked)
        return _wide
    text = text_column(rest)
    if asked == "text" or (asked is None and text is not None):
        words = text or max((p for p in rest if p.kind in ("text", "category")), key=lambda p: p.words, default=None)
        if words is None:
            raise DataError(f"{sheet.where}: no column holds text; name it with --input")
        roles.input = words.name
        roles.note(f"the text is column '{words.name}'", f"it has {words.words:.0f} words a row", "--input COLUMN")
        _note_modality(roles, "text", f"column '{words.name}' holds text", asked)
        return _text
    _note_modality(roles, "table", f"{len(rest)} columns are features", asked)
    return _table


def _by_input(column: Profile, asked: str | None) -> Any:
    kind = column.media if column.kind in ("path", "media") else {"series": "series"}.get(column.kind, "text")
    if column.numeric and asked is None:
        raise UsageError(f"--input {column.name}: the column holds numbers; name a column of texts, paths or lists")
    kind = asked or kind
    return {"image": _media, "audio": _media, "series": _lists, "text": _text}.get(str(kind), _text)


def _note_modality(roles: Roles, modality: str, because: str, asked: str | None) -> None:
    if asked is None:
        roles.note(f"the data is {modality}", because, "--modality NAME")


def _start(sheet: Sheet, modality: str, cells: Sequence[Any], form: str, **more: Any) -> Material:
    reading = {"modality": modality, "form": form, "headed": sheet.headed, **more}
    return Material(name=sheet.name, modality=modality, cells=cells, names=RowNames(sheet.files), reading=reading)


def _media(
    sheet: Sheet, found: Mapping[str, Profile], rest: Sequence[Profile], roles: Roles, options: Options
) -> Material:
    name = str(roles.input)
    modality = options.modality or found[name].media or "image"
    if found[name].kind == "media":
        return _start(sheet, modality, Column(sheet.table.column(name)), "files")
    blobs = resolve(sheet, name)
    material = _start(sheet, modality, blobs, "paths")
    return replace(material, names=blobs.members)


def _lists(
    sheet: Sheet, found: Mapping[str, Profile], rest: Sequence[Profile], roles: Roles, options: Options
) -> Material:
    return _start(sheet, "series", Lists(sheet.table.column(str(roles.input))), "lists")


def _wide(
    sheet: Sheet, found: Mapping[str, Profile], rest: Sequence[Profile], roles: Roles, options: Options
) -> Material:
    columns = wide_columns(rest, sheet.table, headed=sheet.headed, forced=True)
    if len(columns) < 2:
        raise DataError(
            f"{sheet.where}: a series needs two or more number columns, got {len(columns)}; check --modality"
        )
    return _start(sheet, "series", Wide(sheet.table, columns), "wide", values=columns)


def _text(
    sheet: Sheet, found: Mapping[str, Profile], rest: Sequence[Profile], roles: Roles, options: Options
) -> Material:
    column = sheet.table.column(str(roles.input))
    if not pa.types.is_string(column.type):
        raise DataError(
            f"{sheet.where}: column '{roles.input}' holds {column.type}, not text; name another with --input"
        )
    return _start(sheet, "text", Column(column), "text")


def _table(
    sheet: Sheet, found: Mapping[str, Profile], rest: Sequence[Profile], roles: Roles, options: Options
) -> Material:
    usable = [p for p in rest if p.kind not in ("media", "list", "series") and p.missing < p.rows]
    varied = [p for p in usable if not p.constant]
    if not varied:
        if not usable:
            raise DataError(f"{sheet.where}: besides the target there is no feature column; add some")
        raise DataError(
            f"{sheet.where}: all {len(usable)} feature columns are constant; there is nothing to learn from"
        )
    kinds = kinds_of(varied)
    dates = {p.name: p.order for p in varied if p.kind == "date"}
    for name, kind in kinds.items():
        if kind == "number":
            _finite(sheet, name)
    material = _start(sheet, "table", Records(sheet.table, kinds, dates), "table", columns=kinds, dates=dates)
    for p in varied:
        if p.kind == "category" and p.distinct > 0.9 * p.rows and p.rows > 50:
            because = f"{p.distinct} of {p.rows} rows have their own value"
            roles.note(f"column '{p.name}' is kept as a category", because, "--id COLUMN")
    return material.noting(*feature_checks(rest))


def _finite(sheet: Sheet, name: str) -> None:
    column = sheet.table.column(name)
    if pa.types.is_floating(column.type) and (pc.any(pc.is_inf(column)).as_py() or False):
        row = pc.index(pc.is_inf(column), True).as_py()
        raise DataError(f"{sheet.row(row)}, column '{name}': the value is infinite; replace it or leave it empty")


def _with_columns(
    material: Material, sheet: Sheet, found: Mapping[str, Profile], roles: Roles, options: Options
) -> Material:
    """Labels, split, groups, times and slices from their columns."""
    table = sheet.table
    labels, kind = column_labels(table, roles.target, found, str(sheet.where))
    split = sheet.split
    if split is None and roles.split:
        split = row_splits(sheet, roles.split)
    used = {*roles.taken, roles.input}
    slices = {
        p.name: _texts(table.column(p.name))
        for p in found.values()
        if p.name not in used and p.kind in ("category", "truth") and 2 <= p.distinct <= 20
    }
    reading = {**material.reading, "input": roles.input, "id": roles.id, "group": roles.group, "time": roles.time}
    reading |= {"split": roles.split, "target": ",".join(roles.target)}
    leaking = leaks(table, roles.target, material.reading.get("columns", {}))
    return replace(
        material,
        labels=labels,
        label_kind=kind,
        split=split,
        groups=row_groups(table.column(roles.group)) if roles.group else None,
        times=row_times(sheet, roles.time, found[roles.time].order) if roles.time else None,
        slices=dict(list(slices.items())[:20]),
        reading=reading,
        assumptions=(*sheet.assumptions, *roles.notes),
        checks=(*material.checks, *leaking),
        asked_group=options.group is not None and roles.group is not None,
        asked_time=options.time is not None and roles.time is not None,
    )


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    """Values as text, equal ones as one object."""
    known: dict[object, str] = {None: "missing"}
    out = np.empty(len(column), dtype=object)
    for row, value in enumerate(column.to_pylist()):
        out[row] = known.setdefault(value, str(value))
    return out
