"""Rows of a table reach a source that learns in context as scaled cells."""

from __future__ import annotations

import json

import numpy as np
import pytest
from data_domains import domain

from landbridge.bridges.columns import KNOTS, MOST, Columns
from landbridge.core.errors import UsageError
from landbridge.nn.cells import FAR, SPAN, UNIT
from landbridge.testing import toy_body

ROWS = [
    {
        "age": float(i),
        "job": ("cook", "clerk", "clerk")[i % 3],
        "day": f"2024-0{1 + i % 9}-03",
        "same": 1.0,
        "note": "a b",
    }
    for i in range(9)
]
READING = {"columns": {"age": "number", "job": "category", "day": "date", "same": "number", "note": "text"}}


def _cells(rows, example, reading=None):
    body, table = toy_body("columns"), domain("table", rows, reading)
    facts = json.loads(json.dumps(Columns().fit(body, table, np.arange(len(rows)))))
    joined = Columns().connect(body, facts)
    cells = joined.prepare(example)["cells"]
    assert joined.width == cells.size and joined.reads == "table"
    return facts, cells / UNIT


def test_cells_are_middle_ranks_and_distances_worked_out_by_hand():
    facts, cells = _cells(ROWS, {**ROWS[4], "job": "cook"}, READING)
    assert facts["left_out"] == ["same", "note"]
    assert [(f["name"], f["kind"]) for f in facts["columns"]] == [
        ("age", "number"), ("job", "category"), ("day", "date"), ("day", "date"), ("day", "date"),
    ]  # days, month and weekday differ; year, day and hour do not  # fmt: skip
    np.testing.assert_allclose(cells[0], (0.0, 0.0, 0.0, 0.0), atol=1e-3)  # the middle of nine
    # cook is the rarer of two: its three rows are the last of nine, middle rank 7.5 of 9
    assert cells[1][0] == pytest.approx(SPAN * (2 * 7.5 / 9 - 1), abs=1e-3) and cells[1][3] == 1.0


def test_what_is_missing_or_new_or_far_off_is_known_for_it():
    _, cells = _cells(ROWS, {"age": 1e9, "job": "pilot", "day": None}, READING)
    assert cells[0].tolist() == pytest.approx([SPAN * 8 / 9, FAR, 0.0, 0.0], abs=1e-3)
    assert cells[1].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert all(c.tolist() == [0.0, 0.0, 1.0, 0.0] for c in cells[2:])


def test_many_values_are_read_between_knots():
    numbers = np.random.default_rng(0).normal(size=2000) ** 3
    facts, _ = _cells([{"x": float(v)} for v in numbers], {"x": 0.0})
    assert len(facts["columns"][0]["knots"]) == KNOTS
    for value in (-1.0, 0.1, 2.5):
        _, cells = _cells([{"x": float(v)} for v in numbers], {"x": value})
        assert cells[0][0] == pytest.approx(SPAN * (2 * (numbers < value).mean() - 1), abs=0.02)


def test_what_cannot_be_read_is_said():
    body = toy_body("columns")
    with pytest.raises(UsageError, match="none of 1 columns holds"):
        Columns().fit(body, domain("table", [{"a": "x"}] * 4, {"columns": {"a": "text"}}), np.arange(4))
    wide = [{f"c{k}": float(i) for k in range(MOST + 1)} for i in range(4)]
    with pytest.raises(UsageError, match=f"{MOST + 1} columns, at most {MOST} are read"):
        Columns().fit(body, domain("table", wide), np.arange(4))
    with pytest.raises(UsageError, match="needs a source that reads columns, toy:text reads text"):
        Columns().connect(toy_body("text"), {"columns": []})
