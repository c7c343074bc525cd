"""Table rows: a mapping of column to number, text or nothing."""

from __future__ import annotations

import datetime
import hashlib
import html
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np

from landbridge.core.errors import DataError
from landbridge.core.parts import part
from landbridge.modalities.media import check_severity

_DIMS = 256
_SHOWN = 24  # columns of a thumbnail


@part("table")
class Table:
    """Rows, decoded to dict of column to float, str or None (missing).

    `near` is the distance of L2-normalised sketches below which two rows count as duplicates: rows that agree in every
    column, numbers to six significant digits, are at 0; one other value is above it for any row of up to 5000 columns.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset()
    corruptions: ClassVar[tuple[str, ...]] = ("missing", "noise")
    near: ClassVar[float] = 0.02

    def decode(self, cell: Any) -> dict[str, float | str | None]:
        """A mapping to a row: numbers become float, dates ISO text, truth values "true" or "false", NaN None.

        Raises DataError naming the column when a number is infinite or a value is of another kind.
        """
        if not isinstance(cell, Mapping):
            raise DataError(f"a table row must map columns to values, got {type(cell).__name__}")
        return {str(column): _value(str(column), value) for column, value in cell.items()}

    def sketch(self, example: Mapping[str, Any]) -> np.ndarray:
        """256 numbers: each column's value adds +-1 at 8 places drawn by a hash of the column and the value."""
        out = np.zeros(_DIMS, np.float32)
        for column, value in example.items():
            if value is None or value != value:
                shown = "?"
            elif isinstance(value, str):
                shown = value.strip()
            else:
                shown = f"{float(value):.6g}"
            key = f"{column}\0{shown}".encode("utf-8", "replace")
            digest = np.frombuffer(hashlib.blake2b(key, digest_size=9).digest(), np.uint8)
            signs = 1.0 - 2.0 * np.unpackbits(digest[8:]).astype(np.float32)
            np.add.at(out, digest[:8].astype(np.int64), signs)
        return out

    def thumbnail(self, example: Mapping[str, Any]) -> str:
        """A small two-column table of the first 24 columns, escaped."""
        rows = [_line(str(column), value) for column, value in list(example.items())[:_SHOWN]]
        more = len(example) - len(rows)
        rest = f'<tr><td colspan="2">and {more} more</td></tr>' if more > 0 else ""
        return f"<table>{''.join(rows)}{rest}</table>"

    def perturb(
        self, example: Mapping[str, Any], kind: str, severity: int, generator: np.random.Generator
    ) -> dict[str, Any]:
        """Values that go missing (5 to 50 per cent), or numbers off by a relative Gaussian error (2 to 40 per cent).

        A zero stays zero under noise: a single row knows no scale of its columns.
        """
        check_severity(kind, severity, self.corruptions)
        out = dict(example)
        for column, value in example.items():
            if kind == "missing":
                if generator.random() < (0.05, 0.1, 0.2, 0.35, 0.5)[severity - 1]:
                    out[column] = None
            elif isinstance(value, float):
                out[column] = value * (1.0 + (0.02, 0.05, 0.1, 0.2, 0.4)[severity - 1] * float(generator.normal()))
        return out


def _value(column: str, value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        number = float(value)
        if math.isinf(number):
            raise DataError(f"column '{column}': the value is infinite; replace it or leave it empty")
        return None if math.isnan(number) else number
    if isinstance(value, (datetime.date, datetime.time)):
        text = value.isoformat()
        return None if text == "NaT" else text
    raise DataError(f"column '{column}': a value of kind {type(value).__name__} is neither number, text nor date")


def _line(column: str, value: Any) -> str:
    if value is None or value != value:
        shown = "–"  # noqa: RUF001
    elif isinstance(value, str):
        shown = value if len(value) <= 60 else value[:60] + "…"
    else:
        shown = f"{float(value):.6g}"
    return f"<tr><th>{html.escape(column[:60])}</th><td>{html.escape(shown)}</td></tr>"
