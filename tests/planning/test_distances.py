"""Each distance against its paper's formula, written naively or worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment
from scipy.stats import ortho_group

from landbridge.core.errors import UsageError
from landbridge.planning.distances.cka import CKA
from landbridge.planning.distances.frechet import Frechet
from landbridge.planning.distances.otdd import OTDD


def labelled(rows: int, width: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, classes, rows)
    y[:classes] = np.arange(classes)
    return generator.standard_normal((classes, width))[y] * 2 + generator.standard_normal((rows, width)), y


def otdd(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], **fields: float) -> float:
    return OTDD(**fields).distance(one[0], other[0], one_labels=one[1], other_labels=other[1], seed=0)


def test_otdd_with_little_entropy_is_the_least_assignment_of_rows_and_classes() -> None:
    one, other = labelled(24, 3, 2, 0), labelled(24, 3, 3, 1)

    def gaussian(x: np.ndarray, y: np.ndarray, c: int) -> tuple[np.ndarray, np.ndarray]:
        return x[y == c].mean(0), np.cov(x[y == c].T, bias=True)

    cost = np.square(one[0][:, None] - other[0]).sum(2)
    for i in range(24):
        for j in range(24):
            (m, s), (n, t) = gaussian(*one, one[1][i]), gaussian(*other, other[1][j])
            root = sqrtm(s).real
            cost[i, j] += np.square(m - n).sum() + np.trace(s + t - 2 * sqrtm(root @ t @ root).real)
    rows, columns = linear_sum_assignment(cost)
    assert otdd(one, other, blur=1e-3) == pytest.approx(np.sqrt(cost[rows, columns].mean()), rel=5e-3)


def test_otdd_is_nothing_to_itself_the_same_both_ways_and_certified() -> None:
    one, other = labelled(120, 6, 4, 0), labelled(90, 6, 3, 1)
    order = np.random.default_rng(0).permutation(120)
    assert otdd(one, one) == 0.0
    assert otdd(one, (one[0][order], one[1][order])) < 1e-5
    assert otdd(one, (one[0], 3 - one[1])) == pytest.approx(0.0, abs=1e-5)  # names of classes say nothing
    assert otdd(one, other) == pytest.approx(otdd(other, one), rel=1e-9)
    found = OTDD().measure(one[0], other[0], one_labels=one[1], other_labels=other[1], seed=0)
    assert abs(found.gap) < 1e-8 * found.square
    assert otdd((10 * one[0], one[1]), (10 * other[0], other[1])) == pytest.approx(10 * otdd(one, other), rel=1e-6)


def test_otdd_of_a_shift_counts_it_for_rows_and_for_classes() -> None:
    x, y = labelled(60, 4, 3, 0)
    shifted = otdd((x, y), (x + np.array([3.0, 0.0, 4.0, 0.0]), y))
    assert shifted == pytest.approx(np.sqrt(25 + 25), rel=0.02)


def test_otdd_sees_labels_that_features_do_not_show() -> None:
    x, y = labelled(100, 5, 2, 0)
    mixed = np.random.default_rng(0).permutation(y)
    assert otdd((x, y), (x, mixed)) > 1.0


def test_otdd_takes_some_rows_of_many_and_a_class_of_one() -> None:
    one, other = labelled(400, 4, 3, 0), labelled(400, 4, 3, 0)
    one[1][0] = 3
    whole = otdd(one, other, most=400)
    assert otdd(one, other, most=200) == pytest.approx(whole, abs=0.5) and np.isfinite(whole)


def test_frechet_is_the_fid_formula() -> None:
    generator = np.random.default_rng(0)
    x, y = (generator.standard_normal((80, 5)) @ generator.standard_normal((5, 5)) + k for k in range(2))
    here, there = np.cov(x.T, bias=True), np.cov(y.T, bias=True)
    wanted = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(here + there - 2 * sqrtm(here @ there).real)
    assert Frechet(shrink=False).distance(x, y) == pytest.approx(np.sqrt(wanted), rel=1e-8)
    line = np.array([[0.0], [2.0]]), np.array([[7.0], [13.0]])  # means 1 and 10, deviations 1 and 3
    assert Frechet().distance(*line) == pytest.approx(np.sqrt(9**2 + 2**2))


def test_shrinkage_brings_two_draws_of_one_world_together() -> None:
    generator = np.random.default_rng(0)
    x, y = (generator.standard_normal((40, 100)) for _ in range(2))
    plain, shrunk = Frechet(shrink=False).distance(x, y), Frechet().distance(x, y)
    mean = np.linalg.norm(x.mean(0) - y.mean(0))
    assert shrunk < 0.5 * plain and shrunk == pytest.approx(mean, rel=0.1)


@pytest.mark.parametrize("widths", [(5, 8), (40, 60)])
def test_cka_is_the_alignment_of_centred_kernels(widths: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((30, widths[0])) + 2
    y = x @ generator.standard_normal(widths) + generator.standard_normal((30, widths[1]))
    middle = np.eye(30) - 1 / 30
    k, m = x @ x.T, y @ y.T
    hsic = lambda a, b: np.trace(a @ middle @ b @ middle)  # noqa: E731
    assert CKA(debiased=False).distance(x, y) == pytest.approx(1 - hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)))

    def unbiased(a: np.ndarray, b: np.ndarray) -> float:
        a, b, n = a - np.diag(np.diag(a)), b - np.diag(np.diag(b)), 30
        whole = a.sum() * b.sum() / ((n - 1) * (n - 2))
        return (np.trace(a @ b) + whole - 2 / (n - 2) * a.sum(0) @ b.sum(1)) / (n * (n - 3))

    wanted = 1 - unbiased(k, m) / np.sqrt(unbiased(k, k) * unbiased(m, m))
    assert CKA().distance(x, y) == pytest.approx(wanted, rel=1e-8)


def test_cka_does_not_see_rotation_unit_or_shift_and_needs_debiasing_for_wide_features() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((25, 6)), generator.standard_normal((25, 400))
    turned = 7 * x @ ortho_group.rvs(6, random_state=np.random.RandomState(0)) - 50
    for part in (CKA(), CKA(debiased=False)):
        assert part.distance(x, turned) == pytest.approx(0.0, abs=1e-9)
        assert part.distance(x, np.ones((25, 3))) == 1.0
    wide = generator.standard_normal((25, 400))
    assert CKA(debiased=False).distance(wide, y) < 0.2  # unrelated, and said to be alike
    assert CKA().distance(wide, y) == pytest.approx(1.0, abs=0.2)


def test_what_does_not_fit_is_said_in_one_line() -> None:
    x, y = labelled(20, 3, 2, 0)
    for call, said in (
        (lambda: Frechet().distance(x, x[:, :2]), "frechet: both sets must have features of one width, got 3 and 2"),
        (lambda: CKA().distance(x, x[:9]), "cka: both sets must be the same 4 or more rows, got 20 and 9"),
        (lambda: otdd((x, y), (x[:, :2], y)), "otdd: both sets must have features of one width, got 3 and 2"),
        (lambda: otdd((x, y), (x, y[:5])), "otdd: other_labels must be one class for each of 20 rows"),
        (lambda: otdd((x, x[:, 0]), (x, y)), "otdd: one_labels must be one class for each of 20 rows"),
    ):
        with pytest.raises(UsageError) as error:
            call()
        assert str(error.value).startswith(said) and "\n" not in str(error.value)
