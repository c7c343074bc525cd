"""Whether pretraining paid: the probe's cross-validated score on labelled rows, before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from landbridge.core import codec
from landbridge.core.recipe import Recipe
from landbridge.engine.workshop import Workshop
from landbridge.planning.measuring import Candidate, measure

SCORE = "probe"


def paid(workshop: Workshop, before: Recipe, after: str, rows: np.ndarray, seed: int) -> dict[str, Any]:
    """The probe's score on `rows` over the source of a recipe and over the source `after`, and whether it rose.

    It did where the rise is more than its standard error, which is its spread over random halves of the rows.
    """
    native = codec.parse("bridges", "native")
    found: dict[str, Candidate] = {}
    for name, source, bridge in (("before", before.source, before.bridge), ("after", after, native)):
        road = workshop.road(source, bridge, rows)
        found[name] = Candidate(features=workshop.features(road, (), rows))
    domain = workshop.domain
    measured = measure(found, domain.targets[rows], domain.task, scores=(SCORE,), seed=seed)
    first, second = measured.values[:, 0]
    error = float(np.nanstd(measured.resampled[:, 1, 0] - measured.resampled[:, 0, 0], ddof=1))
    return {
        "score": SCORE,
        "metric": domain.task.metric,
        "rows": len(rows),
        "before": float(first),
        "after": float(second),
        "rise": float(second - first),
        "standard_error": error,
        "pays": bool(second - first > error),
    }
