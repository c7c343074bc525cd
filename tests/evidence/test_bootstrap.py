"""The bootstrap: weights, agreement with theory, and coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from landbridge.core import registry
from landbridge.evidence.bootstrap import independent_rows, measured, percentile, resample, units, weights


def test_weights_draw_whole_units() -> None:
    rows = np.array([7, 3, 7, 9, 3, 7])
    unit_N = units(rows)
    assert unit_N.tolist() == [1, 0, 1, 2, 0, 1]
    drawn = np.concatenate(list(weights(unit_N, 500, np.random.default_rng(0))))
    assert drawn.shape == (500, 6)
    assert (drawn[:, 0] == drawn[:, 2]).all() and (drawn[:, 1] == drawn[:, 4]).all()
    assert (drawn[:, 0] + drawn[:, 1] + drawn[:, 3] == 3).all()
    assert drawn.mean(0) == pytest.approx(np.ones(6), abs=0.15)
    assert units(rows, np.array(["x", "x", "y", "y", "z", "z"])).tolist() == [0, 0, 1, 1, 2, 2]


def test_large_samples_agree_with_the_normal_interval() -> None:
    draw = np.random.default_rng(0)
    task = registry.find("tasks", "regress")(center=0.0, scale=1.0)
    target = np.zeros(2000, dtype=np.float32)
    output = draw.exponential(size=(2000, 1))
    value, interval = measured(task, output, target, np.arange(2000), ["neg_mae"], 0)["neg_mae"]
    half = 1.96 * output.std() / np.sqrt(2000)
    assert value == pytest.approx(-output.mean())
    assert interval == pytest.approx((value - half, value + half), abs=0.006)


def test_same_seed_same_interval_and_pairs_share_resamples() -> None:
    draw = np.random.default_rng(0)
    task = registry.find("tasks", "classify")(classes=("a", "b"), metric="auc")
    target, output = draw.integers(0, 2, 50), draw.normal(size=(50, 2))
    both = resample(task, target, {"x": output, "y": output.copy()}, np.arange(50), ("auc",), 3)
    assert (both["x"]["auc"] == both["y"]["auc"]).all()
    again = resample(task, target, {"z": output}, np.arange(50), ("auc",), 3)
    assert (again["z"]["auc"] == both["x"]["auc"]).all()


def test_expanded_percentile_by_hand() -> None:
    values = np.linspace(0, 1, 10001)
    tail = stats.norm.cdf(np.sqrt(20 / 19) * stats.t.ppf(0.025, 19))
    assert tail < 0.025
    assert percentile(values, 20) == pytest.approx((tail, 1 - tail), abs=1e-4)
    assert percentile(values, 1) is None
    assert percentile(np.r_[np.full(60, np.nan), np.ones(40)], 20) is None


def test_a_perfect_score_keeps_a_width() -> None:
    task = registry.find("tasks", "classify")(classes=("a", "b"))
    target = np.array([0] * 27 + [1] * 3)
    found = measured(task, np.eye(2)[target] * 9, target, np.arange(30), ["accuracy", "auc", "macro_f1"], 0)
    exact = stats.binomtest(30, 30).proportion_ci(0.95, method="wilson").low
    assert found["accuracy"] == (1.0, (pytest.approx(exact), 1.0))
    effective = 4 / (1 / 27 + 1 / 3)  # two classes, harmonic: the three rare rows decide
    assert independent_rows(target, np.arange(30)) == pytest.approx(effective)
    assert found["auc"][1] == pytest.approx((0.025 ** (1 / effective), 1.0))
    assert found["macro_f1"][1] == found["auc"][1]


@pytest.mark.parametrize("metric", ["auc", "macro_f1"])
def test_coverage_for_classes(metric: str) -> None:
    """The interval of 80 rows holds the value of a very large sample in about 95 % of worlds."""
    draw = np.random.default_rng(4)
    task = registry.find("tasks", "classify")(classes=("a", "b"), metric=metric)

    def world(rows: int) -> tuple[np.ndarray, np.ndarray]:
        target = (draw.random(rows) < 0.3).astype(np.int64)
        return np.stack([np.zeros(rows), 1.2 * target - 0.6 + draw.normal(size=rows)], axis=1), target

    true = task.score(*world(400_000))
    inside = 0
    for seed in range(300):
        low, high = measured(task, *world(80), np.arange(80), [metric], seed, 400)[metric][1]
        inside += low <= true <= high
    assert 0.92 <= inside / 300 <= 0.985


def test_coverage_for_values_in_groups() -> None:
    """Rows of a group share their error: the interval over groups holds the true MAE, the one over rows does not."""
    draw = np.random.default_rng(5)
    task = registry.find("tasks", "regress")(center=0.0, scale=1.0)
    group = np.repeat(np.arange(20), 8)
    inside = {"groups": 0, "rows": 0}
    true = -np.sqrt(2 / np.pi) * np.sqrt(1.25)
    for seed in range(250):
        residual = np.repeat(draw.normal(size=20), 8) + 0.5 * draw.normal(size=160)
        for name, unit_N in (("groups", group), ("rows", np.arange(160))):
            found = measured(task, residual[:, None], np.zeros(160), unit_N, ["neg_mae"], seed, 400)["neg_mae"]
            inside[name] += found[1][0] <= true <= found[1][1]
    assert 0.91 <= inside["groups"] / 250 <= 0.985
    assert inside["rows"] / 250 < 0.8
