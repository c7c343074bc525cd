"""Words and letters, counted: the control for text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer

from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.model import Example
from landbridge.core.parts import part, whole
from landbridge.rivals.inner import Goal, folds, time_left
from landbridge.rivals.linear import logit_factor
from landbridge.rivals.sparse import fit_sparse, output_of

_KINDS: dict[str, dict[str, Any]] = {
    "word": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "letter": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}
_SVM, _RIDGE = (0.1, 0.3, 1.0, 3.0), (0.1, 0.3, 1.0, 3.0, 10.0)
_LONGEST = 20_000  # characters; what follows in a very long text changes its counts little
_MOST_LETTERS = 20_000_000  # in all training texts, above which letters are not counted: minutes for a small gain


@dataclass(frozen=True)
class Counter:
    """Sublinear TF-IDF rows of length 1: (1 + ln tf) * (1 + ln((1 + n) / (1 + df))), terms of one kind."""

    kind: str
    terms: tuple[str, ...]
    idf: np.ndarray  # D
    vectoriser: CountVectorizer = field(compare=False)

    @classmethod
    def of(cls, kind: str, terms: Sequence[str], idf: np.ndarray) -> Counter:
        """A counter of known terms."""
        vocabulary = {term: column for column, term in enumerate(terms)}
        return cls(kind, tuple(terms), idf, CountVectorizer(vocabulary=vocabulary, **_KINDS[kind]))

    @classmethod
    def fit(cls, kind: str, texts: Sequence[str], most: int) -> Counter:
        """The `most` terms that occur in the most texts, in two or more of them; ties go by the alphabet."""
        rarest = 2 if len(texts) >= 50 else 1
        free = CountVectorizer(**_KINDS[kind])
        try:
            counts = free.fit_transform(texts)
        except ValueError:  # scikit-learn's way to say that no text holds a term
            return cls.of(kind, ("",), np.ones(1, np.float32))
        found = np.bincount(counts.indices, minlength=counts.shape[1])
        names = free.get_feature_names_out()
        order = np.lexsort((np.arange(len(names)), -found))[:most]
        kept = np.sort(order[found[order] >= rarest]) if (found >= rarest).any() else np.sort(order)
        idf = 1.0 + np.log((1.0 + len(texts)) / (1.0 + found[kept]))
        return cls.of(kind, [str(names[i]) for i in kept], idf.astype(np.float32))

    def rows(self, texts: Sequence[str]) -> csr_matrix:
        """NxD float32."""
        counts = csr_matrix(self.vectoriser.transform(texts), dtype=np.float32)
        counts.data = (1.0 + np.log(counts.data)) * self.idf[counts.indices]
        length = np.sqrt(np.asarray(counts.multiply(counts).sum(1)).ravel())
        counts.data /= np.repeat(np.maximum(length, 1e-12), np.diff(counts.indptr)).astype(np.float32)
        return counts


@dataclass(frozen=True)
class Counted:
    """TF-IDF of one or two kinds, side by side, and a linear model: the fitted control."""

    counters: tuple[Counter, ...]
    weight: np.ndarray  # Cx(D+1), bias last

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32."""
        texts = [text[:_LONGEST] for text in examples]
        if not texts:
            return np.zeros((0, len(self.weight)), np.float32)
        return output_of(side_by_side([c.rows(texts) for c in self.counters]), self.weight)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Terms as JSON, numbers as arrays."""
        facts = {"counters": [{"kind": c.kind, "terms": list(c.terms)} for c in self.counters]}
        return facts, {"weight": self.weight, **{f"idf.{c.kind}": c.idf for c in self.counters}}


@part("tfidf", paper="Joachims 1998; Fan et al. 2008 (LIBLINEAR)")
class TfIdf:
    """Linear model over TF-IDF of words and word pairs, and of letter runs of 2 to 5 where that is better."""

    modalities: ClassVar[tuple[str, ...]] = ("text",)
    terms: int = whole(50_000, 100, 1_000_000, log=True, help="most terms of each kind")

    def fit(self, domain: Domain, rows: np.ndarray, seed: int, deadline: float | None = None) -> Counted:
        """Penalty and kinds of terms are chosen on held-out training rows; words come first, letters if time is left.

        From 2000 rows on one fifth is held out once, below that three folds are.
        """
        texts = [text[:_LONGEST] for text in domain.examples(rows)]
        goal = Goal.of(domain.task, domain.targets[rows])
        inner = folds(domain, rows, 5 if len(rows) >= 2000 else 3, seed)
        inner = inner[:1] if len(rows) >= 2000 else inner
        began = time.monotonic()
        words = Counter.fit("word", texts, self.terms)
        chosen: tuple[Counter, ...] = (words,)
        features = words.rows(texts)
        path = _RIDGE if goal.link == "identity" else _SVM
        worth, strength, factor = choose(features, goal, inner, path, seed, deadline)
        cost = time.monotonic() - began
        if sum(map(len, texts)) <= _MOST_LETTERS and time_left(deadline) > 12.0 * cost:
            letters = Counter.fit("letter", texts, self.terms)
            both = side_by_side([features, letters.rows(texts)])
            near = path[path.index(strength) :][: 2 if len(inner) > 1 else 1]  # letters want about what words want
            other = choose(both, goal, inner, near, seed, deadline)
            if other[0] > worth:
                chosen, features, (worth, strength, factor) = (words, letters), both, other
        weight = fit_sparse(features, goal, strength, seed)
        return Counted(chosen, (weight * np.float32(factor)).astype(np.float32))

    def rebuild(self, task: Task, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Counted:
        """The predictor that `state` wrote."""
        counters = [Counter.of(c["kind"], c["terms"], arrays[f"idf.{c['kind']}"]) for c in facts["counters"]]
        return Counted(tuple(counters), np.asarray(arrays["weight"], np.float32))


def side_by_side(blocks: Sequence[csr_matrix]) -> csr_matrix:
    """Blocks of columns as one matrix whose rows have length 1 again."""
    if len(blocks) == 1:
        return blocks[0]
    return csr_matrix(hstack(blocks)) * np.float32(len(blocks) ** -0.5)


def choose(
    features: csr_matrix,
    goal: Goal,
    inner: Sequence[tuple[np.ndarray, np.ndarray]],
    path: Sequence[float],
    seed: int,
    deadline: float | None,
) -> tuple[float, float, float]:
    """Held-out worth, the strength that reached it, and the factor from values to logits."""
    if not inner:
        return 0.0, 1.0, 1.0
    held = np.concatenate([h for _, h in inner])
    truth = goal.take(held)
    best: tuple[float, float, float] | None = None
    for strength in path:
        began = time.monotonic()
        weights = [fit_sparse(features[f], goal.take(f), strength, seed) for f, _ in inner]
        values = np.concatenate([output_of(features[h], w) for (_, h), w in zip(inner, weights, strict=True)])
        factor = logit_factor(values, truth)
        worth = truth.worth((values * np.float32(factor)).astype(np.float32))
        if best is not None and worth < best[0]:
            break  # along the path of penalties the held-out worth has one top
        best = (worth, strength, factor)
        if time_left(deadline) < 4.0 * (time.monotonic() - began):
            break
    assert best is not None
    return best
