"""Labels: from columns to plain values, and from values to the task they pose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from landbridge.core import registry
from landbridge.core.contracts import Task
from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.reading.columns import Profile
from landbridge.reading.material import Material
from landbridge.reading.values import is_no_label

GRADES = 20  # distinct whole numbers up to which a column of numbers counts as classes
_SEPARATORS = ("|", ";")


def column_labels(
    table: pa.Table, target: Sequence[str], found: Mapping[str, Profile], where: str
) -> tuple[list[Any], str]:
    """Plain labels of each row, None where missing, and how they are stored; `where` names the file in errors."""
    if len(target) > 1:
        columns = [table.column(name).to_pylist() for name in target]
        rows = [
            None if all(v is None for v in row) else [n for n, v in zip(target, row, strict=True) if v]
            for row in zip(*columns, strict=True)
        ]
        return rows, "list"
    column = table.column(target[0])
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return column.to_pylist(), "list"
    if pa.types.is_string(kind):
        return _shared(column), "text"
    if pa.types.is_boolean(kind):
        return column.to_pylist(), "truth"
    if pa.types.is_temporal(kind):
        raise DataError(
            f"{where}: the target column '{target[0]}' holds dates; name a column of classes or numbers with --target"
        )
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise DataError(f"{where}: the target column '{target[0]}' holds {kind}; name another with --target")
    values = [None if v is None or v != v else v for v in column.to_pylist()]
    if found[target[0]].kind == "integer":
        return [v if v is None or v in (float("inf"), -float("inf")) else int(v) for v in values], "integer"
    return values, "real"


def settle(material: Material, asked: str | None, metric: str | None) -> tuple[Material, Task]:
    """Choose the task for the labels and build it; every label is present by now."""
    labels = list(material.labels or ())
    for row, label in enumerate(labels):
        if isinstance(label, float) and not np.isfinite(label):
            raise DataError(f"{_where(material, row)}: the target is {label}; replace it or remove the row")
    name, why = _task(material, labels)
    if asked is None:
        material = material.noting(Assumption(what=f"the task is {name}", because=why, option="--task NAME"))
    name = asked or name
    if name == "multilabel":
        labels = _as_lists(labels)
    if name == "regress":
        labels = _as_numbers(material, labels)
    if name == "classify":
        _check_classes(material, labels, asked=asked is not None)
    cls = registry.find("tasks", name)
    task: Task = cls.from_labels(labels, metric)
    return replace(material, labels=labels), task


def _where(material: Material, row: int) -> str:
    """File and row, for messages."""
    return f"{material.name}: {material.names[row]}"


def _task(material: Material, labels: Sequence[Any]) -> tuple[str, str]:
    """The task's name and why."""
    kind = material.label_kind
    if kind == "list":
        return "multilabel", "each row has a list of labels"
    if kind == "text":
        separator = _separator(labels)
        if separator:
            return "multilabel", f"labels are joined by '{separator}'"
        return "classify", "the target is text"
    if kind == "truth":
        return "classify", "the target is true or false"
    distinct = set(labels)
    if kind == "integer":
        if len(distinct) <= GRADES:
            return "classify", f"the target has {len(distinct)} distinct whole numbers"
        dense = min(distinct) in (0, 1) and max(distinct) - min(distinct) == len(distinct) - 1
        if material.modality != "table" and dense and len(labels) >= 4 * len(distinct):
            return "classify", f"the target counts {len(distinct)} classes from {min(distinct)}"
        return "regress", f"the target has {len(distinct)} distinct whole numbers"
    return "regress", "the target is a real number"


def _separator(labels: Sequence[str]) -> str | None:
    """`|` or `;` where it joins a small vocabulary: atoms recur and are fewer than their combinations."""
    counts = Counter(str(v) for v in labels)
    for separator in _SEPARATORS:
        joined = sum(n for text, n in counts.items() if separator in text)
        if joined < max(2, 0.05 * len(labels)):
            continue
        atoms = {a.strip() for text in counts for a in text.split(separator)}
        if len(atoms) <= max(2, len(labels) // 3) and "" not in atoms:
            return separator
    return None


def _as_lists(labels: Sequence[Any]) -> list[Any]:
    if all(isinstance(v, list) for v in labels):
        return [[str(a) for a in v] for v in labels]
    separator = _separator([str(v) for v in labels]) or "|"
    return [[a.strip() for a in str(v).split(separator) if a.strip()] for v in labels]


def _as_numbers(material: Material, labels: Sequence[Any]) -> list[float]:
    values: list[float] = []
    for row, label in enumerate(labels):
        try:
            values.append(float(label))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{_where(material, row)}: the target '{label}' is no number; mend it or choose --task classify"
            ) from error
        if not np.isfinite(values[-1]):
            raise DataError(f"{_where(material, row)}: the target is {label}; replace it or remove the row")
    return values


def _check_classes(material: Material, labels: Sequence[Any], *, asked: bool) -> None:
    counts = Counter(labels)
    if len(counts) == 1:
        raise DataError(
            f"{material.name}: the target has one class only, '{next(iter(counts))}'; add examples of another class"
        )
    if len(counts) > max(20, len(labels) // 2) and not asked:
        raise DataError(
            f"{material.name}: the target has {len(counts)} distinct values in {len(labels)} rows, more like free text "
            "or a number than classes; name another column with --target or say --task"
        )
    rare = [c for c, n in counts.items() if n < 2]
    if rare:
        row = list(labels).index(rare[0])
        more = f" (and {len(rare) - 1} more such classes)" if len(rare) > 1 else ""
        raise DataError(
            f"{material.name}: class '{rare[0]}' has one example only, {material.names[row]}{more}; "
            "add another, merge the class or remove it"
        )


def _shared(column: pa.ChunkedArray) -> list[str | None]:
    """Texts of a column, equal ones as one object."""
    known: dict[str, str | None] = {}
    out: list[str | None] = []
    for chunk in column.chunks:
        coded = chunk.dictionary_encode()
        texts = [v.strip() for v in coded.dictionary.to_pylist()]
        named = [known.setdefault(t, None if is_no_label(t) else t) for t in texts]
        out += [None if i is None else named[i] for i in coded.indices.to_pylist()]
    return out
