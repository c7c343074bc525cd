"""Earlier targets as pictures: how far each lies from the data, and where, as the Gaussian that it is remembered by.

Shapes: M rows, D width, K axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from landbridge.evidence.outcome import class_names
from landbridge.planning.nearness.target import Target
from landbridge.planning.nearness.targets import ALIKE, Seen
from landbridge.report.charts import COLOURS, WIDTH, svg
from landbridge.report.scale import Scale
from landbridge.report.words import clip, number

ROWS = 400  # of the data that are drawn
HALF, MOST = (
    2 * math.log(2),
    2 * math.log(10),
)  # squared radius within which a half, or 9 of 10, of a plane Gaussian lie
BESIDE = 3  # artifacts in the table of classes
NAMED = 12  # centres of classes that bear their names


@dataclass(frozen=True)
class Plane:
    """Two directions at right angles through a point, on which everything is drawn."""

    origin: np.ndarray  # D
    across: np.ndarray  # 2xD

    def of(self, rows_ND: np.ndarray) -> np.ndarray:
        """Places Nx2."""
        return (rows_ND - self.origin) @ self.across.T

    def shadow(self, target: Target) -> np.ndarray:
        """The target's covariance on the plane, 2x2."""
        moments = target.moments
        turned = self.across @ moments.axes.numpy().T
        off = max(0.0, moments.total - float(moments.variance.sum())) / max(1, self.origin.size - turned.shape[1])
        return turned * moments.variance.numpy() @ turned.T + off * (np.eye(2) - turned @ turned.T)


def drawn(found: Mapping[str, Any] | None, seen: Sequence[Seen]) -> dict[str, Any]:
    """The distances, and the plane of those that share the space of the nearest, with its legend."""
    told = [a for a in (found or {}).get("artifacts", []) if a["value"] is not None]
    if not told:
        return {"distances": "", "plane": "", "legend": [], "classes": None}
    by_path = {s.earlier.path: s for s in seen}
    space = by_path[told[0]["artifact"]].space
    shown = [(i, by_path[a["artifact"]]) for i, a in enumerate(told) if by_path[a["artifact"]].space == space]
    legend = [{"name": s.earlier.label, "number": i % COLOURS} for i, s in shown]
    return {
        "distances": distances(told), "plane": picture(shown[:COLOURS]), "legend": legend[:COLOURS],
        "classes": _side_by_side([a for a in told if a["classes"]][:BESIDE]),
    }  # fmt: skip


def distances(told: Sequence[Mapping[str, Any]]) -> Markup:
    """A row for each artifact: its distance with the interval, over the band of another draw of its own data."""
    line, top = 34, 10
    left = 30 + 6.4 * max(len(clip(a["label"], 28)) for a in told)
    height = top + line * len(told) + 40
    bands = [a["again"] * math.sqrt(ALIKE**2 - 1) for a in told]
    x = Scale(0.0, 1.08 * max([0.1, *bands, *(a["interval"][1] for a in told)]), left, WIDTH - 60)
    bottom = top + line * len(told)
    parts = [f'<line class="grid" x1="{x(t)}" x2="{x(t)}" y1="{top}" y2="{bottom}"/>'
             f'<text class="x" x="{x(t)}" y="{bottom + 15}">{t:g}</text>' for t in x.ticks()]  # fmt: skip
    for i, (entry, band) in enumerate(zip(told, bands, strict=True)):
        y, tone = top + line * (i + 0.5), f"k{i % COLOURS}"
        low, high = entry["interval"]
        tip = f"{entry['artifact']}: {number(entry['value'])} ({number(low)} to {number(high)})"
        parts.append(
            f"<g><title>{escape(clip(tip, 160))}</title>"
            f'<rect class="redrawn" x="{left}" y="{y - 9}" width="{max(1.0, x(band) - left):.1f}" height="18" rx="2"/>'
            f'<text class="y" x="{left - 12}" y="{y + 4}">{escape(clip(entry["label"], 28))}</text>'
            f'<line class="bar {tone}" x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}"/>'
            f'<circle class="{tone}" cx="{x(entry["value"])}" cy="{y}" r="5"/>'
            f'<text class="x" x="{WIDTH - 6}" y="{y + 4}" text-anchor="end">{number(entry["value"], 2)}</text></g>'
        )
    parts.append(
        f'<text class="x" x="{(left + WIDTH - 60) / 2}" y="{height - 6}">distance in spreads of the data</text>'
    )
    return svg(WIDTH, height, "chart", "distance from earlier targets", "".join(parts))


