"""Whether the gain of transfer is told about transfer, and against what is delivered."""

from __future__ import annotations

import numpy as np
import pytest

from landbridge.core.finding import Judgement
from landbridge.report.judgement import transfer_gain
from landbridge.tasks.classify import Classify

TRUTH = np.tile([0, 1], 50)


def _right(count: int) -> np.ndarray:
    """Outputs of which the first `count` rows are right."""
    said = np.where(np.arange(100) < count, TRUTH, 1 - TRUTH)
    return np.eye(2, dtype=np.float32)[said] * 4


BY_ROLE = {"transfer": _right(80), "rival": _right(84), "scratch": _right(86)}


def _judgement(role: str) -> Judgement:
    controls = {r: o for r, o in BY_ROLE.items() if r != "transfer"}
    return Judgement(
        task=Classify(classes=("no", "yes")), rows=np.arange(100), target=TRUTH, output=BY_ROLE[role],
        controls=controls, validation_target=TRUTH, validation_output=BY_ROLE[role], slices={}, seed=0,
    )  # fmt: skip


def test_transfer_is_held_against_the_best_control() -> None:
    found = transfer_gain(_judgement("transfer"), BY_ROLE, "transfer")
    assert found["against"] == "scratch" and found["value"] == pytest.approx(-0.06)
    assert found["transfer"]["value"] == pytest.approx(0.8)
    low, high = found["transfer"]["interval"]
    assert low < 0.8 < high
    assert "(scratch)" in found["headline"]


def test_where_a_control_is_delivered_transfer_is_held_against_it() -> None:
    found = transfer_gain(_judgement("rival"), BY_ROLE, "rival", "rival")
    assert found["against"] == "rival" and found["value"] == pytest.approx(-0.04)
    assert found["transfer"]["value"] == pytest.approx(0.8)
    assert "rival control" in found["headline"] and "-0.040" in found["headline"] and "0.840" in found["headline"]
    assert found["controls"]["scratch"]["value"] == pytest.approx(-0.06)


def test_without_a_transfer_nothing_is_held() -> None:
    only = {r: o for r, o in BY_ROLE.items() if r != "transfer"}
    found = transfer_gain(_judgement("rival"), only, "rival")
    assert found["verdict"] == "no difference" and "transfer" not in found
    assert found["headline"].startswith("No transfer was tried")
