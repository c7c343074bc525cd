"""A time series becomes a picture, so that an image source can look at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from landbridge.bridges.rerouted import rerouted
from landbridge.core.batch import Inputs
from landbridge.core.domain import Domain
from landbridge.core.errors import DataError, UsageError
from landbridge.core.model import Body
from landbridge.core.parts import choice, part, whole
from landbridge.nn.image_prepare import ImagePrepare
from landbridge.nn.series_image import angular_difference, angular_sum, line, recurrence, resampled
from landbridge.nn.views import Jitter

LOOKED_AT = 1000  # training series from which the range is learnt
PLANES = {
    "fields": (angular_sum, angular_difference, recurrence),
    "recurrence": (recurrence, recurrence, recurrence),
    "line": (line, line, line),
}


@dataclass(frozen=True, kw_only=True)
class PlotPrepare:
    """A series as a square picture in colour; several channels stand side by side in a square of squares.

    `low` and `high` are the training range of each channel, which becomes [-1, 1]; values outside are clipped.
    """

    kind: str
    size: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    image: ImagePrepare

    def __call__(self, example: np.ndarray) -> dict[str, np.ndarray]:
        """One series (channels, length) as `cells`, uint8 (size, size, 3); DataError where it has other channels."""
        if len(example) != len(self.low):
            told = f"a series has {len(example)} channels where {len(self.low)} are expected"
            raise DataError(f"{told}; give the channels that the model learnt from")
        across = math.ceil(math.sqrt(len(example)))
        edge = self.size // across
        low, high = np.array(self.low)[:, None], np.array(self.high)[:, None]
        unit = np.clip(2 * (resampled(np.asarray(example, np.float64), edge) - low) / (high - low) - 1, -1, 1)
        canvas = np.full((self.size, self.size, 3), 127, np.uint8)
        for c, values in enumerate(unit):
            picture = np.stack([plane(values) for plane in PLANES[self.kind]], axis=-1)
            down, right = divmod(c, across)
            place = np.s_[down * edge : (down + 1) * edge, right * edge : (right + 1) * edge]
            canvas[place] = np.rint((picture + 1) * 127.5).astype(np.uint8)
        return {"cells": canvas}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Pictures as `pixels`, float32 (B, channels, size, size), normalised as the source's own."""
        stacked = torch.from_numpy(np.stack([row["cells"] for row in rows])).permute(0, 3, 1, 2).float() / 255
        if self.image.channels == 1:
            stacked = stacked.mean(1, keepdim=True)
        return {"pixels": self.image.normalise(stacked)}

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {"kind": "plot", **asdict(self), "plot": self.kind, "image": self.image.spec()}


@part("plot", paper="Wang & Oates 2015, Imaging Time-Series to Improve Classification and Imputation, IJCAI")
class Plot:
    """Series as pictures for an image source.

    kind "fields" puts the Gramian angular summation field into red, the difference field into green and the recurrence
    plot into blue; "recurrence" and "line" use one picture for all colours. Views scale it and add noise.
    """

    kind: str = choice("fields", "fields", "recurrence", "line", help="how a series is drawn")
    size: int = whole(128, 32, 1024, help="edge of the picture in pixels")
    routes: ClassVar[tuple[tuple[str, str], ...]] = (("series", "image"),)

    def fit(self, body: Body, domain: Domain, rows: np.ndarray) -> dict[str, Any]:
        """The range of each channel that holds all but the outermost 0.5 % of the training values on either side."""
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
        values = np.concatenate([np.asarray(series, np.float64) for series in domain.examples(chosen)], axis=1)
        values = np.where(np.isfinite(values), values, np.nan)
        values[np.isnan(values).all(1)] = 0.0
        low, high = np.nanquantile(values, (0.005, 0.995), axis=1)
        high = np.where(high > low, high, low + 1.0)
        return {"low": [float(v) for v in low], "high": [float(v) for v in high]}

    def connect(self, body: Body, facts: Mapping[str, Any]) -> Body:
        """The image body, reading series; shares its weights."""
        if not isinstance(body.prepare, ImagePrepare):
            raise UsageError(f"plot: needs an image source, {body.address} reads {body.reads}")
        prepare = PlotPrepare(
            kind=self.kind, size=self.size, low=tuple(facts["low"]), high=tuple(facts["high"]), image=body.prepare
        )
        return rerouted(body, reads="series", prepare=prepare, views=Jitter())
