"""How far another draw of the same data would lie from it: without that, a distance of few rows says nothing.

Shapes: N rows, D width, K numbers of axes, S sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landbridge.core.seeds import numpy_generator
from landbridge.planning.nearness.moments import AXES, Moments

SPLITS = 4  # into halves, each of which is held against the other
SMALLEST = 4  # rows of a draw


@dataclass(frozen=True, kw_only=True)
class Redrawn:
    """Mean squared distance of fresh rows from the moments of as many others as make a half, by axes and fresh rows."""

    rows: int  # of both halves
    axes: tuple[int, ...]  # K
    sizes: tuple[int, ...]  # S, ascending; the last is a half
    squares: np.ndarray  # KxS

    @classmethod
    def of(cls, features_ND: np.ndarray, axes: int, seed: int, groups: np.ndarray | None = None) -> Redrawn:
        """Measured on real rows, cut into random halves again and again; a group stays on one side."""
        generator = numpy_generator(seed, "redrawn")
        counts = tuple(k for k in AXES if k <= axes)
        found: list[np.ndarray] = []
        sizes: tuple[int, ...] = ()
        for _ in range(SPLITS):
            halves = _halves(len(features_ND), groups, generator)
            sizes = sizes or _sizes(min(map(len, halves)))
            for one, other in (halves, halves[::-1]):
                moments, fresh = Moments.of(features_ND[one], axes), features_ND[other]
                found.append(np.array([moments.squares(fresh[:s], counts) for s in sizes]).T)
        return cls(rows=len(features_ND), axes=counts, sizes=sizes, squares=np.mean(found, axis=0))

    def square(self, axes: int, rows: int) -> float:
        """What `rows` fresh rows would give against the moments of all rows.

        Read off between the sizes that were measured. All rows are twice those of a half, and their moments err half as
        much: like the error of a mean, the square goes with 1/n + 1/m.
        """
        size = float(np.clip(rows, self.sizes[0], self.sizes[-1]))
        measured = np.log(np.maximum(self.squares[self.axes.index(axes)], 1e-30))
        found = float(np.exp(np.interp(np.log(size), np.log(self.sizes), measured)))
        return found * (1 / self.rows + 1 / rows) / (2 / self.rows + 1 / size)


def _halves(count: int, groups: np.ndarray | None, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two halves in random order, of whole groups where that leaves rows enough on either side."""
    order = generator.permutation(count)
    if groups is not None and len(np.unique(groups)) >= 2 * SMALLEST:
        number = np.unique(groups, return_inverse=True)[1].reshape(-1)
        first = np.isin(number, generator.permutation(number.max() + 1)[: (number.max() + 1) // 2])
        halves = order[first[order]], order[~first[order]]
        if 4 * min(map(len, halves)) >= count:
            return halves
    return order[: count // 2], order[count // 2 :]


def _sizes(half: int) -> tuple[int, ...]:
    """A half, a quarter, and so on."""
    found = [half]
    while found[-1] // 2 >= SMALLEST:
        found.append(found[-1] // 2)
    return tuple(sorted(found))
