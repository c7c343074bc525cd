"""Which layer of a source serves best: features at every depth, scored and probed; the test stays shut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from landbridge.core import codec
from landbridge.core.seeds import numpy_generator
from landbridge.engine.workshop import Road, Workshop
from landbridge.evidence.bootstrap import measured, units
from landbridge.evidence.intervals import Interval
from landbridge.planning.held_out import held_out_outputs
from landbridge.planning.measuring import Candidate, measure
from landbridge.planning.ranking import DEFAULT
from landbridge.planning.scores.rows import some

MOST = 2000  # rows that are looked at, class by class
SCORES = tuple(s for s in DEFAULT if s != "probe")  # the probe is measured by itself here
SCORED, HALVES = 600, 4  # rows of the combined score, and random halves of them for its error


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One depth of one source: how well a probe tells the labels there, and its place by the combined score."""

    source: str
    bridge: Any
    name: str
    depth: int  # blocks below it
    width: int
    value: float
    interval: Interval | None
    place: float  # standard deviations above the mean of all layers of all sources
    place_error: float


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A source behind a bridge, its layers from first to last, and the best one with what its probe said."""

    road: Road
    rows: np.ndarray
    layers: tuple[Layer, ...]
    best: Layer
    features: np.ndarray  # of the best layer
    output: np.ndarray  # held out, of the probe there

    @property
    def last(self) -> Layer:
        """The layer that the source itself ends with."""
        return self.layers[-1]


def rows_looked_at(workshop: Workshop, most: int = MOST) -> np.ndarray:
    """Training and validation rows of the first fold, at most so many; never a test row."""
    domain, rest = workshop.domain, workshop.domain.folds[0].rest
    strata = domain.task.strata(domain.targets[rest])
    strata = np.zeros(len(rest), np.int64) if strata is None else np.unique(strata, return_inverse=True)[1].reshape(-1)
    return rest[some(strata, most, numpy_generator(workshop.seed, "looked at"))]


def depth_features(workshop: Workshop, road: Road, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Features after each block as the store keeps them: the mean over positions, and the source's own at the end."""
    made: dict[str, np.ndarray] = {}
    for depth in range(1, len(road.body.blocks)):
        made[f"block {depth}"] = workshop.features(road, (depth,), rows)[:, : -road.body.width]
    made["end"] = workshop.features(road, (), rows)
    return made


def survey(workshop: Workshop, ways: Sequence[tuple[str, Any]], rows: np.ndarray) -> list[Reading]:
    """Every (source, bridge) read once at all depths, best first by the probe of its best layer."""
    domain, seed = workshop.domain, workshop.seed
    labels = domain.targets[rows]
    roads = [workshop.road(source, bridge, domain.folds[0].rest) for source, bridge in ways]
    features = [depth_features(workshop, road, rows) for road in roads]
    named = {f"{i} {name}": Candidate(features=f) for i, each in enumerate(features) for name, f in each.items()}
    places = {p.candidate: p for p in measure(
        named, labels, domain.task, scores=SCORES, resamples=HALVES, most=SCORED, seed=seed).ranked()}  # fmt: skip
    found: list[Reading] = []
    for i, (road, each) in enumerate(zip(roads, features, strict=True)):
        layers, outputs = list[Layer](), list[np.ndarray]()
        for number, (name, values) in enumerate(each.items(), 1):
            outputs.append(_held_out(workshop, values, rows))
            value, interval = _measured(workshop, outputs[-1], rows)
            place = places[f"{i} {name}"]
            layers.append(Layer(
                source=road.source, bridge=road.bridge, name=name, depth=number, width=values.shape[1], value=value,
                interval=interval, place=place.value, place_error=place.error,
            ))  # fmt: skip
        best = max(range(len(layers)), key=lambda k: (layers[k].value, k))  # of equals the later one
        kept = list(each.values())[best]
        found.append(Reading(road=road, rows=rows, layers=tuple(layers), best=layers[best], features=kept,
                             output=outputs[best]))  # fmt: skip
    return sorted(found, key=lambda r: -r.best.value)


def _held_out(workshop: Workshop, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    domain = workshop.domain
    groups = None if domain.groups is None else domain.groups[rows]
    return held_out_outputs(features, domain.targets[rows], domain.task, seed=workshop.seed, groups=groups)


def _measured(workshop: Workshop, output: np.ndarray, rows: np.ndarray) -> tuple[float, Interval | None]:
    domain = workshop.domain
    unit = units(rows, None if domain.groups is None else domain.groups[rows])
    metric = domain.task.metric
    return measured(domain.task, output, domain.targets[rows], unit, [metric], workshop.seed, count=200)[metric]


def told(reading: Reading) -> dict[str, Any]:
    """A reading as JSON."""
    return {
        "source": reading.road.source,
        "bridge": codec.text(reading.road.bridge),
        "best": reading.best.name,
        "value": reading.best.value,
        "interval": reading.best.interval,
        "last": reading.last.value,
        "layers": [
            {"name": x.name, "width": x.width, "value": x.value, "interval": x.interval, "place": x.place,
             "place_error": x.place_error} for x in reading.layers
        ],
    }  # fmt: skip
