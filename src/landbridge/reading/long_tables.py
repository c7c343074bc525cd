"""Long tables: the rows of one series share an identity, and each row is a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.reading.cells import Long
from landbridge.reading.columns import Profile
from landbridge.reading.labels import column_labels
from landbridge.reading.material import Material
from landbridge.reading.options import Options, off
from landbridge.reading.roles import plain_name
from landbridge.reading.row_columns import row_groups, row_splits, split_columns
from landbridge.reading.series_columns import LongForm, gather, long_form
from landbridge.reading.tables import Sheet

_MOST = 0.9  # share of series with a single label from which the others are an error; below it the table is no such one


def from_long(sheet: Sheet, found: Mapping[str, Profile], options: Options) -> Material | None:
    """Material of a long table of series, None when the sheet is none; DataError when a series has two labels."""
    named = [n for word in ("label", "target", "class", "y") for n in found if plain_name(n) == word]
    target = options.target if options.target in found else next(iter(named), None)
    if target is None:
        return None
    form = long_form(found, [target], options.id)
    if form is None:
        return None
    labels, kind = column_labels(sheet.table, (target,), found, str(sheet.where))
    cells, firsts, names = gather(sheet.table, form, str(sheet.where))
    odd = _two_labels(cells, firsts, labels)
    if odd and len({owner for _, owner in odd}) > (1 - _MOST) * len(cells) and options.modality is None:
        return None
    if odd:
        row, owner = odd[0]
        series = names[owner]
        raise DataError(f"{sheet.row(row)}, column '{target}': series '{series}' has two labels; a series has one")
    group = options.group if options.group in found else None
    return _material(sheet, form, cells, firsts, names, [labels[int(i)] for i in firsts], kind, target, group, options)


def _two_labels(cells: Long, firsts: np.ndarray, labels: Sequence[Any]) -> list[tuple[int, int]]:
    """Rows whose label is not that of their series' first row, with the number of the series."""
    odd = []
    for owner in range(len(cells)):
        for row in cells.order[cells.starts[owner] : cells.starts[owner + 1]]:
            if labels[int(row)] != labels[int(firsts[owner])]:
                odd.append((int(row), owner))
    return sorted(odd)


def _material(
    sheet: Sheet,
    form: LongForm,
    cells: Long,
    firsts: np.ndarray,
    names: list[str],
    labels: list[Any],
    kind: str,
    target: str,
    group: str | None,
    options: Options,
) -> Material:
    because = f"column '{form.series}' repeats over '{form.step}'"
    shown = ", ".join(form.values[:6])
    notes = (
        Assumption(what="the data is series", because=because, option="--modality NAME"),
        Assumption(what=f"channels are {shown}", because="they are the other numbers", option="--modality table"),
    )
    said = split_columns(sheet) if not off(options.split) else []
    split = sheet.split if sheet.split is not None else row_splits(sheet, said[0]) if said else None
    reading = {
        "modality": "series",
        "form": "long",
        "series": form.series,
        "step": form.step,
        "values": list(form.values),
        "target": target,
        "input": None,
        "id": form.series,
        "group": group,
        "time": None,
        "split": said[0] if said else None,
        "headed": True,
    }
    return Material(
        name=sheet.name,
        modality="series",
        cells=cells,
        names=names,
        labels=labels,
        label_kind=kind,
        split=None if split is None else split[firsts],
        groups=row_groups(sheet.table.column(group))[firsts] if group else None,
        reading=reading,
        assumptions=(*sheet.assumptions, *notes),
        asked_group=group is not None,
    )
