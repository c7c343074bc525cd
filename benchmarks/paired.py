"""Runs of two sides on the same test rows, compared pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

DRAWS = 2000
OURS = ("landbridge", "landbridge_share")


def packed(right: Sequence[bool]) -> str:
    """Which rows were right, a bit each, as hexadecimal digits."""
    return np.packbits(np.array(right, bool)).tobytes().hex()


def unpacked(text: str, rows: int) -> np.ndarray:
    """The bits again."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=rows).astype(float)


def difference(ours_SN: np.ndarray, theirs_SN: np.ndarray) -> tuple[float, list[float]]:
    """Mean difference over seeds and rows, and its 95 % interval by a bootstrap that draws seeds and rows."""
    gap_SN = ours_SN - theirs_SN
    seeds, rows = gap_SN.shape
    rng = np.random.default_rng(0)
    means = [
        gap_SN[rng.integers(seeds, size=seeds)].mean(0)[rng.integers(rows, size=rows)].mean() for _ in range(DRAWS)
    ]
    return float(gap_SN.mean()), [float(q) for q in np.quantile(means, (0.025, 0.975))]


def compared(runs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each cell each of our sides against each of theirs, over the seeds that both have finished."""
    cells: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    for run in runs.values():
        if "right" in run:
            cells.setdefault(run["cell"], {}).setdefault(run["side"], {})[run["seed"]] = run
    return [
        _pair(cell, mine, other, sides)
        for cell, sides in cells.items()
        for mine in OURS
        for other in sides
        if other not in OURS and mine in sides and sides[mine].keys() & sides[other].keys()
    ]


def _pair(cell: str, mine: str, other: str, sides: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> dict[str, Any]:
    seeds = sorted(sides[mine].keys() & sides[other].keys())
    ours, theirs = [sides[mine][s] for s in seeds], [sides[other][s] for s in seeds]
    bits = [np.stack([unpacked(r["right"], r["rows"]) for r in side]) for side in (ours, theirs)]
    value, interval = difference(*bits)
    return {
        "cell": cell, "ours": mine, "theirs": other, "seeds": seeds, "rows": ours[0]["rows"],
        "accuracy": [float(b.mean()) for b in bits], "difference": value, "interval": interval,
        "wall_s": [float(np.median([r["wall_s"] for r in side])) for side in (ours, theirs)],
        "wall_ratio": float(np.median([o["wall_s"] / t["wall_s"] for o, t in zip(ours, theirs, strict=True)])),
        "over_budget": [float(max(r["wall_s"] / r["budget_s"] for r in side)) for side in (ours, theirs)],
        "peak_mb": [float(max(r["peak_mb"] for r in side)) for side in (ours, theirs)],
        "cut": sum(bool(r.get("cut")) for r in theirs),
    }  # fmt: skip
