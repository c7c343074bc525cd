"""Entropic transport against linear programmes, and distances of Gaussians against matrix roots."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment, linprog
from scipy.special import logsumexp, xlogy

from landbridge.nn.gaussians import between, factor
from landbridge.nn.sinkhorn import divergence, transport


def problem(rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared distances of two clouds, and weights that are not equal."""
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((rows, 2)), generator.standard_normal((columns, 2)) + 1
    weights = [generator.random(n) + 0.2 for n in (rows, columns)]
    return np.square(x[:, None] - y).sum(2), weights[0] / weights[0].sum(), weights[1] / weights[1].sum()


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(a) for a in arrays]


def exact(cost: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """The least cost without entropy, by linear programming over all plans."""
    n, m = cost.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    return linprog(cost.reshape(-1), A_eq=np.r_[rows, columns], b_eq=np.r_[one, other], method="highs").fun


@pytest.mark.parametrize("epsilon", [2.0, 0.2, 0.1])
def test_cost_is_what_thousands_of_plain_steps_give(epsilon: float) -> None:
    cost, one, other = problem(9, 7)
    f = np.zeros(9)
    for _ in range(2000):
        g = -epsilon * logsumexp((f[:, None] - cost) / epsilon + np.log(one)[:, None], axis=0)
        f = -epsilon * logsumexp((g - cost) / epsilon + np.log(other), axis=1)
    plan = np.exp((f[:, None] + g - cost) / epsilon) * one[:, None] * other
    wanted = (plan * cost).sum() + epsilon * xlogy(plan, plan / (one[:, None] * other)).sum()
    found = transport(*tensors(cost, one, other), epsilon)
    assert found.cost == pytest.approx(wanted, rel=1e-6)
    assert -1e-12 < found.gap < 1e-8 and found.error < 1e-10


@pytest.mark.parametrize("seed", range(4))
def test_small_epsilon_comes_to_the_linear_programme_from_above(seed: int) -> None:
    cost, one, other = problem(8, 11, seed)
    least = exact(cost, one, other)
    found = transport(*tensors(cost, one, other), 1e-3 * cost.mean())
    entropy = 1e-3 * cost.mean() * np.log(8)  # no plan has more entropy than this against the product
    assert least - 1e-9 <= found.cost <= least + entropy
    assert found.gap < 1e-8


def test_equal_weights_are_an_assignment() -> None:
    cost, *_ = problem(12, 12)
    rows, columns = linear_sum_assignment(cost)
    even = np.full(12, 1 / 12)
    found = transport(*tensors(cost, even, even), 1e-4 * cost.mean())
    assert found.cost == pytest.approx(cost[rows, columns].mean(), rel=2e-3)


def test_clusters_that_are_all_but_cut_off_are_solved_too() -> None:
    generator = np.random.default_rng(0)
    x = np.r_[generator.standard_normal((70, 2)), generator.standard_normal((30, 2)) + 40]
    y = np.r_[generator.standard_normal((40, 2)), generator.standard_normal((60, 2)) + 40]
    cost = np.square(x[:, None] - y).sum(2)
    even = np.full(100, 0.01)
    found = transport(*tensors(cost, even, even), 0.005 * cost.mean())
    assert found.gap < 1e-6 * found.cost and found.rounds < 60  # three tenths of the mass have to cross
    rows, columns = linear_sum_assignment(cost)
    assert found.cost == pytest.approx(cost[rows, columns].mean(), rel=0.05)


def test_divergence_is_nothing_for_equal_sets_and_the_shift_squared_for_shifted_ones() -> None:
    x = np.random.default_rng(0).standard_normal((40, 3))
    even = torch.full((40,), 1 / 40, dtype=torch.float64)

    def apart(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
        sides = ((one, other), (one, one), (other, other))
        return divergence(*(torch.from_numpy(np.square(a[:, None] - b).sum(2)) for a, b in sides), even, even, 0.5)

    assert apart(x, x)[0] == 0.0
    assert apart(x, x[::-1])[0] == pytest.approx(0.0, abs=1e-10)
    cost, gap = apart(x, x + np.array([0.3, 0.0, -0.4]))
    assert cost == pytest.approx(0.25, abs=1e-9) and gap < 1e-9  # debiasing is exact for a translation


@pytest.mark.parametrize("rows", [30, 4])
def test_gaussians_are_as_far_apart_as_the_matrix_root_says(rows: int) -> None:
    generator = np.random.default_rng(0)
    sets = [generator.standard_normal((rows + k, 6)) @ generator.standard_normal((6, 6)) + k for k in range(3)]
    means = torch.from_numpy(np.stack([s.mean(0) for s in sets]))
    factors = [factor(torch.from_numpy(s - s.mean(0))) for s in sets]
    found = between(means, factors, means, factors).numpy()
    for i, one in enumerate(sets):
        for j, other in enumerate(sets):
            here, there = np.cov(one.T, bias=True), np.cov(other.T, bias=True)
            root = sqrtm(here + 1e-12 * np.eye(6)).real
            shared = np.sqrt(np.linalg.eigvalsh(root @ there @ root).clip(0)).sum()
            wanted = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(here + there) - 2 * shared
            assert found[i, j] == pytest.approx(wanted, abs=1e-4 * (1 + wanted))
    assert np.allclose(np.diag(found), 0.0, atol=1e-10)
