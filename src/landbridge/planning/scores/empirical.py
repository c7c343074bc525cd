"""The expected empirical prediction: labels told from another labelling of the same rows, soft or hard.

Shapes: N rows, C classes, Z classes of the other labelling.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from landbridge.core.errors import UsageError
from landbridge.planning.scores.rows import checked

_OFF = 0.02  # how far from 1 a row's probabilities may add up, as half precision does


def log_likelihood(source_NZ: Tensor, hot_NC: Tensor) -> float:
    """Mean log of `sum_z P(y_n | z) source_nz`, P(y | z) being the share of y among what falls on z.

    Nguyen et al. 2020, equations 1 and 2.
    """
    joint_CZ = hot_NC.T @ source_NZ
    given_CZ = joint_CZ / joint_CZ.sum(0).clamp_min(1e-300)
    likely_NC = source_NZ @ given_CZ.T
    return float((likely_NC * hot_NC).sum(1).clamp(1e-300, 1.0).log().mean())


def probabilities(name: str, given_NZ: np.ndarray, count: int) -> Tensor:
    """A source's probabilities for N rows, made to add to 1; UsageError where they are none."""
    source_NZ = checked(name, "source_probabilities", given_NZ)
    total_N1 = source_NZ.sum(1, keepdim=True)
    if len(source_NZ) != count:
        raise UsageError(f"{name}: source_probabilities have {len(source_NZ)} rows, labels {count}; give one for each")
    if bool((source_NZ < 0).any()) or bool(((total_N1 - 1).abs() > _OFF).any()):
        raise UsageError(f"{name}: source_probabilities must be at least 0 and add to 1 in each row; apply a softmax")
    return source_NZ / total_N1


def hard(source_NZ: Tensor) -> Tensor:
    """All the probability of a row on its likeliest class, NxZ."""
    return torch.nn.functional.one_hot(source_NZ.argmax(1), source_NZ.shape[1]).double()
