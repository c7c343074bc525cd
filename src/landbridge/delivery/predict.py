"""Predictions as a table, as JSON lines or as CSV: streamed, and inert whatever a class or a file is called."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypedDict

CHUNK = 512  # inputs held at a time
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_SHOWN = 3  # classes in a row of the table
_WIDEST = 48  # characters of a column


class Prediction(TypedDict):
    """What was asked, the answer, and the calibrated probability of every class (empty for regression)."""

    input: str
    label: Any
    probabilities: dict[str, float]


def json_lines(predictions: Iterable[Prediction]) -> Iterator[str]:
    """One JSON object a line."""
    for prediction in predictions:
        yield json.dumps(prediction, ensure_ascii=False, allow_nan=False) + "\n"


def csv_lines(predictions: Iterable[Prediction]) -> Iterator[str]:
    """RFC 4180 with a header; one column per class. A text that a spreadsheet would run as a formula is quoted."""
    iterator = iter(predictions)
    first = next(iterator, None)
    classes = list(first["probabilities"]) if first else []
    yield _csv_row(["input", "label", *(f"p({c})" for c in classes)])
    if first:
        for prediction in chain([first], iterator):
            shares = prediction["probabilities"]
            yield _csv_row([prediction["input"], _plain(prediction["label"]), *(f"{shares[c]:.6g}" for c in classes)])


def table_lines(predictions: Iterable[Prediction]) -> Iterator[str]:
    """Aligned columns for people: input, label and the most probable classes; widths are set by the first chunk."""
    iterator = iter(predictions)
    head = [_cells(p) for p in islice(iterator, CHUNK)]
    if not head:
        return
    titles = ["input", "label", "probability"]
    widths = [min(_WIDEST, max(len(row[i]) for row in [titles, *head])) for i in range(2)]
    for row in chain([titles], head, map(_cells, iterator)):
        yield f"{_fit(row[0], widths[0])}  {_fit(row[1], widths[1])}  {row[2]}".rstrip() + "\n"


WRITERS: Mapping[str, Callable[[Iterable[Prediction]], Iterator[str]]] = {
    "table": table_lines,
    "json": json_lines,
    "csv": csv_lines,
}


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection): a quote goes before = + - @ tab return."""
    risky = cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(cell)
    return "'" + cell if risky else cell


def printable(text: str) -> str:
    """Text without control characters, so that a file name cannot write to the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _csv_row(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([guarded(c) for c in cells])
    return line.getvalue()


def _plain(label: Any) -> str:
    if isinstance(label, float):
        return f"{label:.6g}"
    return "|".join(map(str, label)) if isinstance(label, (list, tuple)) else str(label)


def _cells(prediction: Prediction) -> list[str]:
    shares = sorted(prediction["probabilities"].items(), key=lambda pair: -pair[1])[:_SHOWN]
    told = "  ".join(f"{printable(name)} {share:.3f}" for name, share in shares)
    return [printable(prediction["input"]), printable(_plain(prediction["label"])), told]


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else "…" + text[len(text) - width + 1 :]
