"""Predictions on the way out: strict JSON, inert CSV, quiet tables, streamed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest

from landbridge.delivery.predict import CHUNK, Prediction, csv_lines, guarded, json_lines, printable, table_lines

FORMULA = "=cmd|' /C calc'!A0"


def some(count: int, pulled: list[int] | None = None) -> Iterator[Prediction]:
    """Predictions whose classes and files are called what a spreadsheet or a terminal would act on."""
    for number in range(count):
        if pulled is not None:
            pulled.append(number)
        yield {
            "input": f'@sum,"{number}"\n\x1b[31m.png',
            "label": FORMULA,
            "probabilities": {FORMULA: 0.75, "-2": 0.25, "<script>": 1e-9},
        }


def test_json_lines_hold_one_object_each_and_round_trip() -> None:
    lines = list(json_lines(some(3)))
    assert [json.loads(line) for line in lines] == list(some(3))
    assert all(line.count("\n") == 1 for line in lines)


def test_csv_round_trips_and_holds_no_formula() -> None:
    rows = list(csv.reader(io.StringIO("".join(csv_lines(some(2))))))
    assert rows[0] == ["input", "label", f"p({FORMULA})", "p(-2)", "p(<script>)"]
    assert [len(r) for r in rows] == [5, 5, 5]
    for row in rows:
        assert not [cell for cell in row if cell[:1] in ("=", "+", "@", "\t", "\r")]
    assert rows[1][1] == "'" + FORMULA and float(rows[1][4]) == 1e-9


@pytest.mark.parametrize(
    "cell, wanted",
    [
        ("=1+1", "'=1+1"),
        ("-2", "-2"),
        ("-2+3", "'-2+3"),
        ("+1e-5", "+1e-5"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("a=b", "a=b"),
    ],
)
def test_only_what_a_spreadsheet_would_run_is_guarded(cell: str, wanted: str) -> None:
    assert guarded(cell) == wanted


def test_the_table_is_aligned_and_sends_nothing_to_the_terminal() -> None:
    lines = list(table_lines(some(2)))
    assert len(lines) == 3 and all(line.endswith("\n") and line[:-1].isprintable() for line in lines)
    column = lines[0].index("label")
    assert all(line[column:].startswith(FORMULA) for line in lines[1:])
    assert "0.750" in lines[1]
    assert printable("a\x07b") == "a\\x07b"


def test_numbers_and_label_sets_are_written_plainly() -> None:
    values: list[Prediction] = [
        {"input": "a", "label": -3.25, "probabilities": {}},
        {"input": "b", "label": 1e9, "probabilities": {}},
    ]
    assert "".join(csv_lines(values)) == "input,label\na,-3.25\nb,1e+09\n"
    sets: list[Prediction] = [{"input": "a", "label": ["x", "y"], "probabilities": {"x": 0.9, "y": 0.8}}]
    assert "".join(csv_lines(sets)) == "input,label,p(x),p(y)\na,x|y,0.9,0.8\n"


@pytest.mark.parametrize("writer", [json_lines, csv_lines, table_lines])
def test_writers_stream(writer: object) -> None:
    assert callable(writer)
    pulled: list[int] = []
    lines = writer(some(5000, pulled))
    next(lines)
    assert len(pulled) <= CHUNK + 1
    assert sum(1 for _ in lines) >= 4998
    assert list(writer([])) in ([], ["input,label\n"])
