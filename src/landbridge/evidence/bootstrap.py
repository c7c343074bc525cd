"""Intervals of any metric: the bootstrap over rows, or over units where rows hang together.

We use the expanded percentile interval (Hesterberg 2015, "What Teachers Should Know About the Bootstrap"): the
percentiles are moved outward by sqrt(n/(n-1)) and Student's t, which mends the narrowness of the plain percentile with
few units and needs no jackknife as BCa does. Shares of right rows use closed forms instead, and a perfect score gets
the bound of a share without failures, since a bootstrap of a constant has no width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import stats

from landbridge.core.contracts import Task
from landbridge.core.seeds import numpy_generator
from landbridge.evidence.intervals import LEVEL, Interval, perfect, proportion
from landbridge.evidence.outcome import correct

RESAMPLES, FEWEST = 1000, 200
CHUNK = 2_000_000  # weights held at once
WORK = 60_000_000  # resamples times outputs that are worth their time
SHARES = frozenset({"accuracy", "subset_accuracy"})  # metrics that are the share of right rows
BOUNDED = SHARES | {"balanced_accuracy", "macro_f1", "micro_f1", "auc", "average_precision", "mean_average_precision"}


def units(rows: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """The unit of each row, N numbers from 0: its group, or the row itself, which may come up in several folds."""
    keys = rows if groups is None else groups.astype(str)
    return np.unique(keys, return_inverse=True)[1].reshape(-1)


def weights(unit_N: np.ndarray, resamples: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each row counts in each resample of the units, in pieces of RxN."""
    count = int(unit_N.max()) + 1
    step = max(1, CHUNK // max(len(unit_N), count))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = generator.integers(0, count, (size, count)) + count * np.arange(size)[:, None]
        often_RK = np.bincount(drawn.reshape(-1), minlength=size * count).reshape(size, count)
        yield often_RK[:, unit_N].astype(np.float64)


def resamples_for(output: np.ndarray) -> int:
    """1000 resamples, fewer down to 200 where rows times classes are many."""
    return int(np.clip(WORK // max(output.size, 1), FEWEST, RESAMPLES))


def resample(
    task: Task,
    target: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    unit_N: np.ndarray,
    names: Sequence[str],
    seed: int,
    count: int | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """Metrics of several outputs on the same resamples, so that their differences are paired: output, metric, R."""
    count = count or min(resamples_for(output) for output in outputs.values())
    found: dict[str, dict[str, list[np.ndarray]]] = {key: {name: [] for name in names} for key in outputs}
    for weights_RN in weights(unit_N, count, numpy_generator(seed, "bootstrap")):
        for key, output in outputs.items():
            for name, values in task.resampled(output, target, weights_RN, names).items():
                found[key][name].append(values)
    return {key: {name: np.concatenate(v) for name, v in each.items()} for key, each in found.items()}


def percentile(values_R: np.ndarray, count: int) -> Interval | None:
    """The expanded percentile interval over `count` units; None where most resamples leave the metric undefined."""
    defined = values_R[np.isfinite(values_R)]
    if count < 2 or len(defined) < len(values_R) / 2:
        return None
    tail = float(stats.norm.cdf(math.sqrt(count / (count - 1)) * stats.t.ppf((1 - LEVEL) / 2, count - 1)))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return (float(low), float(high))


def independent_rows(target: np.ndarray, unit_N: np.ndarray) -> float:
    """How many rows the macro averages rest on: C times the harmonic mean of the class sizes, at most the units."""
    count = len(np.unique(unit_N))
    if target.ndim == 1 and np.issubdtype(target.dtype, np.integer):
        sizes = np.unique(target, return_counts=True)[1]
        return min(float(count), len(sizes) ** 2 / float((1.0 / sizes).sum()))
    return float(count)


def metric_interval(
    name: str, value: float, values_R: np.ndarray, output: np.ndarray, target: np.ndarray, unit_N: np.ndarray
) -> Interval | None:
    """The interval of one metric: closed form for shares and for a perfect score, bootstrap for all else."""
    if name in SHARES:
        return proportion(correct(output, target), unit_N)
    found = percentile(values_R, len(np.unique(unit_N)))
    if name in BOUNDED and value >= 1 - 1e-12:
        return (1.0 - perfect(independent_rows(target, unit_N)), 1.0)
    return found


def measured(
    task: Task,
    output: np.ndarray,
    target: np.ndarray,
    unit_N: np.ndarray,
    names: Sequence[str],
    seed: int,
    count: int | None = None,
) -> dict[str, tuple[float, Interval | None]]:
    """Value and interval of the named metrics on the given rows."""
    ones = np.ones((1, len(target)))
    value = {name: float(v[0]) for name, v in task.resampled(output, target, ones, names).items()}
    open_names = [name for name in names if name not in SHARES]
    drawn: dict[str, np.ndarray] = dict.fromkeys(names, np.empty(0))
    if open_names:
        drawn |= resample(task, target, {"": output}, unit_N, open_names, seed, count)[""]
    return {n: (value[n], metric_interval(n, value[n], drawn[n], output, target, unit_N)) for n in names}
