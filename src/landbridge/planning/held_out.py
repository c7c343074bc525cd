"""What a closed-form probe says of rows that it has not seen.

Shapes: N rows, D width, C outputs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from landbridge.core.contracts import Task
from landbridge.core.seeds import numpy_generator
from landbridge.nn.deal import deal
from landbridge.nn.discriminant import discriminant
from landbridge.nn.ridge import ridge_path
from landbridge.nn.solve import PENALTIES, Adjustment
from landbridge.planning.scores.rows import kind_of

FOLDS = 5


def outputs_of(known_ND: np.ndarray, labels_N: np.ndarray, asked_MD: np.ndarray, task: Task) -> np.ndarray:
    """Outputs MxC for the asked rows of a probe fitted to the known ones, prepared as a probe recipe prepares them.

    Classes are told by a shrunk linear discriminant, which has no penalty to choose and gives logits; labels and values
    by ridge with the penalty that does best on rows left out one by one.
    """
    known, asked = torch.from_numpy(known_ND).float(), torch.from_numpy(asked_MD).float()
    adjustment = Adjustment.of(known, normalise=True, standardise=True)
    known, asked = adjustment(known), adjustment(asked)
    if kind_of(labels_N) == "classes":
        hot = torch.nn.functional.one_hot(torch.from_numpy(labels_N.astype(np.int64)), task.outputs).float()
        weight, bias = discriminant(known, hot)
        return (asked @ weight.T + bias).numpy()
    return _ridge(known, _aim(labels_N, task), asked)


def held_out_outputs(
    features_ND: np.ndarray, labels_N: np.ndarray, task: Task, *, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """Outputs NxC, those of each fold by a probe of the other folds; rows of one group are held out together."""
    count = len(labels_N)
    folds = min(FOLDS, count if groups is None else len(np.unique(groups)))
    generator = numpy_generator(seed, "held out")
    fold_N = deal(count, folds, generator, strata=task.strata(labels_N), groups=groups)
    found = np.zeros((count, task.outputs), np.float32)
    for fold in np.unique(fold_N):
        held = fold_N == fold
        found[held] = outputs_of(features_ND[~held], labels_N[~held], features_ND[held], task)
    return found


def _ridge(known: Tensor, aim: Tensor, asked: Tensor) -> np.ndarray:
    """Ridge with the penalty of the least squared error of rows left out."""
    path = ridge_path(known, aim, [p * len(known) / 1000 for p in PENALTIES])
    best = int((path.left_out - aim).square().mean((1, 2)).argmin())
    return (asked @ path.weight[best].T + path.bias[best]).numpy()


def _aim(labels_N: np.ndarray, task: Task) -> Tensor:
    """1 and -1 for labels; values in the units of the task's outputs, which are affine in the values."""
    if labels_N.ndim == 2:
        return torch.from_numpy(2.0 * labels_N - 1.0).float()
    zero, one = (float(task.probabilities(np.full((1, 1), v, np.float32)).reshape(-1)[0]) for v in (0.0, 1.0))
    return torch.from_numpy((labels_N.astype(np.float64) - zero) / (one - zero)).float().unsqueeze(1)
