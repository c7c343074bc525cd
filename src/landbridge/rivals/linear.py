"""The linear head of the rivals: logistic or ridge over dense features, its penalty chosen inside the rows.

Shapes: N rows, D features, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp

from landbridge.nn.logistic import Rotation, logistic_path
from landbridge.rivals.inner import Goal, Link, time_left

STRENGTHS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)  # of logistic models over standardised features
ALPHAS = tuple(float(a) for a in np.logspace(-3, 5, 17))  # ridge penalties over standardised features


@dataclass(frozen=True)
class Linear:
    """output = ((features - mean) / scale) weight^T + bias, all float32."""

    mean: np.ndarray  # D
    scale: np.ndarray  # D
    weight: np.ndarray  # CxD
    bias: np.ndarray  # C

    def output(self, features_ND: np.ndarray) -> np.ndarray:
        """output_NC float32."""
        standard = (features_ND.astype(np.float32) - self.mean) / self.scale
        return (standard @ self.weight.T + self.bias).astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for an artifact."""
        return {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Linear:
        """What `arrays` wrote."""
        return cls(*(np.asarray(arrays[name], np.float32) for name in ("mean", "scale", "weight", "bias")))


def standards(features_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature, 1 where it is constant."""
    mean = features_ND.mean(0, dtype=np.float64)
    scale = features_ND.std(0, dtype=np.float64)
    return mean.astype(np.float32), np.where(scale > 1e-6 * (1e-6 + np.abs(mean)), scale, 1.0).astype(np.float32)


def fit_dense(
    features_ND: np.ndarray, goal: Goal, inner: Sequence[tuple[np.ndarray, np.ndarray]], deadline: float | None = None
) -> tuple[Linear, np.ndarray]:
    """The best linear model and the held-out output_NC of every row: left-out for ridge, from the folds for logistic.

    Rows that no fold holds out get 0.
    """
    if goal.link == "identity":
        ridge, left_out, _ = fit_ridge(features_ND, goal)
        return ridge, left_out
    mean, scale = standards(features_ND)
    standard = torch.from_numpy((features_ND.astype(np.float32) - mean) / scale)
    turn = Rotation.of(standard)
    turned, target = turn.turn(standard), torch.from_numpy(goal.matrix)
    weight_PN = torch.ones(len(inner) + 1, len(goal))  # the last problem has every row
    for problem, (_, held) in enumerate(inner):
        weight_PN[problem, torch.from_numpy(held)] = 0.0
    strengths = [s * 300.0 / max(len(goal), 300) for s in STRENGTHS] if len(goal) > 300 else list(STRENGTHS)
    best: tuple[float, torch.Tensor, torch.Tensor, np.ndarray] | None = None
    for weight, bias in logistic_path(
        turned, turn.spread, target, weight_PN, strengths, link=goal.link, steps=60, tolerance=1e-3
    ):
        held_out = np.zeros((len(goal), goal.matrix.shape[1]), np.float32)
        for problem, (_, held) in enumerate(inner):
            held_out[held] = (turned[torch.from_numpy(held)] @ weight[problem].T + bias[problem]).numpy()
        worth = goal.worth(held_out) if inner else 0.0
        if best is None or worth > best[0]:
            best = (worth, weight[-1:], bias[-1:], held_out)
        elif worth < best[0] - 0.02 or time_left(deadline) < 1.0:
            break
    assert best is not None
    weight_1CD, bias_1C = turn.back(best[1], best[2])
    return Linear(mean, scale, weight_1CD[0].numpy().copy(), bias_1C[0].numpy().copy()), best[3]


def fit_ridge(
    features_ND: np.ndarray, goal: Goal, alphas: Sequence[float] = ALPHAS
) -> tuple[Linear, np.ndarray, float]:
    """Ridge whose penalty has the least leave-one-out error; also the left-out outputs_NC and the penalty.

    For classes the regression is onto -1 and 1 (RidgeClassifier), and one factor turns the values into logits: the
    one with the least loss on the left-out outputs. Leave-one-out residuals follow from the eigenvectors of the smaller
    Gram matrix: e_n = (r_n / (1 - h_nn)) (Golub, Heath & Wahba 1979); the mean is refitted with each left-out row
    through the 1/N in h_nn, the scale of the features is not.
    """
    mean, scale = standards(features_ND)
    standard = ((features_ND - mean) / scale).astype(np.float64)
    count, width = standard.shape
    aim = goal.matrix.astype(np.float64) * (1.0 if goal.link == "identity" else 2.0)
    aim -= 0.0 if goal.link == "identity" else 1.0
    middle = aim.mean(0)
    centred = aim - middle
    wide = width > count
    values, vectors = np.linalg.eigh(standard @ standard.T if wide else standard.T @ standard)
    kept = values > values[-1] * 1e-12 if values[-1] > 0 else values > -1
    values, vectors = np.maximum(values[kept], 1e-12), vectors[:, kept]
    left_NR = vectors if wide else standard @ vectors / np.sqrt(values)
    found: tuple[float, float, np.ndarray] | None = None
    along = left_NR.T @ centred
    for alpha in alphas:
        shrink = values / (values + alpha)
        fitted = left_NR @ (shrink[:, None] * along)
        leverage = (left_NR**2) @ shrink + 1.0 / count
        left_out = aim - (centred - fitted) / np.maximum(1.0 - leverage, 1e-6)[:, None]
        error = float(np.mean((aim - left_out) ** 2))
        if found is None or error < found[0]:
            found = (error, alpha, left_out)
    assert found is not None
    _, alpha, left_out = found
    right = standard.T @ left_NR if wide else vectors * np.sqrt(values)
    weight = (right @ (along / (values + alpha)[:, None])).T
    factor = logit_factor(left_out, goal)
    linear = Linear(mean, scale, (factor * weight).astype(np.float32), (factor * middle).astype(np.float32))
    return linear, (factor * left_out).astype(np.float32), alpha


def logit_factor(values_NC: np.ndarray, goal: Goal) -> float:
    """The factor that makes values the best logits in the sense of the task's loss; 1 for regression.

    Targets are drawn in by one imaginary row of each class (Platt 1999, section 2.2), so that values that separate few
    rows perfectly do not ask for certainty.
    """
    if goal.link == "identity":
        return 1.0
    count, outputs = goal.matrix.shape
    imaginary = outputs if goal.link == "softmax" else 2
    aim = (goal.matrix * count + imaginary / (outputs if goal.link == "softmax" else 2)) / (count + imaginary)
    found = minimize_scalar(
        lambda log: loss_and_slope(np.exp(log) * values_NC, aim, goal.link)[0], bounds=(-2.0, 4.0), method="bounded"
    )
    return float(np.exp(found.x))


def loss_and_slope(output_NC: np.ndarray, matrix: np.ndarray, link: Link) -> tuple[float, np.ndarray]:
    """Summed loss and its derivative by the output, NxC: cross-entropy, or half the squared error."""
    if link == "softmax":
        normaliser = logsumexp(output_NC, axis=1, keepdims=True)
        return float(np.sum(normaliser) - np.sum(matrix * output_NC)), np.exp(output_NC - normaliser) - matrix
    if link == "sigmoid":
        loss = np.logaddexp(0.0, output_NC) - matrix * output_NC
        return float(loss.sum()), expit(output_NC) - matrix
    residual = output_NC - matrix
    return 0.5 * float(np.sum(residual**2)), residual
