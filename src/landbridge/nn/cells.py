"""Rows of a table as cells of numbers: how a network that learns in context is given them.

Shapes: F columns, K channels of a cell, B batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landbridge.core.batch import Inputs
from landbridge.nn.table_net import CHANNELS

UNIT = 512  # cells are kept as whole numbers of this part, so that no precision that is trained in rounds them
SPAN = 1.75  # ranks from 0 to 1 become numbers from -SPAN to SPAN, about as wide as a standard deviation of 1
FAR = 4.0  # standard deviations beyond which a number is as far as that


@dataclass(frozen=True)
class Cells:
    """An array FxK of channels (rank, distance, missing, category) as it is."""

    columns: int

    def __call__(self, example: Any) -> dict[str, np.ndarray]:
        """The whole numbers of one row."""
        return {"cells": whole(np.asarray(example, np.float64).reshape(self.columns, CHANNELS))}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """BxFxK."""
        return stacked(rows)

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {"kind": "cells", "columns": self.columns, "unit": UNIT}


def whole(cells: np.ndarray) -> np.ndarray:
    """Channels FxK as int16 in units of 1/512, at most 2048, which float16 and bfloat16 sums hold without rounding."""
    return np.round(np.clip(cells, -FAR, FAR) * UNIT).astype(np.int16)


def stacked(rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
    """Prepared rows as one tensor BxFxK."""
    return {"cells": torch.from_numpy(np.stack([row["cells"] for row in rows]))}


def tokens(cells: Tensor) -> Tensor:
    """Whole numbers BxFxK to the channels they stand for."""
    return cells.float() / UNIT
