"""Regression against scikit-learn and SciPy, in original and standardised units."""

import json

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as reference

from landbridge.core.errors import DataError, UnknownName, UsageError
from landbridge.tasks.regress import Regress


def sample(rows: int = 120) -> tuple[Regress, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    target = (1e4 + 50 * draw.normal(size=rows)).round(0).astype(np.float32)
    task = Regress.from_labels(target)
    output = ((target - task.center) / task.scale + 0.5 * draw.normal(size=rows)).round(1)[:, None]
    return task, output.astype(np.float32), target


def test_metrics_equal_the_references() -> None:
    task, output, target = sample()
    guess = output[:, 0].astype(float) * task.scale + task.center
    expected = {
        "r2": reference.r2_score(target, guess),
        "neg_rmse": -reference.root_mean_squared_error(target, guess),
        "neg_mae": -reference.mean_absolute_error(target, guess),
        "spearman": stats.spearmanr(target, guess).statistic,
    }
    assert task.metrics(output, target) == pytest.approx(expected, rel=1e-6)


def test_weights_count_rows() -> None:
    task, output, target = sample(40)
    weights = np.random.default_rng(3).integers(0, 4, (5, 40)).astype(float)
    found = task.resampled(output, target, weights)
    for r, weight in enumerate(weights):
        rows = np.repeat(np.arange(40), weight.astype(int))
        assert {n: v[r] for n, v in found.items()} == pytest.approx(task.metrics(output[rows], target[rows]), rel=1e-7)
    assert task.score(output, target, weights[2]) == pytest.approx(found["r2"][2])


def test_units_loss_and_trivial() -> None:
    task = Regress(center=10.0, scale=2.0)
    assert task.decode(np.array([[0.5], [-1.0]])) == [11.0, 8.0]
    output, target = torch.tensor([[0.5], [-1.0]]), torch.tensor([14.0, 8.0])
    assert task.loss(output, target).tolist() == [2.25, 0.0]
    huber = Regress(center=10.0, scale=2.0, error="huber")
    assert huber.loss(output, target).tolist() == [1.0, 0.0]  # |1.5| - 1/2
    rows = np.array([8.0, 16.0], dtype=np.float32)
    assert task.trivial(rows).tolist() == [1.0]
    trivial = np.repeat(task.trivial(rows)[None], 2, axis=0)
    assert task.metrics(trivial, rows)["r2"] == pytest.approx(0.0)
    assert task.describe(trivial) == [{}, {}] and task.class_weight(rows) is None


def test_strata_are_quantile_bins() -> None:
    task, _, target = sample(100)
    strata = task.strata(target)
    assert strata is not None and strata.max() == 9
    assert np.bincount(strata).min() >= 5
    assert all(target[strata == b].max() <= target[strata == b + 1].min() for b in range(9))
    assert task.strata(target[:19]) is None


def test_labels_and_errors() -> None:
    task = Regress.from_labels([1, "2.5", np.float32(4)], metric="neg_mae")
    assert task.encode(["3"]).dtype == np.float32
    assert Regress.from_json(json.loads(json.dumps(task.to_json()))) == task
    with pytest.raises(DataError, match="row 1: the target must be a finite number, got 'x'"):
        task.encode([1, "x"])
    with pytest.raises(DataError, match=r"row 0.*inf"):
        task.encode([float("inf")])
    with pytest.raises(DataError, match="no two different values"):
        Regress.from_labels([2, 2, 2])
    with pytest.raises(UnknownName, match="neg_rmse"):
        Regress.from_labels([1, 2], metric="rmse")
    with pytest.raises(UsageError, match="scale"):
        Regress(center=0.0, scale=0.0)
