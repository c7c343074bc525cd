"""Linear logistic models by batched L-BFGS: several row weightings (folds) at once, along a path of penalties.

Shapes: N rows, D width, C outputs, P problems solved side by side (one row weighting each), M remembered steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Link = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """Features in the axes of their covariance: z = (x - mean) V, axes without variance left out.

    A squared-length penalty does not see a rotation, so the solution is the same; the problem is smaller where N < D,
    and the Hessian is nearly diagonal, which is what makes few L-BFGS steps enough.
    """

    mean: Tensor  # D
    axes: Tensor  # DxR
    spread: Tensor  # R, variance along each axis

    @classmethod
    def of(cls, features_ND: Tensor) -> Rotation:
        """The rotation of a feature matrix, by the eigenvectors of its smaller Gram matrix."""
        count, width = features_ND.shape
        mean_D = features_ND.mean(0)
        centred = features_ND - mean_D
        gram = (centred.T @ centred if width <= count else centred @ centred.T) / count
        spread, axes = torch.linalg.eigh(gram)
        floor = torch.finfo(spread.dtype).eps * max(count, width) * spread[-1].clamp_min(0)
        kept = spread > floor
        if not bool(kept.any()):  # constant features: one idle axis keeps the shapes alive
            kept[-1] = True
        spread, axes = spread[kept].clamp_min(1e-30), axes[:, kept]
        if width > count:
            axes = centred.T @ axes / (spread * count).sqrt()
        return cls(mean=mean_D, axes=axes, spread=spread)

    def turn(self, features_ND: Tensor) -> Tensor:
        """Features to the new axes, NxR."""
        return (features_ND @ self.axes).sub_(self.mean @ self.axes)

    def back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight PxCxR and bias PxC over the new axes to weight PxCxD and bias PxC over the features."""
        weight_PCD = weight @ self.axes.T
        return weight_PCD, bias - weight_PCD @ self.mean


