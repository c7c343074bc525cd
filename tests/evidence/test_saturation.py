"""The inverse power law through learning curves: planted curves come back, and intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from landbridge.evidence.saturation import FLAT, PowerLaw, fit_curve

SIZES = np.array([10, 20, 40, 80, 160, 320])


@pytest.mark.parametrize(("a", "b", "c"), [(0.9, 1.0, 0.5), (0.8, 3.0, 1.2), (0.95, 0.6, 0.3)])
def test_a_planted_curve_comes_back(a: float, b: float, c: float) -> None:
    planted = PowerLaw(a=a, b=b, c=c)
    curve = fit_curve(SIZES, np.tile(planted(SIZES), (5, 1)))
    assert float(curve.law(640)) == pytest.approx(float(planted(640)), abs=2e-3)
    assert curve.gain()[0] == pytest.approx(float(planted(640) - planted(320)), abs=2e-3)
    assert curve.law.flat == pytest.approx(planted.flat, rel=0.1)


def test_the_interval_holds_the_planted_gain_about_as_often_as_it_says() -> None:
    planted, rng = PowerLaw(a=0.9, b=1.0, c=0.5), np.random.default_rng(0)
    truth = float(planted(640) - planted(320))
    held = []
    for seed in range(10):
        curve = fit_curve(SIZES, planted(SIZES) + 0.02 * rng.normal(size=(8, len(SIZES))), seed=seed)
        low, high = curve.gain()[1]
        held.append(low <= truth <= high)
    assert np.mean(held) >= 0.7


def test_what_repeats_share_widens_the_interval_and_no_score_lies_above_its_ceiling() -> None:
    rng = np.random.default_rng(1)
    scores = PowerLaw(a=0.99, b=0.5, c=0.5)(SIZES) + 0.02 * rng.normal(size=(6, len(SIZES)))
    apart, shared = (fit_curve(SIZES, scores, overlap=o) for o in (0.0, 0.25))
    widths = [high - low for _, (low, high) in (apart.at(640), shared.at(640))]
    assert widths[1] >= widths[0] and shared.at(1e5)[1][1] <= 1.0
    value, (low, high) = shared.gain(2.0)
    assert 0.0 <= low <= high and low <= value + 1e-9


def test_flat_is_where_a_doubling_brings_less_than_the_bound() -> None:
    law = PowerLaw(a=0.9, b=2.0, c=0.7)
    assert float(law(2 * law.flat) - law(law.flat)) == pytest.approx(FLAT)
    assert PowerLaw(a=0.9, b=0.0, c=0.5).flat == 1.0


def test_a_flat_curve_does_not_claim_to_know_that_more_brings_nothing() -> None:
    scores = 0.8 + 0.02 * np.random.default_rng(0).normal(size=(8, len(SIZES)))
    scores[:, 0] -= 0.2
    curve = fit_curve(SIZES, scores, overlap=0.25)
    step = scores[:, -1] - scores[:, -2]
    if curve.law.c > 1.98:
        assert curve.gain()[1][1] >= step.mean() + 1.9 * step.std(ddof=1) * np.sqrt(1 / 8 + 0.25)
    assert curve.gain()[1][1] > 0.002


def test_fewer_than_three_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="three sizes"):
        fit_curve([10, 20], np.zeros((4, 2)))
