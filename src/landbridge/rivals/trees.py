"""Decision trees as flat arrays, with our own traversal: no pickle, and the same numbers as scikit-learn.

Shapes: N rows, F features, M nodes of all trees together, T trees, K numbers a leaf, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, HistGradientBoostingRegressor

Boosting = HistGradientBoostingClassifier | HistGradientBoostingRegressor
_CELLS = 400_000  # rows times trees that walk at a time


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees in a row. `left` is -1 at a leaf; `category` is a row of `members`, -1 for a number.

    A row goes left where its value is at most the threshold, where its category is a member, or where it is missing
    (NaN) and `missing_left` says so.
    """

    feature: np.ndarray  # M int32
    threshold: np.ndarray  # M float64
    left: np.ndarray  # M int32
    right: np.ndarray  # M int32
    missing_left: np.ndarray  # M bool
    category: np.ndarray  # M int32
    members: np.ndarray  # S x 256 bool
    value: np.ndarray  # M x K float64
    roots: np.ndarray  # T int32

    def leaves(self, features_NF: np.ndarray) -> np.ndarray:
        """The leaf that each row reaches in each tree, NxT int32."""
        out = np.empty((len(features_NF), len(self.roots)), np.int32)
        step = max(1, _CELLS // max(1, len(self.roots)))
        for start in range(0, len(features_NF), step):
            out[start : start + step] = self._walk(features_NF[start : start + step])
        return out

    def _walk(self, features_NF: np.ndarray) -> np.ndarray:
        trees = len(self.roots)
        node = np.tile(self.roots, len(features_NF))
        row = np.repeat(np.arange(len(features_NF)), trees)
        going = np.flatnonzero(self.left[node] >= 0)
        while len(going):
            here = node[going]
            value = features_NF[row[going], self.feature[here]]
            missing = np.isnan(value)
            go_left = value <= self.threshold[here]
            by_category = np.flatnonzero((self.category[here] >= 0) & ~missing)
            if len(by_category):
                code = value[by_category].astype(np.int64)
                go_left[by_category] = self.members[self.category[here[by_category]], code]
            go_left = np.where(missing, self.missing_left[here], go_left)
            node[going] = np.where(go_left, self.left[here], self.right[here])
            going = going[self.left[node[going]] >= 0]
        return node.reshape(-1, trees)

    def total(self, features_NF: np.ndarray, start_C: np.ndarray) -> np.ndarray:
        """Boosting: start plus one number a tree, tree t to output t mod C; added in scikit-learn's order, NxC."""
        out = np.tile(np.asarray(start_C, np.float64), (len(features_NF), 1))
        leaf = self.leaves(features_NF)
        for tree in range(len(self.roots)):
            out[:, tree % out.shape[1]] += self.value[leaf[:, tree], 0]
        return out

    def mean(self, features_NF: np.ndarray) -> np.ndarray:
        """Bagging: the mean over trees of their leaves, NxK; features are rounded to float32 as scikit-learn does."""
        rounded = features_NF.astype(np.float32)
        out = np.zeros((len(features_NF), self.value.shape[1]))
        leaf = self.leaves(rounded)
        for tree in range(len(self.roots)):
            out += self.value[leaf[:, tree]]
        return out / len(self.roots)

    def first(self, count: int) -> Trees:
        """The first `count` trees alone."""
        end = int(self.roots[count]) if count < len(self.roots) else len(self.left)
        nodes = [a[:end] for a in (self.feature, self.threshold, self.left, self.right, self.missing_left)]
        return Trees(*nodes, self.category[:end], self.members, self.value[:end], self.roots[:count])

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Named arrays for an artifact."""
        return {f"{prefix}.{name}": array for name, array in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str) -> Trees:
        """What `arrays` wrote."""
        names = ("feature", "threshold", "left", "right", "missing_left", "category", "members", "value", "roots")
        return cls(*(np.asarray(arrays[f"{prefix}.{name}"]) for name in names))


def of_boosting(model: Boosting) -> tuple[Trees, np.ndarray]:
    """The trees of a fitted histogram gradient boosting, in the order of its iterations, and its start C.

    scikit-learn gives no public way to these; a test holds the result against its own predictions.
    """
    parts: list[dict[str, np.ndarray]] = []
    for iteration in model._predictors:
        for tree in iteration:
            nodes, bits = tree.nodes, np.asarray(tree.raw_left_cat_bitsets, np.uint32)
            leaf = nodes["is_leaf"].astype(bool)
            wide = np.unpackbits(bits.view(np.uint8).reshape(len(bits), 32), axis=1, bitorder="little")
            parts.append(
                {
                    "feature": np.where(leaf, 0, nodes["feature_idx"]),
                    "threshold": nodes["num_threshold"].astype(np.float64),
                    "left": np.where(leaf, -1, nodes["left"].astype(np.int64)),
                    "right": np.where(leaf, -1, nodes["right"].astype(np.int64)),
                    "missing_left": nodes["missing_go_to_left"].astype(bool),
                    "category": np.where(nodes["is_categorical"], nodes["bitset_idx"].astype(np.int64), -1),
                    "members": wide.astype(bool),
                    "value": nodes["value"].astype(np.float64)[:, None],
                }
            )
    return _joined(parts), np.asarray(model._baseline_prediction, np.float64).ravel()


def of_bagging(model: ExtraTreesRegressor) -> Trees:
    """The trees of a fitted forest; a leaf holds the mean of each of its K outputs."""
    parts: list[dict[str, np.ndarray]] = []
    for estimator in model.estimators_:
        tree: Any = estimator.tree_
        leaf = tree.children_left < 0
        parts.append(
            {
                "feature": np.where(leaf, 0, tree.feature),
                "threshold": tree.threshold.astype(np.float64),
                "left": np.where(leaf, -1, tree.children_left),
                "right": np.where(leaf, -1, tree.children_right),
                "missing_left": tree.missing_go_to_left.astype(bool),
                "category": np.full(tree.node_count, -1),
                "members": np.zeros((0, 256), bool),
                "value": tree.value[:, :, 0].astype(np.float64),
            }
        )
    return _joined(parts)


def _joined(parts: Sequence[Mapping[str, np.ndarray]]) -> Trees:
    """Trees one after the other, their node and bitset numbers moved along."""
    sizes = [len(p["left"]) for p in parts]
    nodes = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sets = np.concatenate([[0], np.cumsum([len(p["members"]) for p in parts])[:-1]])

    def moved(name: str, by: np.ndarray) -> np.ndarray:
        each = [np.where(p[name] < 0, -1, p[name] + b) for p, b in zip(parts, by, strict=True)]
        return np.concatenate(each).astype(np.int32)

    def plain(name: str) -> np.ndarray:
        return np.concatenate([p[name] for p in parts])

    return Trees(
        feature=plain("feature").astype(np.int32),
        threshold=plain("threshold"),
        left=moved("left", nodes),
        right=moved("right", nodes),
        missing_left=plain("missing_left"),
        category=moved("category", sets),
        members=plain("members"),
        value=plain("value"),
        roots=nodes.astype(np.int32),
    )
