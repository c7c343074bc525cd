"""The worst mistakes, shown as what they are: pictures, texts, sounds, rows, series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landbridge.core.domain import Domain
from landbridge.core.finding import Finding

MOST = 24


def with_pictures(domain: Domain, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The rows of the `mistakes` finding, each with safe inline HTML of its example."""
    found = next((f for f in findings if f.name == "mistakes"), None)
    rows = list(found.data.get("rows", []))[:MOST] if found is not None else []
    return [
        {
            "label": row["label"],
            "truth": row["truth"],
            "predicted": row["predicted"],
            "confidence": row.get("confidence"),
            "residual": row.get("residual"),
            "html": domain.modality.thumbnail(domain.example(int(row["row"]))),
        }
        for row in rows
    ]
