"""How the classes of a source relate to those of a task: p(source class | class), learnt from labelled rows.

Shapes: N rows, S source classes, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from landbridge.nn.logistic import Rotation, logistic_path
from landbridge.nn.solve import choose_strength, held_out

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0)  # inverse penalties
SHARPNESS = 2.0 ** np.arange(-4, 4.25, 0.25)  # of the solved logits, for the best held-out likelihood

Loss = Callable[[np.ndarray, np.ndarray], float]  # logits NxC and classes to the mean loss


def reverse_relation(source_NS: Tensor, target_N: Tensor, outputs: int, fold_RN: np.ndarray) -> Tensor:
    """CxS by Bayes' rule from a calibrated model of p(class | source class).

    You et al. 2020 (Co-Tuning), section 3.3, the reverse approach: a logistic regression from the source's
    probabilities to classes, its penalty chosen and its logits rescaled on held-out rows; each source class alone is
    then an input, and the source's mean probabilities are the marginal. Our regression has an unpenalised bias.
    """
    truth = target_N.numpy()
    hot_NC = torch.nn.functional.one_hot(target_N, outputs).to(source_NS.dtype)
    rotation = Rotation.of(source_NS)
    turned, spread = rotation.turn(source_NS), rotation.spread
    weight_N = source_NS.new_ones(len(source_NS))
    lowest = lambda output, held: -cross_entropy(output, held)  # noqa: E731
    best, _ = choose_strength(turned, spread, hot_NC, weight_N, lowest, truth, fold_RN, strengths=STRENGTHS)
    held_PN = held_out(fold_RN)
    train_PN = torch.from_numpy(~held_PN).to(source_NS.dtype)
    weight, bias = next(logistic_path(turned, spread, hot_NC, torch.cat([train_PN, weight_N[None]]), [best]))
    output_PNC = (turned @ weight.transpose(1, 2) + bias.unsqueeze(1)).numpy()
    sharp = float(min(SHARPNESS, key=lambda s: _loss_of(output_PNC[:-1] * s, held_PN, truth)))
    whole_CS, bias_C = (t[-1] for t in rotation.back(weight, bias))
    given_SC = (sharp * (whole_CS.T + bias_C)).softmax(1)
    joint_CS = (given_SC * source_NS.mean(0).unsqueeze(1)).T
    return joint_CS / joint_CS.sum(1, keepdim=True).clamp_min(1e-30)


def direct_relation(source_NS: Tensor, target_N: Tensor, outputs: int) -> Tensor:
    """CxS: the source's mean probabilities over the rows of each class (section 3.3, the direct approach).

    A class without rows gets those of all rows.
    """
    hot_NC = torch.nn.functional.one_hot(target_N, outputs).to(source_NS.dtype)
    count_C1 = hot_NC.sum(0).unsqueeze(1)
    return torch.where(count_C1 > 0, hot_NC.T @ source_NS / count_C1.clamp_min(1), source_NS.mean(0))


def cross_entropy(output_NC: np.ndarray, truth_N: np.ndarray) -> float:
    """The mean loss of logits."""
    return float(torch.nn.functional.cross_entropy(torch.from_numpy(output_NC), torch.from_numpy(truth_N)))


def _loss_of(output_PNC: np.ndarray, held_PN: np.ndarray, truth_N: np.ndarray) -> float:
    pairs = zip(output_PNC, held_PN, strict=True)
    return float(np.mean([cross_entropy(output[held], truth_N[held]) for output, held in pairs]))
