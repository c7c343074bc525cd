"""A time series becomes a curve of one length on two scales, so that a source that has learnt on curves can read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from landbridge.bridges.rerouted import rerouted
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.nn.curve_prepare import CurvePrepare, Slowed

LOOKED_AT = 1000  # training series from which the common scale is learnt


@part("curves")
class Curves:
    """Series for a source that reads curves: stretched to its length, on their own scale and on that of all of them.

    The first scale shows the shape, the second also level and strength. How long a series was is not told.
    """

    routes: ClassVar[tuple[tuple[str, str], ...]] = (("series", "curves"),)

    def fit(self, body: Body, domain: Domain, rows: np.ndarray) -> dict[str, Any]:
        """Mean and deviation of each channel over the training series, each series counting alike."""
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
        found = [np.asarray(series, np.float64) for series in domain.examples(chosen)]
        level = np.mean([s.mean(1) for s in found], axis=0)
        square = np.mean([((s - level[:, None]) ** 2).mean(1) for s in found], axis=0)
        spread = np.where(square > 0, np.sqrt(square), 1.0)
        return {"level": [float(v) for v in level], "spread": [float(v) for v in spread]}

    def connect(self, body: Body, facts: Mapping[str, Any]) -> Body:
        """The body, reading series."""
        if not isinstance(body.prepare, CurvePrepare):
            raise UsageError(f"curves: needs a source that reads curves, {body.address} reads {body.reads}")
        prepare = CurvePrepare(body.prepare.points, tuple(facts["level"]), tuple(facts["spread"]))
        return rerouted(body, reads="series", prepare=prepare, views=Slowed())
