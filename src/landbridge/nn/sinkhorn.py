"""Entropic optimal transport between two weighted point sets, solved until it is certified.

Sinkhorn's iteration in the log domain with a falling epsilon (Cuturi 2013; Schmitzer 2019), each step followed by a
damped Newton step on the concave semi-dual (Brauer et al. 2017): where clusters exchange little mass Sinkhorn alone
takes thousands of steps, together they take a few for each epsilon.
Shapes: N and M points; cost NxM, weights N and M that each add to 1, potential N.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FALL = 0.5  # epsilon of one level to that of the next
ROUNDS, LOOSE = 60, 1e-3  # steps at most for each level; misplaced mass allowed on the way down
TRIALS = 14  # dampings tried for one Newton step
_EQUAL = 1e-13  # relative difference of two values that is rounding


@dataclass(frozen=True, kw_only=True)
class Transport:
    """What moving one set onto the other costs, entropy included, and how far from the least that figure can be."""

    cost: float  # the dual value, which is a lower bound
    gap: float  # the cost of a plan with the right marginals, less the dual value; not negative but for rounding
    error: float  # share of the mass that the potentials misplace
    rounds: int


@dataclass(frozen=True)
class _Point:
    """A potential, its plan with the right column sums, the value of the dual, and the mass that its rows misplace."""

    potential: Tensor
    plan: Tensor
    value: float
    error: float


@dataclass(frozen=True)
class _Problem:
    """Costs, weights and epsilon."""

    cost: Tensor
    one: Tensor
    other: Tensor
    epsilon: float

    def answer(self, potential_N: Tensor) -> Tensor:
        """The other side's best potential, M."""
        scaled = (potential_N.unsqueeze(1) - self.cost) / self.epsilon + self.one.log().unsqueeze(1)
        return -self.epsilon * scaled.logsumexp(0)

    def at(self, potential_N: Tensor) -> _Point:
        """All that is known of a potential."""
        answer_M = self.answer(potential_N)
        plan = ((potential_N.unsqueeze(1) + answer_M - self.cost) / self.epsilon).exp_()
        plan = plan.mul_(self.one.unsqueeze(1)).mul_(self.other)
        value = float(self.one @ potential_N + self.other @ answer_M)
        return _Point(potential_N, plan, value, float((plan.sum(1) - self.one).abs().sum()))

    def step(self, point: _Point) -> _Point:
        """A Sinkhorn step: the potential that answers the answer."""
        back = _Problem(self.cost.T, self.other, self.one, self.epsilon)
        return self.at(back.answer(self.answer(point.potential)))

    def primal(self, plan: Tensor) -> float:
        """Cost of a plan with its entropy against the product of the weights."""
        apart = torch.special.xlogy(plan, plan / (self.one.unsqueeze(1) * self.other))
        return float((plan * self.cost).sum() + self.epsilon * apart.sum())


def transport(cost_NM: Tensor, one_N: Tensor, other_M: Tensor, epsilon: float, tolerance: float = 1e-11) -> Transport:
    """Minimise `<P, cost> + epsilon KL(P | one x other)` over plans P with these marginals.

    Ends when no more than `tolerance` of the mass is misplaced or nothing gains any more; the gap tells what is left.
    """
    level, potential_N, rounds = max(float(cost_NM.max()), epsilon), torch.zeros_like(one_N), 0
    while True:
        level = max(FALL * level, epsilon)
        problem = _Problem(cost_NM, one_N, other_M, level)
        point, spent = _solved(problem, potential_N, tolerance if level == epsilon else LOOSE)
        potential_N, rounds = point.potential, rounds + spent
        if level == epsilon:
            break
    primal = problem.primal(_rounded(point.plan, one_N, other_M))
    return Transport(cost=point.value, gap=primal - point.value, error=point.error, rounds=rounds)


def divergence(
    across_NM: Tensor, one_NN: Tensor, other_MM: Tensor, one_N: Tensor, other_M: Tensor, epsilon: float
) -> tuple[float, float]:
    """The debiased cost `OT(one, other) - OT(one, one) / 2 - OT(other, other) / 2`, and the most it can be off.

    Feydy et al. 2019, equation 3: 0 for equal sets, not negative where exp(-cost / epsilon) is a positive kernel.
    """
    across = transport(across_NM, one_N, other_M, epsilon)
    alone = [transport(one_NN, one_N, one_N, epsilon), transport(other_MM, other_M, other_M, epsilon)]
    cost = across.cost - 0.5 * (alone[0].cost + alone[1].cost)
    return cost, across.gap + 0.5 * (alone[0].gap + alone[1].gap)


def _solved(problem: _Problem, potential_N: Tensor, tolerance: float) -> tuple[_Point, int]:
    """The potential raised until it misplaces little, and how many rounds that took."""
    point, damping, rounds = problem.step(problem.at(potential_N)), 1e-6, 0
    while point.error > tolerance and rounds < ROUNDS:
        raised, damping = _newton(problem, point, damping)
        best = max((p for p in (raised, problem.step(raised)) if _gains(p, raised)), key=lambda p: p.value)
        rounds += 1
        if best is point or not _gains(best, point):
            break
        point = best
    return point, rounds


def _gains(new: _Point, old: _Point) -> bool:
    """Whether a point is the same, or higher, or as high to rounding and nearer to the marginals."""
    slack = _EQUAL * max(abs(old.value), abs(new.value))
    return new is old or new.value > old.value + slack or (new.value >= old.value - slack and new.error < old.error)


def _newton(problem: _Problem, point: _Point, damping: float) -> tuple[_Point, float]:
    """A Newton step on the semi-dual, damped as much as it takes to gain, and the damping to begin with next time.

    The point itself comes back where no damping gains anything.
    """
    row_N = point.plan.sum(1)
    slope_N = problem.one - row_N
    curve = torch.diag(row_N) - point.plan @ (point.plan / problem.other).T
    curve += row_N.mean() / len(row_N)  # a constant added to the potential changes nothing: that direction is held
    for _ in range(TRIALS):
        factor, failed = torch.linalg.cholesky_ex(curve + torch.diag(damping * row_N))
        if not bool(failed):
            move_N = problem.epsilon * torch.cholesky_solve(slope_N.unsqueeze(1), factor).squeeze(1)
            found = problem.at(point.potential + move_N)
            if _gains(found, point):
                return found, max(damping / 10, 1e-12)
        damping = max(10 * damping, 1e-9)
    return point, damping


def _rounded(plan: Tensor, one_N: Tensor, other_M: Tensor) -> Tensor:
    """A plan near the given one whose marginals are right (Altschuler et al. 2017, algorithm 2)."""
    plan = plan * (one_N / plan.sum(1).clamp_min(1e-300)).clamp_max(1.0).unsqueeze(1)
    plan = plan * (other_M / plan.sum(0).clamp_min(1e-300)).clamp_max(1.0)
    lack_N, lack_M = (one_N - plan.sum(1)).clamp_min(0.0), (other_M - plan.sum(0)).clamp_min(0.0)
    total = float(lack_N.sum())
    return plan + lack_N.unsqueeze(1) * lack_M / total if total > 0 else plan
