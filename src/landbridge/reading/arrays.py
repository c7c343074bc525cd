"""Arrays, data frames and lists in memory become a domain, by the same checks and splits as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from landbridge.core import registry
from landbridge.core.contracts import Modality, Task
from landbridge.core.domain import Domain
from landbridge.core.errors import DataError, UsageError
from landbridge.core.examples import Blob, Sound
from landbridge.core.model import Example
from landbridge.reading.cells import Records
from landbridge.reading.columns import media_of, profiles
from landbridge.reading.gaps import without_gaps
from landbridge.reading.material import Material
from landbridge.reading.options import Options
from landbridge.reading.read import domain_from

_KINDS = {
    "number": "number",
    "integer": "number",
    "truth": "category",
    "category": "category",
    "path": "category",
    "date": "date",
    "text": "text",
}


@dataclass(frozen=True, kw_only=True)
class Held:
    """Examples in memory: their modality, one cell each, and what is needed to read more of them alike."""

    modality: str
    cells: Sequence[Any]
    reading: Mapping[str, Any]

    def examples(self) -> list[Example]:
        """All of them, decoded."""
        modality: Modality = registry.find("modalities", self.modality)()
        return [modality.decode(cell) for cell in self.cells]


def held(X: Any, modality: str | None = None, reading: Mapping[str, Any] | None = None) -> Held:
    """Cells of X: a data frame, a 2-D array or rows as mappings (table), texts, pictures, sounds or their paths, a 3-D
    array or arrays (series), a 4-D array (pictures). `reading` of earlier data keeps the kinds of its columns.
    """
    kind = modality or _modality(X)
    if kind == "table":
        return _table(X, reading)
    items: list[Any] = list(X)
    if kind in ("image", "audio"):
        items = [Blob(Path(i)) if isinstance(i, (str, Path)) else i for i in items]
    return Held(modality=kind, cells=items, reading={"modality": kind, "input": None, "target": None})


def domain_of(
    X: Any,
    y: Sequence[Any],
    *,
    modality: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    name: str = "arrays",
    split: bool = True,
) -> Domain:
    """A domain of X and labels y, scanned, checked and split like one from files.

    With `split=False` there are no folds and no checks: all rows are there to learn from.
    Raises DataError or UsageError.
    """
    found = held(X, modality)
    labels = [v.item() if isinstance(v, np.generic) else v for v in y]
    if len(labels) != len(found.cells):
        raise UsageError(f"X has {len(found.cells)} examples, y has {len(labels)} labels; give one label for each")
    if split:
        material = Material(
            name=name,
            modality=found.modality,
            cells=found.cells,
            names=[f"row {i}" for i in range(1, len(labels) + 1)],
            labels=labels,
            label_kind=_label_kind(labels),
            groups=None if groups is None else np.array([str(g) for g in groups], dtype=object),
            asked_group=groups is not None,
            reading=found.reading,
        )
        return domain_from(without_gaps(material), Options(task=task, metric=metric, seed=seed))
    chosen: Task = registry.find("tasks", task or "classify").from_labels(labels, metric)
    return Domain(
        name=name,
        modality=registry.find("modalities", found.modality)(),
        task=chosen,
        cells=found.cells,
        targets=chosen.encode(labels),
        folds=(),
        fingerprint=f"{name} of {len(labels)}",
        groups=None if groups is None else np.asarray(groups),
        reading=found.reading,
    )


def _modality(X: Any) -> str:
    if isinstance(X, pd.DataFrame):
        return "table"
    if isinstance(X, np.ndarray) and X.ndim > 1:
        if X.ndim > 4:
            raise UsageError(f"X has {X.ndim} dimensions; give 2 (table), 3 (series) or 4 (pictures)")
        return {2: "table", 3: "series", 4: "image"}[X.ndim]
    first = next(iter(X), None)
    match first:
        case Mapping():
            return "table"
        case Image.Image():
            return "image"
        case Sound():
            return "audio"
        case np.ndarray():
            return "image" if first.dtype == np.uint8 and first.ndim == 3 else "series"
        case Path():
            return media_of(first.name) or "text"
        case str():
            return (media_of(first) if len(first) < 1000 and Path(first).is_file() else None) or "text"
        case list() | tuple():
            return "table"
        case _:
            raise UsageError(
                f"X holds {type(first).__name__}; give a table, texts, pictures, sounds, series or paths of them"
            )


def _table(X: Any, reading: Mapping[str, Any] | None) -> Held:
    if isinstance(X, pd.DataFrame):
        frame = X.reset_index(drop=True)
    elif isinstance(X, np.ndarray):
        frame = pd.DataFrame(X)
    else:
        frame = pd.DataFrame(list(X))
    frame = frame.rename(columns={c: c if isinstance(c, str) else f"x{c}" for c in frame.columns})
    table = _arrow(frame)
    if reading is None:
        found = profiles(table)
        odd = [n for n, p in found.items() if p.kind not in _KINDS]
        if odd:
            raise DataError(f"column '{odd[0]}' holds {found[odd[0]].kind}; a table has numbers, texts and dates")
        dates = {n: p.order for n, p in found.items() if p.kind == "date"}
        kinds = {n: _KINDS[p.kind] for n, p in found.items()}
        reading = {"modality": "table", "input": None, "target": None, "columns": kinds, "dates": dates}
    for name in reading["columns"]:
        if name not in table.column_names:
            raise DataError(f"the column '{name}' that the model reads is missing; give the columns of training")
    return Held(modality="table", cells=Records(table, reading["columns"], reading["dates"]), reading=reading)


def _arrow(frame: pd.DataFrame) -> pa.Table:
    """An Arrow table whose texts are plain strings; DataError for a column of mixed kinds."""
    columns: dict[str, pa.Array] = {}
    for name, values in frame.items():
        try:
            array = pa.Array.from_pandas(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"column '{name}' mixes kinds of values ({reason}); make them alike") from error
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        kind = array.type
        worded = pa.types.is_dictionary(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
        columns[str(name)] = array.cast(pa.string()) if worded else array
    return pa.table(columns)


def _label_kind(labels: Sequence[Any]) -> str:
    known = [v for v in labels if v is not None]
    for kind, word in ((bool, "truth"), (int, "integer"), ((int, float), "real"), ((list, tuple, set), "list")):
        if known and all(isinstance(v, kind) for v in known):
            return word
    return "text"
