"""The smallest domains that a bridge can be fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from landbridge.core.domain import Domain
from landbridge.core.registry import find


def domain(modality: str, cells: Sequence[Any], reading: Mapping[str, Any] | None = None) -> Domain:
    """A domain of two classes whose rows are given examples."""
    targets = np.arange(len(cells)) % 2
    return Domain(
        name="toy",
        modality=find("modalities", modality)(),
        task=find("tasks", "classify")(classes=("a", "b")),
        cells=cells,
        targets=targets,
        folds=(),
        fingerprint="toy",
        reading=reading or {},
    )
