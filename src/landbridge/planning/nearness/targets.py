"""How near the data is to the targets of earlier artifacts, each seen through that artifact's own source.

Shapes: M rows of the data, D width, H random halves of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from landbridge.core.errors import ArtifactError, LandbridgeError
from landbridge.core.progress import Tick
from landbridge.core.seeds import numpy_generator
from landbridge.engine.workshop import Workshop
from landbridge.evidence.outcome import class_names
from landbridge.planning.layers import rows_looked_at
from landbridge.planning.nearness.earlier import Earlier, road_of
from landbridge.planning.nearness.moments import axes_for, spread_of
from landbridge.planning.nearness.near import FAR, NEAR
from landbridge.planning.nearness.target import Target, classes_of

ALIKE = 1.3  # times what another draw gives on average; such draws, of few rows or many, hardly ever lie beyond
HALVES = 20  # random halves of the data's rows, whose spread is the standard error on all of them
SHOWN = 2  # classes beside each of the data's


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An artifact that tells: the data's features in its source, and the key of that space."""

    earlier: Earlier
    target: Target
    space: str
    features: np.ndarray  # MxD
    rows: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A squared distance with what another draw would give taken off, in squares of the data's own spread; and the
    same on halves of its rows."""

    square: float
    measured: float
    again: float  # of another draw
    halves: np.ndarray  # H
    widening: float  # of the standard error, for the target's rows are few as well

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds at 95 % of the distance."""
        off = 1.96 * self.widening * float(self.halves.std())
        return root(self.square - off), root(self.square + off)


def root(square: float) -> float:
    """The distance; 0 where the data is as near as another draw or nearer."""
    return max(0.0, square) ** 0.5


def looked_through(workshop: Workshop, earlier: Sequence[Earlier]) -> tuple[list[Seen], dict[str, str]]:
    """What each artifact sees of the data, and, by path, why one sees nothing; the test stays shut."""
    rows = rows_looked_at(workshop)
    found: list[Seen] = []
    silent: dict[str, str] = {}
    for one in earlier:
        workshop.progress(Tick(stage="survey", detail=f"nearness to {one.name}"))
        if one.target is None:
            silent[one.path] = one.silent
            continue
        try:
            road = road_of(workshop, one, rows)
        except LandbridgeError as error:
            silent[one.path] = str(error)
            continue
        features = workshop.features(road, (), rows)
        if features.shape[1] != len(one.target.moments.mean):
            widths = f"{len(one.target.moments.mean)} numbers, its source gives {features.shape[1]}"
            raise ArtifactError(f"{one.path}: remembers its target by {widths}; run it again")
        space = json.dumps(road.key | {"body": "", "files": ""}, sort_keys=True, default=str)
        found.append(Seen(earlier=one, target=one.target, space=space, features=features, rows=rows))
    return found, silent


def distances(seen: Sequence[Seen], seed: int, groups: np.ndarray | None = None) -> list[Distance]:
    """Of each artifact, all along as many axes as the smallest of them keeps, so that they can be compared."""
    if not seen:
        return []
    count = len(seen[0].features)
    axes = axes_for(count, min(len(s.target.moments.axes) for s in seen))
    halves = _halves(count, groups, seed)
    found: list[Distance] = []
    for one in seen:
        unit = max(spread_of(one.features), 1e-30) ** 2
        moments, redrawn = one.target.moments, one.target.redrawn
        measured, again = moments.square(one.features, axes) / unit, redrawn.square(axes, count) / unit
        parts = [one.features[h] for h in halves]
        off = [(moments.square(p, axes) - redrawn.square(axes, len(p))) / unit for p in parts]
        found.append(Distance(
            square=measured - again, measured=measured, again=again, halves=np.array(off),
            widening=float((1 + count / moments.rows) ** 0.5),
        ))  # fmt: skip
    return found


