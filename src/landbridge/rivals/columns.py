"""Table rows to numbers: what trees and linear models read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from landbridge.nn.cell_values import DATE_PARTS, category, date_parts, frequent, guess, number
from landbridge.rivals.tfidf import Counter

Row = Mapping[str, Any]
TEXT_TERMS, TEXT_WIDTH = 5_000, 16


@dataclass(frozen=True)
class Columns:
    """How each column becomes numbers, learnt from training rows. Categories come first, as scikit-learn orders them.

    A category is its place among the training categories by frequency; a new one is missing. A date is days since
    1970 with its year, month, day, weekday and hour. A text is 16 leading directions of its TF-IDF (latent semantic
    analysis, Deerwester et al. 1990). A missing or unreadable value is NaN.
    """

    categories: dict[str, list[str]]
    numbers: list[str]
    dates: list[str]
    texts: dict[str, tuple[Counter, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def fit(cls, rows: Sequence[Row], kinds: Mapping[str, str], seed: int) -> Columns:
        """Learn from rows; `kinds` maps columns to number, category, date or text, those not named are guessed."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        sorted_out: dict[str, list[str]] = {"number": [], "category": [], "date": [], "text": []}
        for name in names:
            kind = kinds.get(name) or guess([row.get(name) for row in rows])
            sorted_out[kind if kind in sorted_out else "category"].append(name)
        categories = {name: frequent([row.get(name) for row in rows]) for name in sorted_out["category"]}
        texts = {name: _directions([_text(row.get(name)) for row in rows], seed) for name in sorted_out["text"]}
        return cls(categories, sorted_out["number"], sorted_out["date"], texts)

    @property
    def categorical(self) -> np.ndarray:
        """Which of the F features are categories."""
        width = len(self.numbers) + len(DATE_PARTS) * len(self.dates)
        width += sum(axes.shape[1] for _, axes in self.texts.values())
        return np.arange(len(self.categories) + width) < len(self.categories)

    def matrix(self, rows: Sequence[Row]) -> np.ndarray:
        """NxF float64."""
        parts: list[np.ndarray] = [np.zeros((len(rows), 0))]
        for name, known in self.categories.items():
            code = {value: float(place) for place, value in enumerate(known)}
            parts.append(np.array([code.get(category(row.get(name)), math.nan) for row in rows])[:, None])
        for name in self.numbers:
            parts.append(np.array([number(row.get(name)) for row in rows])[:, None])
        for name in self.dates:
            parts.append(np.array([date_parts(row.get(name)) for row in rows]).reshape(len(rows), len(DATE_PARTS)))
        for name, (counter, axes) in self.texts.items():
            parts.append(np.asarray(counter.rows([_text(row.get(name)) for row in rows]) @ axes, np.float64))
        return np.concatenate(parts, axis=1)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """JSON and arrays."""
        texts = {name: list(counter.terms) for name, (counter, _) in self.texts.items()}
        facts = {"categories": self.categories, "numbers": self.numbers, "dates": self.dates, "texts": texts}
        arrays: dict[str, np.ndarray] = {}
        for place, (counter, axes) in enumerate(self.texts.values()):
            arrays |= {f"text{place}.idf": counter.idf, f"text{place}.axes": axes}
        return facts, arrays

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Columns:
        """What `state` wrote."""
        texts = {
            name: (Counter.of("word", terms, arrays[f"text{place}.idf"]), np.asarray(arrays[f"text{place}.axes"]))
            for place, (name, terms) in enumerate(facts["texts"].items())
        }
        return cls(dict(facts["categories"]), list(facts["numbers"]), list(facts["dates"]), texts)


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)[:5_000]


def _directions(texts: Sequence[str], seed: int) -> tuple[Counter, np.ndarray]:
    """A counter and the axes DxW of its leading directions, by subspace iteration (Halko et al. 2011, alg. 4.4)."""
    counter = Counter.fit("word", texts, TEXT_TERMS)
    counts = counter.rows(texts)
    width = min(TEXT_WIDTH, *counts.shape)
    basis = np.random.default_rng(seed).standard_normal((counts.shape[1], width))
    for _ in range(6):
        basis = np.linalg.qr(counts.T @ (counts @ basis))[0]
    return counter, basis.astype(np.float32)
