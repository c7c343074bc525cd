"""Slices: a weak one is found, luck is not."""

from dataclasses import replace

import numpy as np
import pytest
from judged import classes

from landbridge.evidence.intervals import independent_difference, wilson
from landbridge.evidence.slices import Slices, parts_of


def test_a_weak_slice_is_found_and_numbers_are_right() -> None:
    judgement = classes(400, 2, strength=3.0)
    sex = np.where(np.arange(400) < 80, "F", "M")
    output = judgement.output.copy()
    output[:80:2] = output[:80:2, ::-1]  # every second row of the slice is answered the wrong way round
    judgement = replace(judgement, output=output, slices={"sex": sex})
    worst, best = Slices().findings(judgement)
    right = output.argmax(1) == judgement.target
    inside, outside = right[:80].mean(), right[80:].mean()
    assert worst.name == "slices.sex=F" and worst.severity == "warning"
    assert worst.value == pytest.approx(inside)
    assert worst.interval == pytest.approx(wilson(inside, 80))
    expected = independent_difference(inside, wilson(inside, 80), outside, wilson(outside, 320))
    assert worst.data["gap"] == pytest.approx(inside - outside)
    assert worst.data["gap_interval"] == pytest.approx(expected)
    assert best.severity == "note" and best.data["slices_compared"] == 2


def test_luck_is_not_reported() -> None:
    """Twenty random slices in each of sixty worlds: the adjusted p-values raise a false alarm in few of them."""
    alarms = 0
    for seed in range(60):
        judgement = classes(300, 2, seed)
        draw = np.random.default_rng(seed)
        marks = {f"m{i}": draw.choice(["x", "y"], 300) for i in range(10)}
        alarms += any(f.severity == "warning" for f in Slices().findings(replace(judgement, slices=marks)))
    assert alarms / 60 <= 0.1


def test_small_slices_are_left_out_and_the_number_is_bounded() -> None:
    judgement = classes(300, 2)
    names = np.array([f"v{i}" for i in np.repeat(np.arange(29), 10)] + ["rare"] * 5 + [None] * 5, dtype=object)
    found = list(Slices(most=7).findings(replace(judgement, slices={"site": names})))
    assert len(found) == 7 and found[0].data["slices_compared"] == 29
    gaps = [f.data["gap"] for f in found]
    assert gaps == sorted(gaps)


def test_parts_of_numbers_texts_and_missing() -> None:
    age = np.r_[np.arange(100.0), np.nan]
    found = dict(parts_of(age))
    quarters = {"0..24.75": 25, "24.75..49.5": 25, "49.5..74.25": 25, "74.25..99": 25}
    assert {n: int(m.sum()) for n, m in found.items()} == {**quarters, "missing": 1}
    assert found["missing"].tolist() == [False] * 100 + [True]
    assert {n: int(m.sum()) for n, m in parts_of(np.array([1, 2, 2]))} == {"1": 1, "2": 2, "missing": 0}
    text = np.array(["a", None, float("nan"), "a"], dtype=object)
    assert {n: int(m.sum()) for n, m in parts_of(text)} == {"a": 2, "missing": 2}
    assert list(parts_of(np.array([str(i) for i in range(500)]))) == []
