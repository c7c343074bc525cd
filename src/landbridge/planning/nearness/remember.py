"""What a run keeps of its target for later ones, so that they can say how near their data is to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from landbridge.core.errors import OutOfTimeError
from landbridge.core.recipe import Recipe
from landbridge.engine.workshop import Workshop
from landbridge.planning.nearness.target import LEAST_ROWS, Target, rows_remembered

SURE = 0.7  # of the rows that would just be read in time are read


def remembered(
    workshop: Workshop, recipe: Recipe, facts: Mapping[str, Any], rows: np.ndarray, seconds: float
) -> tuple[dict[str, Any], bytes | None]:
    """What evidence says of it, and the file: moments of the untrained source's features over training `rows`.

    A probe has left these features in the store; where they must be read anew, only as many rows as `seconds` allow.
    `facts` are what the recipe's bridge learnt.
    """
    if recipe.source.startswith(("rival:", "scratch:")):
        kind = "a control" if recipe.source.startswith("rival:") else "a model from scratch"
        return {"rows": 0, "why": f"{kind} was delivered, which has no source to see the target through"}, None
    domain, seed = workshop.domain, workshop.seed
    rows = rows[rows_remembered(domain.targets[rows], domain.task, seed)]
    if len(rows) < LEAST_ROWS:
        why = f"{len(rows)} training rows are too few for moments that give none of them away ({LEAST_ROWS} are needed)"
        return {"rows": 0, "why": why}, None
    road = workshop.road_by(recipe.source, recipe.bridge, facts, rows)
    try:
        features = workshop.features(road, (), rows, ends=time.monotonic() + seconds)
    except OutOfTimeError as late:
        fewer = np.linspace(0, len(rows) - 1, int(SURE * late.share * len(rows))).astype(int)
        if len(fewer) < LEAST_ROWS:
            return {"rows": 0, "why": f"there was no time to read rows for it: {late}"}, None
        rows = rows[fewer]
        features = workshop.features(road, (), rows)
    if not np.isfinite(features).all():
        return {"rows": 0, "why": "the source gives features that are not finite"}, None
    groups = None if domain.groups is None else domain.groups[rows]
    target = Target.of(features, domain.targets[rows], seed, groups)
    return {"rows": len(rows), "classes": len(target.classes.number), "why": ""}, target.to_bytes()
