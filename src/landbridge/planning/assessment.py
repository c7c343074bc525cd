"""The data against the sources: nearness, layers, confused classes, and what more labels would bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landbridge.core.progress import Tick
from landbridge.engine.workshop import Workshop
from landbridge.planning import labels_worth, layers
from landbridge.planning.candidates import Candidate
from landbridge.planning.confused import confused_pairs, separability
from landbridge.planning.layers import Reading
from landbridge.planning.nearness.near import nearness
from landbridge.planning.scores.rows import kind_of


def ways(candidates: Sequence[Candidate]) -> list[tuple[str, Any]]:
    """Each source with each bridge to it, once; architectures without knowledge left out."""
    found: list[tuple[str, Any]] = []
    for candidate in candidates:
        way = candidate.recipe.source, candidate.recipe.bridge
        if way not in found and not way[0].startswith(("scratch:", "rival:")):
            found.append(way)
    return found


def read_sources(workshop: Workshop, candidates: Sequence[Candidate]) -> list[Reading]:
    """The sources surveyed on training and validation rows, best first."""
    workshop.progress(Tick(stage="survey", detail="layers"))
    named = ways(candidates)
    return layers.survey(workshop, named, layers.rows_looked_at(workshop)) if named else []


def assessed(workshop: Workshop, readings: Sequence[Reading]) -> dict[str, Any]:
    """What the readings say, as JSON: `sources` one by one, the rest about the best of them."""
    found: dict[str, Any] = {
        "metric": workshop.domain.task.metric, "looked_at": 0, "sources": [], "confused": [], "separability": [],
        "labels": None,
    }  # fmt: skip
    seen: set[str] = set()
    for reading in readings:
        source = reading.road.source
        workshop.progress(Tick(stage="survey", detail=f"nearness of {source}"))
        near = nearness(workshop, reading) if source not in seen else None  # of its best bridge
        seen.add(source)
        found["sources"].append(layers.told(reading) | {"near": near})
    if not readings:
        return found
    best, domain = readings[0], workshop.domain
    labels = domain.targets[best.rows]
    found["looked_at"] = len(best.rows)
    if kind_of(labels) == "classes":
        found["confused"] = confused_pairs(best.output, labels, domain.task)
        found["separability"] = separability(best.output, labels, domain.task)
    workshop.progress(Tick(stage="survey", detail="learning curve"))
    groups = None if domain.groups is None else domain.groups[best.rows]
    curve = labels_worth.learning_curve(best.features, labels, domain.task, seed=workshop.seed, groups=groups)
    found["labels"] = labels_worth.told(curve, labels)
    return found
