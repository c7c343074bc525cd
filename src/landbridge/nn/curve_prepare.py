"""Series as curves of one length on two scales: how `CurveNet` is given them.

Shapes: B batch, C channels, L points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landbridge.core.batch import Inputs
from landbridge.core.errors import DataError
from landbridge.nn.series_image import resampled

FAR = 6.0  # deviations beyond which a value is as far as that
FLAT = 1e-4  # of the common spread: a curve that varies less is not blown up


@dataclass(frozen=True)
class CurvePrepare:
    """A series CxL' stretched to `points`: less its own mean over its own deviation, and on the scale of all.

    `level` and `spread` are mean and deviation of each channel over the training series. Missing values are bridged.
    Without them any number of channels is taken as it is.
    """

    points: int
    level: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    def __call__(self, example: Any) -> dict[str, np.ndarray]:
        """`own` and `common`, float32 CxL; DataError where there are other channels than expected."""
        curve = resampled(np.asarray(example, np.float64), self.points)
        level, spread = np.zeros(len(curve)), np.ones(len(curve))
        if self.level:
            if len(curve) != len(self.level):
                told = f"a series has {len(curve)} channels where {len(self.level)} are expected"
                raise DataError(f"{told}; give the channels that the model learnt from")
            level, spread = np.array(self.level), np.array(self.spread)
        common = (curve - level[:, None]) / spread[:, None]
        own = (common - common.mean(1, keepdims=True)) / (common.std(1, keepdims=True) + FLAT)
        return {n: np.clip(v, -FAR, FAR).astype(np.float32) for n, v in (("own", own), ("common", common))}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Both as BxCxL; DataError where series of one batch have different channels."""
        if len({len(row["own"]) for row in rows}) > 1:
            raise DataError("series have different numbers of channels; give all the same")
        return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in ("own", "common")}

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {"kind": "curve", **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Slowed:
    """Views for training: a stretch of the time of at least `share`, drawn over the whole length, on both scales."""

    share: float = 0.9

    def strong(self) -> Slowed:
        """At least half of the time, for learning without labels."""
        return Slowed(share=0.5)

    def __call__(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """`own` and `common` changed alike; every other entry as it was."""
        size, length = inputs["own"].shape[0], inputs["own"].shape[2]
        draws = torch.rand(size, 2, generator=generator)
        share = self.share + (1 - self.share) * draws[:, 0]
        start = draws[:, 1] * (1 - share)
        at = (start[:, None] + share[:, None] * torch.linspace(0, 1, length)) * (length - 1)
        low = at.floor().clamp(0, length - 2)
        return {**inputs, **{n: _between(inputs[n], low.long(), at - low) for n in ("own", "common")}}


def _between(curve_BCL: Tensor, low_BL: Tensor, part_BL: Tensor) -> Tensor:
    """Linear between the point at `low` and the next."""
    low = low_BL.to(curve_BCL.device)[:, None].expand_as(curve_BCL)
    part = part_BL.to(curve_BCL)[:, None]
    return curve_BCL.gather(2, low) * (1 - part) + curve_BCL.gather(2, low + 1) * part
