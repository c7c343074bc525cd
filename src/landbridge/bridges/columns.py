"""A table's row becomes one cell of numbers for each column, so that a source that learns in context can read it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from landbridge.bridges.rerouted import rerouted
from landbridge.core.batch import Inputs
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.nn.cell_values import DATE_PARTS, category, date_parts, frequent, guess, number
from landbridge.nn.cells import SPAN, UNIT, stacked, whole
from landbridge.nn.table_net import CHANNELS

LOOKED_AT = 5000  # training rows from which the scales are learnt
KNOTS = 129  # at most, between which a rank is read off
MOST = 64  # columns

Fact = Mapping[str, Any]


@dataclass(frozen=True)
class ColumnsPrepare:
    """A row as FxK whole numbers: rank among the training rows, distance from their middle, missing, category.

    A category is its place by frequency; one that was not there in training is missing, as is a text that should be a
    number.
    """

    columns: tuple[Fact, ...]

    def __call__(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The cells of one row."""
        return {"cells": whole(np.array([_cell(fact, example) for fact in self.columns], np.float64))}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """BxFxK."""
        return stacked(rows)

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {"kind": "columns", "columns": [dict(fact) for fact in self.columns], "unit": UNIT}


@part("columns", paper="Hollmann et al. 2023 (TabPFN), arXiv:2207.01848")
class Columns:
    """Columns of numbers, categories and dates as scaled cells, for a source that learns in context.

    Texts are left out. A column that says the same in each training row is left out as well.
    """

    routes: ClassVar[tuple[tuple[str, str], ...]] = (("table", "columns"),)

    def fit(self, body: Body, domain: Domain, rows: np.ndarray) -> dict[str, Any]:
        """The scale of each column, from training rows; labels are not looked at. UsageError without any column."""
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
        seen, kinds = list(domain.examples(chosen)), domain.reading.get("columns") or {}
        found: list[dict[str, Any]] = []
        left_out: list[str] = []
        for name in dict.fromkeys(name for row in seen for name in row):
            kind = kinds.get(name) or guess([row.get(name) for row in seen])
            made = [] if kind == "text" else list(_facts(name, kind, seen))
            found += made
            left_out += [] if made else [name]
        if not found:
            told = f"columns: none of {len(left_out)} columns holds numbers, categories or dates that differ"
            raise UsageError(f"{told}; use the bridge describe")
        if len(found) > MOST:
            raise UsageError(f"columns: {len(found)} columns, at most {MOST} are read; use fewer or another source")
        return {"columns": found, "left_out": left_out}

    def connect(self, body: Body, facts: Mapping[str, Any]) -> Body:
        """The body, reading rows; its features are as wide as there are cells."""
        if body.reads != "columns":
            raise UsageError(f"columns: needs a source that reads columns, {body.address} reads {body.reads}")
        columns = tuple(facts["columns"])
        joined = rerouted(body, reads="table", prepare=ColumnsPrepare(columns), views=None)
        joined.width = CHANNELS * len(columns)
        return joined


def _facts(name: str, kind: str, seen: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What is learnt of a column, one entry for each cell that it makes."""
    base: dict[str, Any] = {"name": name, "kind": "category" if kind not in ("number", "date") else kind}
    entries = [{**base, "part": place} for place in range(len(DATE_PARTS))] if kind == "date" else [base]
    if base["kind"] == "category":
        entries = [
            {**base, "values": {value: place for place, value in enumerate(frequent([r.get(name) for r in seen]))}}
        ]
    for entry in entries:
        values = np.array([_number(entry, row) for row in seen], np.float64)
        there = np.isfinite(values)
        if len(np.unique(values[there])) + (not there.all()) > 1:
            yield {**entry, **_scale(values[there])}


def _scale(values: np.ndarray) -> dict[str, Any]:
    """Knots with the middle rank of each, and middle and spread of the values between their outer hundredths."""
    if not len(values):
        return {"knots": [0.0], "ranks": [0.0], "middle": 0.0, "spread": 1.0}
    ordered = np.sort(values)
    knots = np.unique(ordered)
    if len(knots) > KNOTS:
        knots = np.unique(np.quantile(ordered, np.linspace(0, 1, KNOTS)))
    both = [np.searchsorted(ordered, knots, side) for side in ("left", "right")]
    ranks = SPAN * ((both[0] + both[1]) / len(ordered) - 1.0)
    cut = np.clip(ordered, *np.quantile(ordered, (0.01, 0.99)))
    spread = float(cut.std()) or float(ordered.std()) or 1.0
    return {"knots": knots.tolist(), "ranks": ranks.tolist(), "middle": float(cut.mean()), "spread": spread}


def _cell(fact: Fact, row: Mapping[str, Any]) -> tuple[float, ...]:
    """Rank, distance, missing and category of one column of a row."""
    value, is_category = _number(fact, row), float(fact["kind"] == "category")
    if math.isnan(value):
        return 0.0, 0.0, 1.0, is_category
    return _rank(value, fact["knots"], fact["ranks"]), (value - fact["middle"]) / fact["spread"], 0.0, is_category


def _rank(value: float, knots: Sequence[float], ranks: Sequence[float]) -> float:
    """Linear between knots, flat beyond them."""
    above = bisect_right(knots, value)
    if above in (0, len(knots)):
        return ranks[min(above, len(knots) - 1)]
    low, high = knots[above - 1], knots[above]
    return ranks[above - 1] + (ranks[above] - ranks[above - 1]) * (value - low) / (high - low)


def _number(fact: Fact, row: Mapping[str, Any]) -> float:
    """The number that a column of a row stands for, NaN where it is missing."""
    value = row.get(fact["name"])
    if fact["kind"] == "category":
        return float(fact["values"].get(category(value), math.nan))
    return date_parts(value)[fact["part"]] if fact["kind"] == "date" else number(value)
