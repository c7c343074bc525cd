"""What an artifact remembers of its target, in a file of some hundred kilobytes: moments of features, and no row.

Shapes: N rows, D width, K axes, C classes, S sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from landbridge.core.artifact import from_bytes, to_bytes
from landbridge.core.contracts import Task
from landbridge.core.errors import ArtifactError
from landbridge.core.seeds import numpy_generator
from landbridge.planning.nearness.moments import LEAST, Moments, axes_for
from landbridge.planning.nearness.redrawn import Redrawn
from landbridge.planning.scores.rows import kind_of, some

MOST = 1000  # rows that the moments are taken over, class by class
LEAST_ROWS = 2 * LEAST  # with fewer, nothing is remembered
LEAST_OF_CLASS = 5  # rows without which a class's centre would be too near to one of them to be kept
MOST_CLASSES = 100
FIELDS = {
    "mean": 1, "axes": 2, "variance": 1, "total": 1, "rows": 1, "redrawn.axes": 1, "redrawn.sizes": 1,
    "redrawn.square": 2, "class.number": 1, "class.rows": 1, "class.centre": 2, "class.within": 1,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Centres of the classes that had rows enough, and the spread of rows about their own class's centre."""

    number: np.ndarray  # C, as the task counts them
    rows: np.ndarray  # C
    centre: Tensor  # CxD
    within: float  # mean square distance


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target in the features of its source: as one Gaussian, class by class where it has classes."""

    moments: Moments
    redrawn: Redrawn
    classes: Classes

    @classmethod
    def of(cls, features_ND: np.ndarray, labels_N: np.ndarray, seed: int, groups: np.ndarray | None = None) -> Target:
        """What is to be remembered of training rows, at least `LEAST_ROWS` of them."""
        axes = axes_for(*features_ND.shape)
        return cls(
            moments=Moments.of(features_ND, axes), redrawn=Redrawn.of(features_ND, axes, seed, groups),
            classes=classes_of(features_ND, labels_N),
        )  # fmt: skip

    def to_bytes(self) -> bytes:
        """As a safetensors file; directions and centres in half precision."""
        moments, redrawn, classes = self.moments, self.redrawn, self.classes
        unit = max(moments.total, 1e-30) ** 0.5  # in which centres are kept, so that half precision holds any scale
        return to_bytes("target", {
            "mean": moments.mean.float(), "axes": moments.axes.half(), "variance": moments.variance.float(),
            "total": np.array([moments.total]), "rows": np.array([moments.rows]),
            "redrawn.axes": np.array(redrawn.axes), "redrawn.sizes": np.array(redrawn.sizes),
            "redrawn.square": redrawn.squares, "class.number": classes.number, "class.rows": classes.rows,
            "class.centre": ((classes.centre - moments.mean) / unit).half(),
            "class.within": np.array([classes.within]),
        })  # fmt: skip

    @classmethod
    def from_bytes(cls, where: str, data: bytes) -> Target:
        """What `to_bytes` wrote; ArtifactError naming the file when it is not that."""
        found = from_bytes(where, data)
        if {name: array.ndim for name, array in found.items()} != FIELDS or not _fits(found):
            raise ArtifactError(f"{where}: does not hold the moments of a target; copy the artifact again or run anew")
        mean, total = _tensor(found["mean"]), float(found["total"][0])
        return cls(
            moments=Moments(
                rows=int(found["rows"][0]), mean=mean, axes=_tensor(found["axes"]),
                variance=_tensor(found["variance"]), total=total,
            ),
            redrawn=Redrawn(
                rows=int(found["rows"][0]), axes=tuple(found["redrawn.axes"].tolist()),
                sizes=tuple(found["redrawn.sizes"].tolist()), squares=found["redrawn.square"],
            ),
            classes=Classes(
                number=found["class.number"], rows=found["class.rows"], within=float(found["class.within"][0]),
                centre=mean + total**0.5 * _tensor(found["class.centre"]),
            ),
        )  # fmt: skip


def rows_remembered(labels_N: np.ndarray, task: Task, seed: int) -> np.ndarray:
    """Positions of the rows that are looked at, at most `MOST`."""
    strata = task.strata(labels_N)
    strata = np.zeros(len(labels_N), np.int64) if strata is None else np.unique(strata, return_inverse=True)[1]
    return some(strata.reshape(-1), MOST, numpy_generator(seed, "remembered"))


def classes_of(features_ND: np.ndarray, labels_N: np.ndarray, least: int = LEAST_OF_CLASS) -> Classes:
    """Centres of classes of at least so many rows, the largest `MOST_CLASSES`; none where labels are no classes."""
    rows_ND = torch.from_numpy(np.ascontiguousarray(features_ND, dtype=np.float64))
    sizes = np.bincount(labels_N) if kind_of(labels_N) == "classes" else np.zeros(0, np.int64)
    order = np.argsort(-sizes, kind="stable")[:MOST_CLASSES]
    kept = np.sort(order[sizes[order] >= max(1, least)])
    centres = [rows_ND[torch.from_numpy(labels_N == c)].mean(0) for c in kept]
    square = sum(float((rows_ND[torch.from_numpy(labels_N == c)] - m).square().sum())
                 for c, m in zip(kept, centres, strict=True))  # fmt: skip
    free = max(1, int(sizes[kept].sum()) - len(kept))  # as every centre was fitted to its rows
    stacked = torch.stack(centres) if centres else rows_ND.new_zeros((0, rows_ND.shape[1]))
    return Classes(number=kept.astype(np.int64), rows=sizes[kept].astype(np.int64), centre=stacked,
                   within=square / free)  # fmt: skip


def _fits(found: dict[str, np.ndarray]) -> bool:
    """Whether the arrays belong together."""
    width, axes, sizes = len(found["mean"]), found["redrawn.axes"], found["redrawn.sizes"]
    return (
        found["axes"].shape == (len(found["variance"]), width)
        and found["redrawn.square"].shape == (len(axes), len(sizes))
        and found["class.centre"].shape == (len(found["class.number"]), width)
        and len(found["class.rows"]) == len(found["class.number"])
        and all(len(found[n]) == 1 for n in ("total", "rows", "class.within"))
        and width > 0 and len(axes) > 0 and len(sizes) > 0 and 1 in axes and int(axes.max()) <= len(found["axes"])
        and bool((found["rows"] > 0).all()) and bool((sizes > 0).all()) and bool((np.diff(sizes) > 0).all())
        and all(bool(np.isfinite(a).all()) for a in found.values())
    )  # fmt: skip


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).double()
