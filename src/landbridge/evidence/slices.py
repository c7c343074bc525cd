"""The primary metric in every part of the data that a column marks out, worst first, with the luck of looking at many
parts taken into account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import stats

from landbridge.core.finding import Finding, Judgement
from landbridge.core.parts import part, whole
from landbridge.evidence.bootstrap import RESAMPLES, WORK, measured, units
from landbridge.evidence.intervals import Z, holm, independent_difference

DISTINCT = 10  # numbers with more different values than this are cut into quarters
MOST_VALUES = 200  # a text column with more values marks out no parts
LARGEST = 60  # slices compared at most, the largest first
SIGNIFICANT = 0.05


@part("slices", paper="Zou and Donner 2008 for the interval of the gap; Holm 1979 for many slices")
class Slices:
    """For each slice: the primary metric, its interval, and the gap to all other rows."""

    fewest: int = whole(10, 2, 1_000_000, help="rows that a slice needs")
    most: int = whole(20, 1, 10_000, help="slices reported, worst first")

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """`slices.<column>=<value>`, lowest gap first; p-values in the data are adjusted for all slices looked at."""
        unit_N = units(judgement.rows, judgement.groups)
        parts = [
            (f"slices.{column}={value}", inside)
            for column, values in judgement.slices.items()
            for value, inside in parts_of(np.asarray(values))
            if self.fewest <= inside.sum() <= len(inside) - self.fewest
        ]
        parts = sorted(parts, key=lambda pair: -int(pair[1].sum()))[:LARGEST]
        count = int(np.clip(WORK // 3 // max(1, judgement.output.size * len(parts)), 100, RESAMPLES))
        found = [f for name, inside in parts for f in _compared(judgement, unit_N, name, inside, count)]
        if not found:
            return
        adjusted = holm(np.array([finding.data["p"] for finding in found]))
        ranked = sorted(zip(found, adjusted, strict=True), key=lambda pair: pair[0].data["gap"])
        for finding, p in ranked[: self.most]:
            weak = p < SIGNIFICANT and finding.data["gap"] < 0
            data = {**finding.data, "p_adjusted": float(p), "slices_compared": len(found)}
            yield replace(finding, data=data, severity="warning" if weak else "note")


def parts_of(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The values of a column with the rows that have them; many numbers become quarters, missing is a value too."""
    if np.issubdtype(values.dtype, np.number):
        missing = np.isnan(values.astype(np.float64))
        present = values[~missing].astype(np.float64)
        if len(np.unique(present)) > DISTINCT:
            edges = np.unique(np.quantile(present, [0.0, 0.25, 0.5, 0.75, 1.0]))
            quarter = np.clip(np.searchsorted(edges, values.astype(np.float64), side="right") - 1, 0, len(edges) - 2)
            for q in range(len(edges) - 1):
                yield f"{edges[q]:g}..{edges[q + 1]:g}", (quarter == q) & ~missing
        else:
            yield from ((f"{value:g}", values == value) for value in np.unique(present))
        yield "missing", missing
        return
    texts = np.array(["missing" if v is None or v != v else str(v) for v in values.tolist()])
    names = np.unique(texts)
    if len(names) <= MOST_VALUES:
        yield from ((str(name), texts == name) for name in names)


def _compared(judgement: Judgement, unit_N: np.ndarray, name: str, inside: np.ndarray, count: int) -> Iterator[Finding]:
    """The metric inside and outside, and their gap; nothing where the metric is undefined on either side."""
    task, metric = judgement.task, judgement.task.metric
    (value, interval), (rest, rest_interval) = (
        measured(
            task,
            judgement.output[mask],
            judgement.target[mask],
            np.unique(unit_N[mask], return_inverse=True)[1].reshape(-1),
            [metric],
            judgement.seed,
            count,
        )[metric]
        for mask in (inside, ~inside)
    )
    if interval is None or rest_interval is None or not np.isfinite(value - rest):
        return
    gap = value - rest
    low, high = independent_difference(value, interval, rest, rest_interval)
    error = max(gap - low, 1e-12) / Z if gap > 0 else max(high - gap, 1e-12) / Z
    data = {
        "rows": int(inside.sum()),
        "gap": gap,
        "gap_interval": [low, high],
        "rest": rest,
        "metric": metric,
        "p": float(2 * stats.norm.sf(abs(gap) / error)),
    }
    how = f"{metric} of {inside.sum()} rows, 95 % interval; gap to the other {(~inside).sum()} rows"
    detail = f"{gap:+.3f} [{low:+.3f}, {high:+.3f}] against all other rows"
    yield Finding(name=name, value=value, interval=interval, how=how, detail=detail, data=data)
