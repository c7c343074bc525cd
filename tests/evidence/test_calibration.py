"""Calibration: temperature against the known one, ECE by hand, coverage of the conformal radius."""

from dataclasses import replace

import numpy as np
import pytest
from judged import classes, labels, values
from scipy.special import expit, softmax
from sklearn.metrics import log_loss as reference_log_loss

from landbridge.evidence.calibrate import conformal_radius, fit_temperature, log_loss, reliability
from landbridge.evidence.calibration import Calibration


def honest(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true probability of each class."""
    draw = np.random.default_rng(seed)
    logits = 1.5 * draw.normal(size=(rows, 3))
    target = (draw.random((rows, 1)) > softmax(logits, axis=1).cumsum(1)).sum(1)
    return logits, target


def test_temperature_finds_the_true_one() -> None:
    logits, target = honest(20_000, 0)
    assert fit_temperature(logits * 2.5, target) == pytest.approx(2.5, rel=0.03)
    draw = np.random.default_rng(1)
    each = draw.normal(size=(20_000, 2))
    marks = (draw.random((20_000, 2)) < expit(each)).astype(np.float32)
    assert fit_temperature(each * 0.5, marks) == pytest.approx(0.5, rel=0.05)


def test_temperature_of_few_separable_rows_stays_moderate() -> None:
    right = np.eye(2)[[0, 1, 0, 1]] * 2.0
    assert 0.2 < fit_temperature(right, np.array([0, 1, 0, 1])) < 1.0


def test_log_loss_equals_scikit_learn() -> None:
    logits, target = honest(100, 2)
    assert log_loss(logits, target) == pytest.approx(reference_log_loss(target, softmax(logits, axis=1)))


def test_expected_calibration_error_by_hand() -> None:
    confidence = np.repeat([0.6, 0.9], 10)
    hit = np.r_[np.arange(10) < 5, np.arange(10) < 9]
    bins = reliability(confidence, hit)
    assert bins.confidence.tolist() == pytest.approx([0.6, 0.9]) and bins.hit.tolist() == [0.5, 0.9]
    assert bins.error == pytest.approx((0.1 + 0.0) / 2)
    assert bins.debiased_error < bins.error


def test_debiased_error_is_nearer_the_truth() -> None:
    """An honest model has no error; sampling alone shows some. A false one keeps its error."""
    plain, debiased = [], []
    for seed in range(40):
        logits, target = honest(300, seed)
        shares = softmax(logits, axis=1)
        bins = reliability(shares.max(1), shares.argmax(1) == target)
        plain.append(bins.error)
        debiased.append(bins.debiased_error)
    assert np.mean(plain) > 0.05 and np.mean(debiased) < 0.6 * np.mean(plain)


def test_scaling_repairs_overconfidence() -> None:
    test, target = honest(2000, 3)
    validation, validation_target = honest(2000, 4)
    judgement = replace(
        classes(),
        rows=np.arange(2000),
        target=target,
        output=test * 3,
        controls={},
        validation_output=validation * 3,
        validation_target=validation_target,
    )
    before, after = Calibration().findings(judgement)
    assert before.name == "calibration.ece" and before.severity == "warning"
    assert before.interval[0] > 0.1 > after.value
    assert after.data["temperature"] == pytest.approx(3, rel=0.1)
    assert after.data["log_loss"] < before.data["log_loss"]
    assert after.interval[0] < 0.02 and after.severity == "good"
    assert sum(after.data["rows"]) == 2000
    without = replace(judgement, validation_output=validation[:0], validation_target=validation_target[:0])
    assert [f.name for f in Calibration().findings(without)] == ["calibration.ece"]


def test_the_interval_of_the_error_covers() -> None:
    """A model that is always 0.1 too sure: the interval holds 0.1 in most worlds."""
    inside = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        share = draw.uniform(0.6, 0.85, 400)
        logits = np.stack([np.zeros(400), np.log((share + 0.1) / (0.9 - share))], axis=1)
        target = (draw.random(400) < share).astype(np.int64)
        judgement = replace(classes(400, 2), target=target, output=logits)
        low, high = next(Calibration().findings(judgement)).interval
        inside += low <= 0.1 <= high
    assert inside / 60 >= 0.88


def test_labels_are_binned_one_by_one() -> None:
    judgement = labels()
    before = next(Calibration().findings(judgement))
    assert sum(before.data["rows"]) == 600


def test_conformal_radius_and_coverage() -> None:
    assert conformal_radius(np.array([3.0, -1.0, 2.0, 0.5]), 0.6) == 2.0  # ceil(5 * 0.6) = 3rd smallest
    assert conformal_radius(np.ones(5), 0.9) == np.inf
    found = next(Calibration().findings(values(500)))
    assert found.name == "calibration.coverage"
    assert found.interval[0] <= 0.9 <= found.interval[1]
    assert found.data["radius"] == pytest.approx(1.645 * 0.5 * 2, rel=0.15)
    assert list(Calibration(level=0.99).findings(values(50))) == []