def plane_of(features_MD: np.ndarray, targets: Sequence[Target]) -> Plane:
    """The plane of the largest variance of all sets together, each counting alike."""
    data = np.asarray(features_MD, np.float64)
    means = np.stack([data.mean(0), *(t.moments.mean.numpy() for t in targets)])
    origin = means.mean(0)
    spread = [(data - means[0]) / math.sqrt(len(data))]
    spread += [np.sqrt(t.moments.variance.numpy())[:, None] * t.moments.axes.numpy() for t in targets]
    _, _, turned = np.linalg.svd(np.concatenate([means - origin, *spread]), full_matrices=False)
    across = np.zeros((2, data.shape[1]))
    across[: min(2, len(turned))] = turned[:2]
    return Plane(origin, across)


def picture(shown: Sequence[tuple[int, Seen]]) -> Markup:
    """Rows of the data as dots, targets as ellipses, centres of their classes as diamonds, by number of colour."""
    first = shown[0][1]
    plane = plane_of(first.features, [s.target for _, s in shown])
    dots = plane.of(first.features[:: max(1, len(first.features) // ROWS)])
    axes = [(i, s, plane.of(s.target.moments.mean.numpy()), *np.linalg.eigh(plane.shadow(s.target)))
            for i, s in shown]  # fmt: skip
    reach = [centre + side * math.sqrt(MOST * max(0.0, size[1])) for _, _, centre, size, _ in axes for side in (-1, 1)]
    low, high = (pick(np.concatenate([dots, reach]), axis=0) for pick in (np.min, np.max))
    scale = (WIDTH - 24) / max(float((high - low)[0]), 1e-12)
    height = int(min(WIDTH, max(240.0, scale * float((high - low)[1]) + 24)))
    scale = min(scale, (height - 24) / max(float((high - low)[1]), 1e-12))
    middle = (low + high) / 2

    def at(place: np.ndarray) -> tuple[float, float]:
        x, y = scale * (place - middle)
        return round(WIDTH / 2 + float(x), 1), round(height / 2 - float(y), 1)

    parts = [f'<circle class="own" cx="{x}" cy="{y}" r="2.6"/>' for x, y in map(at, dots)]
    for i, one, centre, size, turned in axes:
        angle = -math.degrees(math.atan2(turned[1, 1], turned[0, 1]))
        name = escape(clip(one.earlier.label, 60))
        x, y = at(centre)
        for kind, square in (("most", MOST), ("half", HALF)):
            wide, narrow = (scale * math.sqrt(square * max(0.0, float(v))) for v in (size[1], size[0]))
            parts.append(
                f'<ellipse class="{kind} k{i % COLOURS}" cx="{x}" cy="{y}" rx="{wide:.1f}" ry="{narrow:.1f}" '
                f'transform="rotate({angle:.1f} {x} {y})"><title>{name}</title></ellipse>'
            )
    written: list[tuple[float, float]] = []
    for i, one, *_ in axes:
        for place, name in _named(plane, one):
            x, y = at(place)
            free = all(abs(x - u) > 90 or abs(y - v) > 12 for u, v in written)
            few = free and len(one.target.classes.number) <= NAMED
            written += [(x, y)] if few else []
            parts.append(_centre(f"k{i % COLOURS}", x, y, name, few))
    return svg(WIDTH, height, "map plane", "the data among earlier targets", "".join(parts))


def _side_by_side(told: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """For each class of the data the nearest of every artifact."""
    if not told:
        return None
    each = zip(*(a["classes"] for a in told), strict=True)
    rows = [{"name": row[0]["class"], "near": [c["near"] for c in row]} for row in each]
    return {"names": [a["label"] for a in told], "rows": rows}


def _named(plane: Plane, seen: Seen) -> list[tuple[np.ndarray, str]]:
    classes = seen.target.classes
    names = class_names(seen.earlier.task) if seen.earlier.task is not None and len(classes.number) else []
    return [(plane.of(c.numpy()), names[int(k)]) for k, c in zip(classes.number, classes.centre, strict=True)]


def _centre(tone: str, x: float, y: float, name: str, said: bool) -> str:
    """A diamond, with the name of the class beside it where there is room."""
    label = f'<text x="{x + 7}" y="{y + 4}">{escape(clip(name, 24))}</text>' if said else ""
    corners = " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in ((0, -5), (5, 0), (0, 5), (-5, 0)))
    mark = f'<polygon class="{tone}" points="{corners}"/>'
    return f"<g><title>{escape(clip(name, 80))}</title>{mark}{label}</g>"
