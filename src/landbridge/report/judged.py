"""Calibration and confusion: the two findings that are drawn rather than listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landbridge.report import figures
from landbridge.report.sections import READABLE, finding
from landbridge.report.words import interval, number, percent

MOST_PAIRS = 20


def calibration(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reliability diagram before and after temperature scaling; None where nothing was measured."""
    before, after = finding(evidence, "calibration.ece"), finding(evidence, "calibration.ece_after")
    if before is None:
        return None
    drawn = [("before", _bins(before))] + ([("after", _bins(after))] if after is not None else [])
    return {
        "svg": figures.reliability(drawn),
        "rows": [
            {
                "name": name,
                "ece": number(f["value"]),
                "range": interval(f.get("interval")),
                "log_loss": number(f["data"].get("log_loss")),
                "temperature": number(f["data"].get("temperature")),
            }
            for name, f in (("before", before), ("after", after))
            if f is not None
        ],
    }


def confusion(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """The matrix where it can be read, and the pairs that are confused most."""
    found = finding(evidence, "confusion")
    if found is None or not found.get("data"):
        return None
    data = found["data"]
    names = [str(n) for n in data["classes"]]
    matrix = data.get("matrix")
    pairs = [
        {"truth": p["truth"], "predicted": p["predicted"], "count": p["rows"], "share": percent(p["share"])}
        for p in data.get("pairs", [])[:MOST_PAIRS]
    ]
    shown = figures.heat(names, matrix) if matrix is not None and len(names) <= READABLE else None
    return {"svg": shown, "pairs": pairs, "classes": len(names)}


def _bins(found: Mapping[str, Any]) -> list[dict[str, float]]:
    data = found["data"]
    columns = zip(data["confidence"], data["hits"], data["rows"], strict=True)
    return [{"confidence": c, "accuracy": h, "count": n} for c, h, n in columns]
