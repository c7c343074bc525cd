"""Rows without a label or without an input: few are set aside and said, many are an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.reading.cells import Chosen, Column, Lists
from landbridge.reading.material import Material, check

MOST = 0.2  # share of rows that may be set aside


def without_gaps(material: Material) -> Material:
    """The material without rows that lack a label or an input."""
    labels = material.labels
    if labels is None:
        raise DataError(f"{material.name}: there are no labels; name the target column with --target")
    missing = np.fromiter((v is None for v in labels), dtype=bool, count=len(labels))
    if missing.all():
        column = material.reading.get("target")
        named = f"the target column '{column}' is empty" if column else "no row has a label"
        raise DataError(f"{material.name}: {named}; fill it in or name another with --target")
    if material.split is not None:
        test = material.split == "test"
        if test.any() and missing[test].all():
            note = Assumption(
                what=f"{int(test.sum())} test rows are not used", because="they have no labels", option="--test FILE"
            )
            material = material.take(np.flatnonzero(~test)).noting(note)
            missing = missing[~test]
    material = _set_aside(material, missing, "label", f"column '{material.reading.get('target') or 'label'}'")
    return _set_aside(material, _no_input(material), "input", f"column '{material.reading.get('input')}'")


def _no_input(material: Material) -> np.ndarray:
    base = material.cells.base if isinstance(material.cells, Chosen) else material.cells
    if not isinstance(base, (Column, Lists)):
        return np.zeros(len(material), dtype=bool)
    return np.fromiter((_empty(c) for c in material.cells), dtype=bool, count=len(material))


def _empty(cell: Any) -> bool:
    if isinstance(cell, np.ndarray):
        return cell.size == 0
    if isinstance(cell, dict):
        return not cell.get("bytes") and not cell.get("path")
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _set_aside(material: Material, missing: np.ndarray, what: str, where: str) -> Material:
    found = int(missing.sum())
    if not found:
        return material
    first = _shown(material.names, missing)
    if found >= MOST * len(missing):
        raise DataError(
            f"{material.name}: {found} of {len(missing)} rows have no {what} ({where}; first: {first[0]}); "
            "fill them in or remove them"
        )
    note = Assumption(
        what=f"{found} rows without {what} are set aside", because=f"{where} is empty there", option="fill them in"
    )
    detail = f"set aside: {', '.join(first)}"
    return material.take(np.flatnonzero(~missing)).noting(note, check(f"rows without {what}", found, detail))


def _shown(names: Sequence[str], chosen: np.ndarray) -> list[str]:
    return [str(names[int(i)]) for i in np.flatnonzero(chosen)[:5]]
