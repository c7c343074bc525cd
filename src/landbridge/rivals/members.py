"""What the control for tables is made of: boosting, a forest, and the table spread out for a linear model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logit
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from landbridge.rivals.columns import Columns
from landbridge.rivals.inner import Goal, Link
from landbridge.rivals.trees import Trees, of_bagging, of_boosting

Setting = tuple[float, int, int, float]  # learning rate, leaves, least rows of a leaf, L2 penalty
GRID: tuple[Setting, ...] = ((0.1, 31, 20, 0.0), (0.05, 15, 20, 1.0), (0.1, 63, 40, 5.0), (0.1, 6, 10, 1.0))
_STEP = 10  # iterations between looks at the held-out loss
_FOREST = 100  # trees
_ONE_THREAD = 10_000  # rows
_ONE_HOT = 30  # most categories of a column that a linear model tells apart


@dataclass(frozen=True)
class Boost:
    """One boosted ensemble for the task, or one for each label.

    `ends` says where each ensemble's trees end; `starts` its first output; `present` the classes that one knows.
    """

    trees: tuple[Trees, ...]
    starts: tuple[np.ndarray, ...]
    present: np.ndarray  # classes with training rows; empty for labels and values
    outputs: int

    def output(self, features: np.ndarray) -> np.ndarray:
        """output_NC float32: logits, or standardised values."""
        return self._placed([t.total(features, s) for t, s in zip(self.trees, self.starts, strict=True)])

    def shorter(self, iterations: int) -> Boost:
        """The same after fewer iterations."""
        cut = tuple(t.first(iterations * len(s)) for t, s in zip(self.trees, self.starts, strict=True))
        return Boost(cut, self.starts, self.present, self.outputs)

    def curve(self, features: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
        """The outputs after each of the given numbers of iterations."""
        raw: list[list[np.ndarray]] = []
        for trees, start in zip(self.trees, self.starts, strict=True):
            leaf = trees.leaves(features)
            steps = trees.value[leaf, 0].reshape(len(features), -1, len(start))
            sums = np.cumsum(steps, axis=1) + start
            raw.append([sums[:, n - 1] for n in lengths])
        return [self._placed([each[i] for each in raw]) for i in range(len(lengths))]

    def _placed(self, raw: Sequence[np.ndarray]) -> np.ndarray:
        if not len(self.present):
            return np.concatenate(raw, axis=1).astype(np.float32)
        values = raw[0]
        if len(self.present) == 2:  # one logit: half for, half against
            values = np.concatenate([-values / 2.0, values / 2.0], axis=1)
        out = np.repeat(values.min(1, keepdims=True) - 5.0, self.outputs, axis=1)
        out[:, self.present] = values
        return out.astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for an artifact."""
        out = {"boost.present": self.present, "boost.shape": np.array([len(self.trees), self.outputs], np.int64)}
        for place, (trees, start) in enumerate(zip(self.trees, self.starts, strict=True)):
            out |= trees.arrays(f"boost{place}") | {f"boost{place}.start": start}
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Boost:
        """What `arrays` wrote."""
        count, outputs = (int(n) for n in arrays["boost.shape"])
        trees = tuple(Trees.from_arrays(arrays, f"boost{place}") for place in range(count))
        starts = tuple(np.asarray(arrays[f"boost{place}.start"]) for place in range(count))
        return cls(trees, starts, np.asarray(arrays["boost.present"]), outputs)


def fit_boost(features: np.ndarray, categorical: np.ndarray, goal: Goal, setting: Setting, length: int) -> Boost:
    """Boost for exactly `length` iterations; labels get one ensemble each.

    Few rows are cut up by one thread: others would spend their time waiting for each other.
    """
    with threadpool_limits(1 if len(goal) < _ONE_THREAD else None):
        return _boosted(features, categorical, goal, setting, length)