def _halves(count: int, groups: np.ndarray | None, seed: int) -> list[np.ndarray]:
    """Random halves of the rows, or of the groups."""
    generator = numpy_generator(seed, "near")
    number = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    many = int(number.max()) + 1
    drawn = [generator.permutation(many)[: max(1, many // 2)] for _ in range(HALVES)]
    return [np.flatnonzero(np.isin(number, d)) for d in drawn]


def near_targets(workshop: Workshop, seen: Sequence[Seen], silent: dict[str, str],
                 earlier: Sequence[Earlier]) -> dict[str, Any]:  # fmt: skip
    """As JSON: the artifacts, the nearest first, those that tell nothing last; and one sentence over all."""
    domain = workshop.domain
    groups = domain.groups[seen[0].rows] if seen and domain.groups is not None else None
    measured = list(zip(seen, distances(seen, workshop.seed, groups), strict=True))
    measured.sort(key=lambda pair: pair[1].square)
    told = [_told(workshop, one, distance) for one, distance in measured]
    told += [_nothing(e, silent[e.path]) for e in earlier if e.path in silent]
    return {"sentence": _order(measured), "artifacts": told}


def _told(workshop: Workshop, seen: Seen, distance: Distance) -> dict[str, Any]:
    earlier, moments = seen.earlier, seen.target.moments
    times = (distance.measured / max(distance.again, 1e-30)) ** 0.5
    value = root(distance.square)
    how = "near" if value < NEAR else "not far" if value < FAR else "far"
    if times < ALIKE:
        sentence = f"as near as another draw of the same data ({times:.2f} times as far)"
    else:
        sentence = f"{how}: {value:.2f} of the data's own spread away, {times:.1f} times as far as another draw"
    return _named(earlier) | {
        "rows": moments.rows, "value": value, "interval": distance.interval, "times": times,
        "again": distance.again**0.5, "alike": times < ALIKE, "classes": _classes(workshop, seen), "sentence": sentence,
    }  # fmt: skip


def _nothing(earlier: Earlier, why: str) -> dict[str, Any]:
    nothing = {"value": None, "interval": None, "times": None, "again": None, "alike": False, "classes": []}
    return _named(earlier) | {"rows": 0} | nothing | {"sentence": f"does not tell: {why}"}


def _named(earlier: Earlier) -> dict[str, Any]:
    return {"artifact": earlier.path, "label": earlier.label, "name": earlier.name, "source": earlier.source}


def _classes(workshop: Workshop, seen: Seen) -> list[dict[str, Any]]:
    """For each class of the data the classes of the artifact whose centres are nearest, the chance of few rows off."""
    domain, theirs = workshop.domain, seen.target.classes
    ours = classes_of(seen.features, domain.targets[seen.rows], least=1)
    if seen.earlier.task is None or not len(theirs.number):
        return []
    names, known, unit = class_names(domain.task), class_names(seen.earlier.task), max(spread_of(seen.features), 1e-30)
    found: list[dict[str, Any]] = []
    for number, rows, centre in zip(ours.number, ours.rows, ours.centre, strict=True):
        chance = ours.within / rows + theirs.within / theirs.rows
        square = (theirs.centre - centre).square().sum(1).numpy() - chance
        near = [{"name": known[int(theirs.number[k])], "value": root(float(square[k])) / unit}
                for k in np.argsort(square, kind="stable")[:SHOWN]]  # fmt: skip
        found.append({"class": names[int(number)], "rows": int(rows), "near": near})
    return found


def _order(measured: Sequence[tuple[Seen, Distance]]) -> str:
    """Which are nearer, as far as the rows tell."""
    if len(measured) < 2:
        return ""
    (first, nearest), others = measured[0], measured[1:]
    level = [(s, d) for s, d in others if not _surely(nearest, d)]
    beyond = [(s, d) for s, d in others if _surely(nearest, d)]
    said = f"nearer to {_name(first, nearest)}"
    if level:
        said = f"as near to {_name(first, nearest)} as to {_names(level)}, as far as {len(first.rows)} rows tell"
        said += f"; nearer to {first.earlier.label}" if beyond else ""
    said += f" than to {_names(beyond)}" if beyond else ""
    rough = len({s.space for s, _ in measured}) > 1
    return said + ("; they were seen through different sources, so compare them roughly" if rough else "")


def _surely(near: Distance, far: Distance) -> bool:
    """Whether one is nearer beyond the error of the gap, which halves of the same rows show."""
    error = max(near.widening, far.widening) * float((far.halves - near.halves).std())
    return far.square - near.square > 1.96 * error


def _name(seen: Seen, distance: Distance) -> str:
    return f"{seen.earlier.label} ({root(distance.square):.2f})"


def _names(measured: Sequence[tuple[Seen, Distance]]) -> str:
    named = [_name(s, d) for s, d in measured]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 2 else named)