def logistic_path(
    turned_NR: Tensor,
    spread_R: Tensor,
    target_NC: Tensor,
    weight_PN: Tensor,
    strengths: Sequence[float],
    *,
    link: Link = "softmax",
    steps: int = 200,
    tolerance: float = 1e-4,
    start: tuple[Tensor, Tensor] | None = None,
    mass_NC: Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Weight PxCxR and bias PxC for each strength in turn, each warm-started from the one before.

    Minimises `sum_n weight_n loss_n + |W|^2 / (2 strength)`, the bias unpenalised: the form of scikit-learn's
    LogisticRegression with C = strength (its two-class form has one weight row; two rows are the same model at half its
    C). `target_NC` may be soft; with `mass_NC` the sigmoid loss of an entry is `mass softplus(o) - target o`, which
    weights it. `tolerance` is on the length of the preconditioned gradient relative to its start.
    """
    problems, outputs, width = weight_PN.shape[0], target_NC.shape[1], turned_NR.shape[1]
    total_P1 = weight_PN.sum(1, keepdim=True).clamp_min(1e-12)
    share_PN = weight_PN / total_P1
    if start is None:
        point = turned_NR.new_zeros(problems, outputs, width + 1)
        shares_PC = share_PN @ target_NC
        point[:, :, -1] = _prior(shares_PC if mass_NC is None else shares_PC / (share_PN @ mass_NC), link)
    else:
        point = torch.cat([start[0], start[1].unsqueeze(-1)], dim=-1).expand(problems, -1, -1).clone()
    curve = 0.25 if link == "sigmoid" else (1 - 1 / outputs) / outputs
    for strength in strengths:
        ridge_P1 = 1.0 / (strength * total_P1)
        scale_PR = 1.0 / (curve * spread_R + ridge_P1)
        scale = torch.cat([scale_PR, scale_PR.new_full((problems, 1), 1.0 / curve)], dim=1).unsqueeze(1)
        problem = _Problem(turned_NR, target_NC, mass_NC, share_PN, ridge_P1, link)
        point = minimise(problem, point, scale, steps=steps, tolerance=tolerance)
        yield point[:, :, :-1].clone(), point[:, :, -1].clone()


@dataclass(frozen=True)
class _Problem:
    """The mean penalised loss of P problems and its gradient."""

    turned: Tensor  # NxR
    target: Tensor  # NxC
    mass: Tensor | None  # NxC
    share: Tensor  # PxN
    ridge: Tensor  # Px1
    link: Link

    def __call__(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """point PxCx(R+1) to value P and gradient of the same shape."""
        problems, outputs, width = point.shape
        flat = point.reshape(problems * outputs, width)
        output = (self.turned @ flat[:, :-1].T).add_(flat[:, -1]).view(-1, problems, outputs)
        if self.link == "sigmoid":
            loss_NP, slope = _separate(output, self.target.unsqueeze(1), self.mass)
        else:
            loss_NP, slope = _exclusive(output, self.target.unsqueeze(1))
        slope = slope.mul_(self.share.T.unsqueeze(-1)).reshape(-1, problems * outputs)
        gradient = torch.empty_like(point)
        gradient[:, :, :-1] = (slope.T @ self.turned).view(problems, outputs, -1)
        gradient[:, :, :-1] += self.ridge.unsqueeze(-1) * point[:, :, :-1]
        gradient[:, :, -1] = slope.sum(0).view(problems, outputs)
        penalty_P = 0.5 * self.ridge.squeeze(1) * point[:, :, :-1].square().sum((1, 2))
        return (self.share.T * loss_NP).sum(0) + penalty_P, gradient


def _separate(output: Tensor, target: Tensor, mass: Tensor | None) -> tuple[Tensor, Tensor]:
    """Logistic loss summed over outputs, NxP, and its derivative by the output NxPxC."""
    weight = 1.0 if mass is None else mass.unsqueeze(1)
    loss = weight * torch.nn.functional.softplus(output) - target * output
    return loss.sum(-1), weight * torch.sigmoid(output) - target


def _exclusive(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy NxP with targets that add to 1, and its derivative by the output NxPxC."""
    normaliser = output.logsumexp(-1, keepdim=True)
    loss = normaliser.squeeze(-1) - (target * output).sum(-1)
    return loss, (output - normaliser).exp_().sub_(target)


def _prior(mean_PC: Tensor, link: Link) -> Tensor:
    """The bias of a model without features: log shares, or log odds."""
    share = mean_PC.clamp(1e-6, 1 - 1e-6)
    if link == "sigmoid":
        return (share / (1 - share)).log()
    return share.log() - share.log().mean(-1, keepdim=True)


def minimise(
    problem: _Problem, point: Tensor, scale: Tensor, *, steps: int, tolerance: float, memory: int = 8
) -> Tensor:
    """Batched L-BFGS with a diagonal first guess of the inverse Hessian and Armijo backtracking for each problem.

    Nocedal & Wright 2006, algorithms 7.4 and 3.1; the pair that curves the wrong way is left out, as convexity makes
    that a matter of rounding only. A problem that has converged stands still while the others go on.
    """
    value, gradient = problem(point)
    first = _size(gradient, scale).clamp_min(1e-12)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    for _ in range(steps):
        active = (_size(gradient, scale) > tolerance * first) & (_size(gradient, scale) > 1e-10)
        if not bool(active.any()):
            break
        direction = -_inverse_times(gradient, pairs, scale)
        slope = (direction * gradient).sum((1, 2))
        stuck = slope >= 0
        direction = torch.where(stuck.view(-1, 1, 1), -scale * gradient, direction)
        slope = torch.where(stuck, -(scale * gradient * gradient).sum((1, 2)), slope)
        moved, new_value, new_gradient, done = _line_search(problem, point, value, gradient, direction, slope, active)
        step, change = moved - point, new_gradient - gradient
        curvature = (step * change).sum((1, 2))
        good = curvature > 1e-10 * (step * step / scale).sum((1, 2)).clamp_min(1e-30)
        inverse = torch.where(
            good, 1.0 / curvature.where(good, torch.ones_like(curvature)), torch.zeros_like(curvature)
        )
        pairs = [*pairs, (step, change, inverse)][-memory:]
        point, value, gradient = moved, new_value, new_gradient
        if done:
            break
    return point


def _size(gradient: Tensor, scale: Tensor) -> Tensor:
    """Length of the gradient in the metric of the preconditioner, for each problem."""
    return (gradient * gradient * scale).sum((1, 2)).sqrt()


def _inverse_times(gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]], scale: Tensor) -> Tensor:
    """The two-loop recursion: approximate inverse Hessian times gradient."""
    result, weights = gradient.clone(), []
    for step, change, inverse in reversed(pairs):
        weight = inverse * (step * result).sum((1, 2))
        result -= weight.view(-1, 1, 1) * change
        weights.append(weight)
    if pairs:
        step, change, inverse = pairs[-1]
        fit = (step * change).sum((1, 2)) / (change * change * scale).sum((1, 2)).clamp_min(1e-30)
        result = result * torch.where(inverse > 0, fit, torch.ones_like(fit)).view(-1, 1, 1)
    result = result * scale
    for (step, change, inverse), weight in zip(pairs, reversed(weights), strict=True):
        back = inverse * (change * result).sum((1, 2))
        result += (weight - back).view(-1, 1, 1) * step
    return result


def _line_search(
    problem: _Problem,
    point: Tensor,
    value: Tensor,
    gradient: Tensor,
    direction: Tensor,
    slope: Tensor,
    active: Tensor,
) -> tuple[Tensor, Tensor, Tensor, bool]:
    """Halve each problem's step until its loss falls enough; the last flag says that no problem could move."""
    length = active.to(value.dtype)
    slack = 4 * torch.finfo(value.dtype).eps * value.abs()
    for _ in range(20):
        moved = point + length.view(-1, 1, 1) * direction
        new_value, new_gradient = problem(moved)
        bad = ~(new_value <= value + 1e-4 * length * slope + slack)
        if not bool(bad.any()):
            return moved, new_value, new_gradient, False
        length = torch.where(bad, 0.5 * length, length)
    keep = bad.view(-1, 1, 1)
    moved = torch.where(keep, point, moved)
    return (
        moved,
        torch.where(bad, value, new_value),
        torch.where(keep, gradient, new_gradient),
        bool((bad | ~active).all()),
    )
