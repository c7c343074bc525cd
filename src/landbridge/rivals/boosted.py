"""Gradient-boosted trees, with a forest and a linear model beside them on small data: the control for tables."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit, softmax

from landbridge.core import seeds
from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.model import Example
from landbridge.core.parts import part, whole
from landbridge.rivals.columns import Columns
from landbridge.rivals.inner import Goal, Link, folds, time_left
from landbridge.rivals.linear import Linear, fit_dense
from landbridge.rivals.members import GRID, Boost, expanded, fit_boost, fit_forest, forest_output, staged
from landbridge.rivals.trees import Trees

_CHUNK = 4096  # rows predicted at a time
_SMALL, _MIDDLE = 1_000, 6_000  # rows: five folds below the first, three below the second, one fifth held out above


@dataclass(frozen=True)
class Blend:
    """Columns and the members whose predictions are averaged; a member that did not serve is None."""

    task: Task
    link: Link
    columns: Columns
    boost: Boost | None
    forest: Trees | None
    linear: Linear | None

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32."""
        stream = iter(examples)
        parts: list[np.ndarray] = [np.zeros((0, self.task.outputs), np.float32)]
        while chunk := list(itertools.islice(stream, _CHUNK)):
            parts.append(self._output(self.columns.matrix(chunk)))
        return np.concatenate(parts)

    def _output(self, features: np.ndarray) -> np.ndarray:
        outputs: list[np.ndarray] = []
        if self.boost is not None:
            outputs.append(self.boost.output(features))
        if self.forest is not None:
            outputs.append(forest_output(self.forest, features, self.link))
        if self.linear is not None:
            outputs.append(self.linear.output(expanded(features, self.columns)))
        return blended(outputs, self.link)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Columns and members as JSON and arrays."""
        facts, arrays = self.columns.state()
        facts = {"columns": facts, "members": []}
        if self.boost is not None:
            facts["members"].append("boost")
            arrays |= self.boost.arrays()
        if self.forest is not None:
            facts["members"].append("forest")
            arrays |= self.forest.arrays("forest")
        if self.linear is not None:
            facts["members"].append("linear")
            arrays |= {f"linear.{name}": array for name, array in self.linear.arrays().items()}
        return facts, arrays


@part("boosted", paper="Friedman 2001; Ke et al. 2017 (histograms); Geurts et al. 2006 (extra trees)")
class Boosted:
    """Histogram gradient boosting; up to 6000 rows also extremely randomised trees and logistic or ridge regression.

    Length, rate, leaves and penalty of the boosting, and which members are averaged, are chosen on inner folds.
    """

    modalities: ClassVar[tuple[str, ...]] = ("table",)
    settings: int = whole(4, 1, len(GRID), help="settings of the boosting that are tried")

    def fit(self, domain: Domain, rows: np.ndarray, seed: int, deadline: float | None = None) -> Blend:
        """Settings are tried in turn while time is left; the first always is."""
        examples = list(domain.examples(rows))
        columns = Columns.fit(examples, domain.reading.get("columns", {}), seeds.stream(seed, "columns"))
        features = columns.matrix(examples)
        goal = Goal.of(domain.task, domain.targets[rows])
        count = 5 if len(rows) < _SMALL or len(rows) >= _MIDDLE else 3
        inner = folds(domain, rows, count, seed)
        inner = inner[:1] if len(rows) >= _MIDDLE else inner
        held = np.concatenate([h for _, h in inner]) if inner else np.arange(0)
        order = list(GRID if len(rows) >= _SMALL else GRID[::-1])[: self.settings]
        setting, length, outputs = _search(features, columns, goal, inner, order, deadline)
        members = {"boost": outputs}
        linear: Linear | None = None
        if inner and len(rows) < _MIDDLE and time_left(deadline) > 10.0:
            wide = expanded(features, columns)
            linear, held_out = fit_dense(wide, goal, inner, deadline)
            members["linear"] = held_out[held]
            fits = [(fit_forest(features[f], goal.take(f), seed), h) for f, h in inner]
            members["forest"] = np.concatenate([forest_output(t, features[h], goal.link) for t, h in fits])
        chosen = best_blend(members, goal.take(held)) if inner else ("boost",)
        return Blend(
            domain.task,
            goal.link,
            columns,
            fit_boost(features, columns.categorical, goal, setting, length) if "boost" in chosen else None,
            fit_forest(features, goal, seed) if "forest" in chosen else None,
            linear if "linear" in chosen else None,
        )

    def rebuild(self, task: Task, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Blend:
        """The predictor that `state` wrote."""
        link: Link = "identity" if task.part_name == "regress" else "sigmoid"
        link = "softmax" if task.part_name == "classify" else link
        members = facts["members"]
        linear = {name.removeprefix("linear."): a for name, a in arrays.items() if name.startswith("linear.")}
        return Blend(
            task,
            link,
            Columns.from_state(facts["columns"], arrays),
            Boost.from_arrays(arrays) if "boost" in members else None,
            Trees.from_arrays(arrays, "forest") if "forest" in members else None,
            Linear.from_arrays(linear) if "linear" in members else None,
        )


def _search(
    features: np.ndarray,
    columns: Columns,
    goal: Goal,
    inner: Sequence[tuple[np.ndarray, np.ndarray]],
    order: Sequence[tuple[float, int, int, float]],
    deadline: float | None,
) -> tuple[tuple[float, int, int, float], int, np.ndarray]:
    """The best setting, its number of iterations (least held-out loss), and its held-out outputs."""
    best: tuple[float, tuple[float, int, int, float], int, np.ndarray] | None = None
    if not inner:
        return order[0], 50, np.zeros((0, goal.matrix.shape[1]), np.float32)
    truth = goal.take(np.concatenate([h for _, h in inner]))
    for setting in order:
        began = time.monotonic()
        lengths, curves = staged(features, columns.categorical, goal, inner, setting)
        losses = [truth.loss(output) for output in curves]
        at = int(np.argmin(losses))
        worth = truth.worth(curves[at])
        if best is None or worth > best[0]:
            best = (worth, setting, lengths[at], curves[at])
        if time_left(deadline) < 3.0 * (time.monotonic() - began) + 1.0:
            break
    assert best is not None
    return best[1:]


def best_blend(members: Mapping[str, np.ndarray], truth: Goal) -> tuple[str, ...]:
    """The members whose mean has the highest held-out worth; fewer win a tie."""
    sets = [s for size in range(1, len(members) + 1) for s in itertools.combinations(members, size)]
    return max(sets, key=lambda chosen: truth.worth(blended([members[m] for m in chosen], truth.link)))


def blended(outputs: Sequence[np.ndarray], link: Link) -> np.ndarray:
    """The output whose prediction is the mean of the members' predictions, NxC float32."""
    if len(outputs) == 1:
        return outputs[0].astype(np.float32)
    if link == "identity":
        return np.mean(outputs, axis=0).astype(np.float32)
    if link == "sigmoid":
        return logit(np.clip(np.mean([expit(o) for o in outputs], axis=0), 1e-6, 1 - 1e-6)).astype(np.float32)
    shares = np.mean([softmax(o, axis=1) for o in outputs], axis=0)
    return np.log(np.maximum(shares, 1e-7)).astype(np.float32)
