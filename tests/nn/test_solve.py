"""The solvers against scikit-learn's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV

from landbridge.nn.deal import deal
from landbridge.nn.discriminant import discriminant, shrinkage
from landbridge.nn.logistic import Rotation, logistic_path
from landbridge.nn.ridge import ridge_path
from landbridge.nn.solve import Adjustment, held_out, make_folds, solve_discriminant, solve_logistic, solve_ridge


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def digits(count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return x[:count] / 16, y[:count]


def hot(y: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.from_numpy(y.astype(np.int64))).double()


def accuracy(output: np.ndarray, target: np.ndarray) -> float:
    return float((output.argmax(1) == target).mean())


def path(x: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, strengths: list[float], **more):
    rotation = Rotation.of(x)
    found = logistic_path(rotation.turn(x), rotation.spread, target, weight, strengths, tolerance=1e-6, **more)
    return [rotation.back(w, b) for w, b in found]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_softmax_path_gives_scikit_learns_probabilities(dtype: torch.dtype) -> None:
    x, y = digits(300)
    xs = torch.from_numpy(x).to(dtype)
    strengths = [0.01, 1.0, 10.0]
    for strength, (weight, bias) in zip(
        strengths, path(xs, hot(y).to(dtype), torch.ones(1, len(x), dtype=dtype), strengths), strict=True
    ):
        wanted = LogisticRegression(C=strength, tol=1e-6, max_iter=2000).fit(x, y).predict_proba(x)
        found = (xs @ weight[0].T + bias[0]).softmax(1).numpy()
        np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_two_classes_are_scikit_learns_at_half_the_strength() -> None:
    x, y = load_iris(return_X_y=True)
    x, y = x[y > 0], y[y > 0] - 1
    ((weight, bias),) = path(torch.from_numpy(x), hot(y), torch.ones(1, len(x), dtype=torch.float64), [0.5])
    wanted = LogisticRegression(C=1.0, tol=1e-9, max_iter=5000).fit(x, y).predict_proba(x)
    np.testing.assert_allclose((torch.from_numpy(x) @ weight[0].T + bias[0]).softmax(1).numpy(), wanted, atol=1e-4)


def test_problems_side_by_side_equal_problems_one_by_one_with_fewer_rows() -> None:
    x, y = digits(300)
    xs, target = torch.from_numpy(x), hot(y)
    weight = torch.ones(2, 300, dtype=torch.float64)
    weight[0, ::3] = 0.0
    weight[1, 1::3] = 2.5
    both = path(xs, target, weight, [1.0])[0]
    wanted = LogisticRegression(C=1.0, tol=1e-9, max_iter=5000)
    for p in range(2):
        used = weight[p].numpy() > 0
        wanted.fit(x[used], y[used], sample_weight=weight[p].numpy()[used])
        found = (xs @ both[0][p].T + both[1][p]).softmax(1).numpy()
        np.testing.assert_allclose(found, wanted.predict_proba(x), atol=1e-3)


def test_fewer_rows_than_width_is_the_same_model() -> None:
    x, y = digits(600)
    few = np.r_[0:40]
    ((weight, bias),) = path(torch.from_numpy(x[few]), hot(y[few]), torch.ones(1, 40, dtype=torch.float64), [1.0])
    wanted = LogisticRegression(C=1.0, tol=1e-9, max_iter=5000).fit(x[few], y[few]).predict_proba(x)
    np.testing.assert_allclose((torch.from_numpy(x) @ weight[0].T + bias[0]).softmax(1).numpy(), wanted, atol=1e-3)


def test_binary_relevance_is_one_logistic_model_for_each_output() -> None:
    x, y = digits(300)
    target = torch.stack([torch.from_numpy(y % 2), torch.from_numpy((y > 4).astype(np.int64))], 1).double()
    mass = target * torch.tensor([3.0, 1.0], dtype=torch.float64) + (1 - target)
    weight = torch.ones(1, 300, dtype=torch.float64)
    plain = path(torch.from_numpy(x), target, weight, [1.0], link="sigmoid")[0]
    weighted = path(torch.from_numpy(x), mass - (1 - target), weight, [1.0], link="sigmoid", mass_NC=mass)[0]
    for c in range(2):
        labels = target[:, c].numpy().astype(int)
        for found, positive in ((plain, 1.0), (weighted, (3.0, 1.0)[c])):
            model = LogisticRegression(C=1.0, tol=1e-9, max_iter=5000, class_weight={0: 1.0, 1: positive})
            wanted = model.fit(x, labels).decision_function(x)
            np.testing.assert_allclose((x @ found[0][0, c].numpy() + float(found[1][0, c])), wanted, atol=5e-3)


def test_ledoit_wolf_shrinkage_for_many_and_few_rows() -> None:
    x, _ = digits(300)
    for rows in (x, x[:30]):
        centred = rows - rows.mean(0)
        wanted = ledoit_wolf_shrinkage(centred, assume_centered=True)
        assert shrinkage(torch.from_numpy(centred)) == pytest.approx(wanted, rel=1e-6)


def test_discriminant_is_scikit_learns_with_the_same_shrinkage() -> None:
    x, y = load_iris(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)  # scikit-learn standardises inside
    weight, bias = discriminant(torch.from_numpy(x), hot(y), amount=0.3)
    wanted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(x, y)
    ours = (torch.from_numpy(x) @ weight.T + bias).softmax(1).numpy()
    assert (ours.argmax(1) == wanted.predict(x)).mean() > 0.99
    by_hand = (1 - 0.3) * sum(np.cov(x[y == c].T, bias=True) for c in range(3)) / 3
    by_hand += 0.3 * np.trace(by_hand / 0.7) / 4 * np.eye(4)
    means = np.stack([x[y == c].mean(0) for c in range(3)])
    scores = x @ np.linalg.solve(by_hand, means.T) - 0.5 * (means * np.linalg.solve(by_hand, means.T).T).sum(1)
    np.testing.assert_allclose(ours, torch.from_numpy(scores).softmax(1).numpy(), atol=1e-9)


def test_a_class_without_rows_is_not_predicted() -> None:
    x, y = digits(200)
    target = torch.cat([hot(y), torch.zeros(200, 1, dtype=torch.float64)], 1)
    weight, bias = discriminant(torch.from_numpy(x), target)
    output = torch.from_numpy(x) @ weight.T + bias
    assert bool(torch.isfinite(output).all()) and 10 not in output.argmax(1)


def test_ridge_path_and_its_leave_one_out_are_scikit_learns() -> None:
    x, y = load_diabetes(return_X_y=True)
    x, y = x[:120] * 20, y[:120]
    penalties = [0.1, 1.0, 10.0]
    found = ridge_path(torch.from_numpy(x), torch.from_numpy(y)[:, None], penalties)
    for s, penalty in enumerate(penalties):
        wanted = Ridge(alpha=penalty).fit(x, y)
        np.testing.assert_allclose(found.weight[s, 0].numpy(), wanted.coef_, rtol=1e-6)
        assert float(found.bias[s]) == pytest.approx(wanted.intercept_, rel=1e-6)
        left = Ridge(alpha=penalty).fit(np.delete(x, 7, 0), np.delete(y, 7)).predict(x[7:8])
        assert float(found.left_out[s, 7]) == pytest.approx(float(left[0]), rel=1e-6)


def test_ridge_chooses_the_penalty_that_scikit_learn_chooses() -> None:
    x, y = load_diabetes(return_X_y=True)
    xs = torch.from_numpy(x[:150])
    adjustment = Adjustment.of(xs, normalise=False, standardise=True)
    grid = [10.0**p for p in range(-3, 4)]
    target = torch.from_numpy(y[:150])[:, None]
    judge = lambda output, truth: -float(((output[:, 0] - truth) ** 2).mean())  # noqa: E731
    solution, score = solve_ridge(xs, target, adjustment, judge=judge, truth=y[:150], penalties=grid)
    scaled = [p * 150 / 1000 for p in grid]
    wanted = RidgeCV(alphas=scaled, scoring="neg_mean_squared_error").fit(adjustment(xs).numpy(), y[:150])
    assert solution.facts["penalty"] == pytest.approx(wanted.alpha_)
    assert score == pytest.approx(wanted.best_score_, rel=1e-6)


def test_chosen_logistic_generalises_and_says_how_it_was_chosen() -> None:
    x, y = digits(1200)
    xs, held = torch.from_numpy(x[:800]).float(), torch.from_numpy(x[800:]).float()
    adjustment = Adjustment.of(xs, normalise=True, standardise=True)
    folds = make_folds(800, 64, 10, 0, strata=y[:800], groups=None)
    given = {"judge": accuracy, "truth": y[:800], "fold_RN": folds}
    logistic, score = solve_logistic(xs, hot(y[:800]).float(), adjustment, **given)
    lda, other = solve_discriminant(xs, hot(y[:800]).float(), adjustment, **given)
    for solution, cv, low in ((logistic, score, 0.92), (lda, other, 0.88)):
        output = adjustment(held) @ solution.weight.T + solution.bias
        assert accuracy(output.numpy(), y[800:]) > low
        assert solution.facts["cv"] == cv and abs(cv - accuracy(output.numpy(), y[800:])) < 0.06


@pytest.mark.parametrize(("rows", "doubt"), [(4, 32.0), (32, 32.0), (1000, 32.0), (4, 0.0)])
def test_a_spread_seen_on_few_rows_is_drawn_to_the_mean(rows: int, doubt: float) -> None:
    xs = torch.randn(rows, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2, 3, 4, 5, 0])
    adjustment = Adjustment.of(xs, normalise=False, standardise=True, doubt=doubt)
    variance = xs.numpy().var(0)
    wanted = np.sqrt((rows * variance + doubt * variance.mean()) / (rows + doubt)) * 6**0.5
    wanted[5] = np.sort(np.sqrt(variance))[2] * 6**0.5  # constant: the lower median, as torch takes it
    np.testing.assert_allclose(adjustment.scale.numpy(), wanted, rtol=1e-5)


def test_constant_and_equal_features_are_no_trouble() -> None:
    xs = torch.ones(40, 5)
    y = np.tile([0, 1], 20)
    adjustment = Adjustment.of(xs, normalise=True, standardise=True)
    folds = make_folds(40, 5, 2, 0, strata=y, groups=None)
    solution, _ = solve_logistic(xs, hot(y).float(), adjustment, judge=accuracy, truth=y, fold_RN=folds)
    assert bool(torch.isfinite(solution.weight).all()) and bool(torch.isfinite(solution.bias).all())
    torch.testing.assert_close(solution.bias.softmax(0), torch.tensor([0.5, 0.5]))


def test_rows_are_dealt_evenly_and_groups_stay_whole() -> None:
    y = np.repeat([0, 1, 2], [50, 30, 20])
    fold = deal(100, 5, np.random.default_rng(0), strata=y)
    for c, size in ((0, 10), (1, 6), (2, 4)):
        assert (np.bincount(fold[y == c], minlength=5) == size).all()
    groups = np.random.default_rng(1).integers(0, 20, 100)
    grouped = deal(100, 5, np.random.default_rng(0), strata=y, groups=groups)
    assert all(len(np.unique(grouped[groups == g])) == 1 for g in np.unique(groups))
    assert np.bincount(grouped, minlength=5).min() >= 10
    lines = held_out(np.stack([fold, grouped]))
    assert lines.shape == (10, 100) and (lines.sum(0) == 2).all()
