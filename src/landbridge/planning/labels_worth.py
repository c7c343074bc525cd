"""How many labels would still pay: the probe's learning curve on the features there are."""

from __future__ import annotations

import numpy as np

from landbridge.core.contracts import Task
from landbridge.core.seeds import numpy_generator
from landbridge.evidence.saturation import Curve, fit_curve
from landbridge.nn.deal import deal
from landbridge.planning.held_out import outputs_of
from landbridge.planning.scores.rows import some

REPEATS = 8
SIZES, LEAST = 5, 8  # points of the curve, each twice the one before it; rows of the first
HELD = 5  # one part in so many is held out
MOST = 2000  # rows that are looked at


def learning_curve(
    features_ND: np.ndarray,
    labels_N: np.ndarray,
    task: Task,
    *,
    seed: int,
    groups: np.ndarray | None = None,
    repeats: int = REPEATS,
) -> Curve | None:
    """Scores of the probe on growing subsets, each holding the one before it, and the law through them.

    Every repeat holds other rows out and grows by another order; subsets keep every class that has rows enough. None
    where there are too few rows for three sizes.
    """
    strata = task.strata(labels_N)
    kept = some(np.zeros(len(labels_N), np.int64) if strata is None else _numbered(strata), MOST, _generator(seed, 0))
    features, labels = features_ND[kept], labels_N[kept]
    strata = None if strata is None else _numbered(strata[kept])
    known = len(labels) - -(-len(labels) // HELD)
    classes = 1 if strata is None else int(strata.max()) + 1
    least = max(LEAST, 2 * classes)
    sizes = sorted({int(known / 2**k) for k in range(SIZES) if known / 2**k >= least})
    if len(sizes) < 3:
        return None
    scores = np.zeros((repeats, len(sizes)))
    for r in range(repeats):
        parts = deal(
            len(labels), HELD, _generator(seed, 1, r // HELD), strata=strata,
            groups=None if groups is None else groups[kept],
        )  # fmt: skip
        rest, held = np.flatnonzero(parts != r % HELD), np.flatnonzero(parts == r % HELD)
        order = rest[nested(None if strata is None else strata[rest], len(rest), _generator(seed, 2, r))]
        for k, size in enumerate(sizes):
            taken = order[:size]
            output = outputs_of(features[taken], labels[taken], features[held], task)
            scores[r, k] = task.score(output, labels[held])
    defined = np.isfinite(scores).all(1)
    if defined.sum() < 3:
        return None
    full = len(labels_N) / len(labels)  # sizes are told as if none had been held out or left aside
    told = [size * full * len(labels) / known for size in sizes]
    return fit_curve(told, scores[defined], ceiling=ceiling(task.metric), overlap=1 / (HELD - 1), seed=seed)


def nested(strata_N: np.ndarray | None, count: int, generator: np.random.Generator) -> np.ndarray:
    """An order of the rows of which every beginning holds the classes in their shares, each class as soon as may be."""
    order = generator.permutation(count)
    if strata_N is None:
        return order
    order = order[np.argsort(strata_N[order], kind="stable")]
    sizes = np.bincount(strata_N)
    place = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    share = (place + 0.5) / sizes[strata_N[order]]
    return order[np.lexsort((share, place > 1))]  # two of each class, then by share


def ceiling(metric: str) -> float:
    """The best value of a metric: errors are negated and end at 0, all else at 1."""
    return 0.0 if metric.startswith("neg_") else 1.0


def _numbered(strata: np.ndarray) -> np.ndarray:
    return np.unique(strata, return_inverse=True)[1].reshape(-1)


def _generator(seed: int, *names: int) -> np.random.Generator:
    return numpy_generator(seed, "learning curve", *names)


def told(curve: Curve | None, labels_N: np.ndarray) -> dict[str, object] | None:
    """The curve as JSON, with its two answers."""
    if curve is None:
        return None
    gain, gain_interval = curve.gain(2.0)
    flat, flat_interval = curve.flat()
    grid = np.geomspace(curve.sizes[0], 4 * curve.sizes[-1], 40)
    band = [curve.at(float(n)) for n in grid]
    return {
        "rows": curve.sizes.round().astype(int).tolist(),
        "scores": curve.scores.mean(0).tolist(),
        "spread": curve.scores.std(0, ddof=1).tolist(),
        "law": {"a": curve.law.a, "b": curve.law.b, "c": curve.law.c},
        "twice": {"gain": gain, "interval": gain_interval},
        "flat": {"rows": flat, "interval": flat_interval, "reached": bool(flat <= len(labels_N))},
        "line": [
            {"rows": float(n), "score": v, "low": b[0], "high": b[1]} for n, (v, b) in zip(grid, band, strict=True)
        ],
    }
