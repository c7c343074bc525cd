"""A table's row becomes a sentence, so that a text source can read it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from landbridge.bridges.rerouted import rerouted
from landbridge.core.batch import Inputs
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Body, Prepare
from landbridge.core.parts import choice, part
from landbridge.nn.vocabulary import Spells, Vocabulary

LOOKED_AT = 5000  # training rows from which the cut points are learnt
LEVELS = ("very low", "low", "medium", "high", "very high")


@dataclass(frozen=True, kw_only=True)
class DescribePrepare:
    """A row as "age is 39 (high); workclass is State-gov", then as the text source prepares any text.

    `columns` are named in their order; `cuts` holds, for number columns, the quintiles that choose a level's words.
    A missing value is "unknown".
    """

    columns: tuple[str, ...]
    cuts: Mapping[str, tuple[float, ...]]
    inner: Prepare

    def __call__(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """One row, prepared by the text source."""
        return self.inner(self.sentence(example))

    def sentence(self, row: Mapping[str, Any]) -> str:
        """The words for one row."""
        return "; ".join(f"{name.replace('_', ' ')} is {self._value(name, row.get(name))}" for name in self.columns)

    def _value(self, name: str, value: Any) -> str:
        if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
            return "unknown"
        if isinstance(value, str):
            return value
        number = f"{float(value):.4g}" if abs(value) < 1e4 else f"{float(value):.0f}"
        if name not in self.cuts:
            return number
        return f"{LEVELS[bisect_right(self.cuts[name], float(value))]} ({number})"

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """As the text source does."""
        return self.inner.collate(rows)

    @property
    def vocabulary(self) -> Vocabulary:
        """The text source's own."""
        return self.inner.vocabulary if isinstance(self.inner, Spells) else Vocabulary()

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        cuts = {name: list(values) for name, values in self.cuts.items()}
        return {"kind": "describe", "columns": list(self.columns), "cuts": cuts, "inner": self.inner.spec()}


@part("describe", paper="Hegselmann et al. 2023, TabLLM: Few-shot Classification of Tabular Data with LLMs, AISTATS")
class Describe:
    """Rows of a table as sentences for a text source.

    numbers "level" says a number's place among the training rows in words beside its digits, which text encoders
    understand better than digits; "plain" gives the digits alone.
    """

    numbers: str = choice("level", "level", "plain", help="say a number's level in words, or its digits alone")
    routes: ClassVar[tuple[tuple[str, str], ...]] = (("table", "text"),)

    def fit(self, body: Body, domain: Domain, rows: np.ndarray) -> dict[str, Any]:
        """Names of the columns, and quintiles of those that hold numbers."""
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
        seen = list(domain.examples(chosen))
        columns = list(domain.reading.get("columns") or dict.fromkeys(name for row in seen for name in row))
        cuts: dict[str, list[float]] = {}
        for name in columns if self.numbers == "level" else []:
            values = [row.get(name) for row in seen]
            numbers = [float(v) for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
            if len(set(numbers)) > len(LEVELS):
                cuts[name] = [float(q) for q in np.quantile(numbers, (0.2, 0.4, 0.6, 0.8))]
        return {"columns": columns, "cuts": cuts}

    def connect(self, body: Body, facts: Mapping[str, Any]) -> Body:
        """The text body, reading rows; shares its weights."""
        if body.reads != "text":
            raise UsageError(f"describe: needs a text source, {body.address} reads {body.reads}")
        cuts = {name: tuple(values) for name, values in facts["cuts"].items()}
        prepare = DescribePrepare(columns=tuple(facts["columns"]), cuts=cuts, inner=body.prepare)
        return rerouted(body, reads="table", prepare=prepare, views=body.views)