def _boosted(features: np.ndarray, categorical: np.ndarray, goal: Goal, setting: Setting, length: int) -> Boost:
    rate, leaves, least, penalty = setting
    fields = {"learning_rate": rate, "max_leaf_nodes": leaves, "l2_regularization": penalty, "max_iter": length}
    fields |= {"min_samples_leaf": max(1, min(least, len(goal) // 10)), "early_stopping": False, "random_state": 0}
    fields["categorical_features"] = categorical if categorical.any() else None
    outputs = goal.matrix.shape[1]
    if goal.link == "identity":
        model = HistGradientBoostingRegressor(**fields).fit(features, goal.matrix[:, 0])
        trees, start = of_boosting(model)
        return Boost((trees,), (start,), np.zeros(0, np.int64), outputs)
    if goal.link == "softmax":
        present = np.unique(goal.target).astype(np.int64)
        trees, start = _classes(features, goal.target, fields)
        return Boost((trees,), (start,), present, outputs)
    pairs = [_classes(features, goal.matrix[:, label].astype(np.int64), fields) for label in range(outputs)]
    return Boost(tuple(t for t, _ in pairs), tuple(s for _, s in pairs), np.zeros(0, np.int64), outputs)


def _classes(features: np.ndarray, target: np.ndarray, fields: Mapping[str, object]) -> tuple[Trees, np.ndarray]:
    """Trees and start; where there is one class only, trees that add nothing to a sure start."""
    if len(np.unique(target)) > 1:
        return of_boosting(HistGradientBoostingClassifier(**fields).fit(features, target))
    idle = HistGradientBoostingRegressor(**fields).fit(features, np.zeros(len(features)))
    return of_boosting(idle)[0], np.array([10.0 if target[0] else -10.0])


def staged(
    features: np.ndarray,
    categorical: np.ndarray,
    goal: Goal,
    inner: Sequence[tuple[np.ndarray, np.ndarray]],
    setting: Setting,
) -> tuple[list[int], list[np.ndarray]]:
    """Numbers of iterations, and the outputs of all held-out rows after each (in the order of the folds)."""
    most = int(20 / setting[0]) if goal.matrix.shape[1] <= 2 else int(10 / setting[0])
    lengths = list(range(_STEP, most + 1, _STEP))
    curves: list[list[np.ndarray]] = [[] for _ in lengths]
    for fit, held in inner:
        boost = fit_boost(features[fit], categorical, goal.take(fit), setting, most)
        for place, output in enumerate(boost.curve(features[held], lengths)):
            curves[place].append(output)
    return lengths, [np.concatenate(parts) for parts in curves]


def fit_forest(features: np.ndarray, goal: Goal, seed: int) -> Trees:
    """100 extremely randomised trees on one-hot classes, labels or values.

    On one-hot targets the squared error is the Gini impurity, so these are classification trees too.
    """
    few = max(1, int(np.sqrt(features.shape[1])))
    model = ExtraTreesRegressor(_FOREST, max_features=few, min_samples_leaf=1, random_state=seed % 2**32, n_jobs=1)
    return of_bagging(model.fit(features, goal.matrix[:, 0] if goal.matrix.shape[1] == 1 else goal.matrix))


def forest_output(forest: Trees, features: np.ndarray, link: Link) -> np.ndarray:
    """Means of the leaves as output_NC float32; shares of 0 and 1 are drawn in a little."""
    mean = forest.mean(features)
    if link == "identity":
        return mean.astype(np.float32)
    shares = np.clip(mean, 0.003, 0.997)
    return (np.log(shares) if link == "softmax" else logit(shares)).astype(np.float32)


def expanded(features: np.ndarray, columns: Columns) -> np.ndarray:
    """Categories one-hot, numbers squashed by arcsinh beside themselves, gaps 0 with a column that says so."""
    categorical = columns.categorical
    parts: list[np.ndarray] = []
    for place, known in enumerate(columns.categories.values()):
        code = np.nan_to_num(features[:, place], nan=-1.0)
        parts.append((code[:, None] == np.arange(min(len(known), _ONE_HOT))).astype(np.float32))
    numbers = features[:, ~categorical]
    filled = np.nan_to_num(numbers, nan=0.0)
    parts += [filled, np.arcsinh(filled), np.isnan(numbers)]
    return np.concatenate(parts, axis=1).astype(np.float32)
