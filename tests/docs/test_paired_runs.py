"""Runs of two sides are compared row by row, over the seeds that both have."""

from __future__ import annotations

import runpy

import numpy as np
from blocks import ROOT

PAIRED = runpy.run_path(str(ROOT / "benchmarks" / "paired.py"))


def run(side: str, seed: int, right: list[bool], seconds: float) -> dict[str, object]:
    """A finished run of one cell."""
    bits, rows = PAIRED["packed"](right), len(right)
    cost = {"wall_s": seconds, "peak_mb": 100.0, "budget_s": 10.0}
    return {"cell": "notes", "side": side, "seed": seed, "right": bits, "rows": rows, **cost}


def test_bits_come_back() -> None:
    right = [True, False, False, True, True, False, True, False, True, True, False]
    assert PAIRED["unpacked"](PAIRED["packed"](right), len(right)).tolist() == [float(r) for r in right]


def test_the_interval_is_that_of_paired_rows() -> None:
    rng = np.random.default_rng(0)
    theirs_SN = (rng.random((1, 400)) < 0.7).astype(float)
    ours_SN = theirs_SN.copy()
    assert PAIRED["difference"](ours_SN, theirs_SN) == (0.0, [0.0, 0.0])  # the same rows right: no doubt is left
    gained = np.flatnonzero(theirs_SN[0] == 0)[:40]
    ours_SN[0, gained] = 1.0
    value, (low, high) = PAIRED["difference"](ours_SN, theirs_SN)
    assert value == 0.1
    spread = 1.96 * np.sqrt(0.1 * 0.9 / 400)  # of a share, as rows only ever gain
    assert abs(low - (0.1 - spread)) < 0.01
    assert abs(high - (0.1 + spread)) < 0.01


def test_only_seeds_of_both_sides_count() -> None:
    runs = [
        run("landbridge", 0, [True, True, False, True], 5.0),
        run("landbridge", 1, [False, False, False, False], 5.0),
        run("peer:default", 0, [True, False, False, False], 20.0),
        {"cell": "notes", "side": "peer:default", "seed": 1, "error": ["killed"], "wall_s": 1.0},
    ]
    (pair,) = PAIRED["compared"]({str(i): r for i, r in enumerate(runs)})
    assert (pair["seeds"], pair["accuracy"], pair["difference"]) == ([0], [0.75, 0.25], 0.5)
    assert (pair["wall_ratio"], pair["over_budget"]) == (0.25, [0.5, 2.0])
