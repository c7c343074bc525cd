"""The data as a map: rows that a source sees alike lie together; and some rows beside their nearest neighbours.

Shapes: N rows, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from landbridge.core.seeds import numpy_generator, stream

MOST, AXES = 1000, 50
SHOWN, NEIGHBOURS = 8, 4


@dataclass(frozen=True, kw_only=True)
class Map:
    """Places Nx2 in [0, 1] of some rows, given by their positions among the features."""

    positions: np.ndarray
    places: np.ndarray


def embed(features_ND: np.ndarray, seed: int) -> Map:
    """Neighbour embedding (t-SNE, van der Maaten & Hinton 2008) from the first principal axes, at most `MOST` rows.

    Distances between far groups mean nothing in such a map; who is whose neighbour does.
    """
    generator = numpy_generator(seed, "map")
    positions = np.sort(generator.permutation(len(features_ND))[:MOST])
    rows = directions(features_ND[positions])
    axes = PCA(min(AXES, *rows.shape), random_state=0).fit_transform(rows)
    if len(rows) >= 10:
        perplexity = float(min(30.0, (len(rows) - 1) / 3))
        maker = TSNE(perplexity=perplexity, init="pca", random_state=stream(seed, "map") % 2**31, max_iter=750)
        places = maker.fit_transform(axes)
    else:
        places = np.pad(axes, ((0, 0), (0, max(0, 2 - axes.shape[1]))))[:, :2]
    low, high = places.min(0), places.max(0)
    return Map(positions=positions, places=(places - low) / np.maximum(high - low, 1e-12))


def directions(features_ND: np.ndarray) -> np.ndarray:
    """Rows of length 1 after the mean is taken off, so that products are likenesses."""
    centred = features_ND - features_ND.mean(0)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def neighbours(features_ND: np.ndarray, asked: Sequence[int], count: int = NEIGHBOURS) -> np.ndarray:
    """For each asked row the nearest other rows by cosine, the nearest first."""
    rows = directions(features_ND)
    like = rows[list(asked)] @ rows.T
    like[np.arange(len(asked)), list(asked)] = -np.inf
    return np.argsort(-like, axis=1, kind="stable")[:, : min(count, len(rows) - 1)]


def worth_showing(right_N: np.ndarray, labels_N: np.ndarray, seed: int, most: int = SHOWN) -> list[int]:
    """Rows that went astray first, then others, of as many classes as there are."""
    order = numpy_generator(seed, "shown").permutation(len(labels_N))
    order = order[np.argsort(right_N[order], kind="stable")]
    found: list[int] = []
    for fresh in (True, False):
        for row in order.tolist():
            new = labels_N[row] not in labels_N[found]
            if len(found) < most and row not in found and (new or not fresh):
                found.append(row)
    return found
