"""Which convex probe a task gets, and its target in the solver's terms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from landbridge.core.contracts import Task
from landbridge.core.errors import UsageError
from landbridge.nn.few_labels import solve_cache, solve_centroid
from landbridge.nn.heads import Wish
from landbridge.nn.solve import (
    Adjustment,
    Judge,
    Solution,
    make_folds,
    solve_bent,
    solve_discriminant,
    solve_logistic,
    solve_ridge,
)

ONE_CLASS = ("lda", "centroid", "cache")  # solvers for rows that have one class each
_TIE = 1e-4  # how much of the held-out loss decides between equal scores


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be solved: the task, the wished solver and preparation, smoothing, class weights and groups."""

    task: Task
    wish: Wish
    smoothing: float = 0.0
    class_weight: np.ndarray | None = None
    groups: np.ndarray | None = None


def solved(order: Order, features_ND: Tensor, target: Tensor, seed: int) -> Solution:
    """The head that does best in cross-validation; UsageError where a solver does not fit the task.

    Whole-number targets are classes (softmax), N floats are values (ridge), NxC floats are labels (one sigmoid each).
    The score that decides is the task's metric, less a ten-thousandth of the loss, which breaks ties.
    """
    if not bool(torch.isfinite(features_ND).all()):
        raise UsageError("probe: the source gives features that are not finite; try another source or precision")
    features_ND = features_ND.detach().float().cpu()
    truth = target.cpu().numpy()
    if target.ndim == 1 and target.is_floating_point():
        return _values(order, features_ND, truth, seed)
    kind = "logistic" if order.wish.solver == "auto" else order.wish.solver
    classes = target.ndim == 1
    if kind in ONE_CLASS and not classes:
        raise UsageError(f"probe: head '{kind}' needs one class for each row; use logistic or ridge for several labels")
    outputs = order.task.outputs
    sure_NC = torch.nn.functional.one_hot(target.long(), outputs).float() if classes else target.float()
    soft_NC = sure_NC * (1 - order.smoothing) + order.smoothing / (outputs if classes else 2)
    folds = make_folds(
        len(truth), features_ND.shape[1], outputs, seed, strata=order.task.strata(truth), groups=order.groups
    )
    adjustment = _adjustment(order.wish, features_ND)
    weight_N = _row_weight(order, truth) if classes else None
    given = {"judge": _judge(order.task), "truth": truth, "fold_RN": folds, "weight_N": weight_N}
    if kind in ("centroid", "cache"):
        prepared = _direction(order.wish, features_ND)
        few = {"judge": _judge(order.task), "loss": _loss(order.task), "truth": truth, "fold_RN": folds}
        if kind == "centroid":
            return solve_centroid(features_ND, sure_NC, prepared, **few)
        return solve_cache(features_ND, sure_NC, prepared, seed=seed, weight_N=weight_N, **few)
    if kind == "kernel":
        bend = {"judge": _judge(order.task), "loss": _loss(order.task), "truth": truth, "fold_RN": folds, "seed": seed}
        return solve_bent(features_ND, soft_NC if classes else 2 * soft_NC - 1, adjustment, **bend)
    if kind == "lda":
        return solve_discriminant(features_ND, sure_NC, adjustment, **given)[0]
    if kind == "ridge":
        return solve_ridge(features_ND, 2 * soft_NC - 1, adjustment, **given)[0]
    mass_NC = None if classes else _mass(order, soft_NC)
    aim_NC = soft_NC if mass_NC is None else mass_NC - (1 - soft_NC)
    link = "softmax" if classes else "sigmoid"
    return solve_logistic(features_ND, aim_NC, adjustment, link=link, mass_NC=mass_NC, **given)[0]


def _values(order: Order, features_ND: Tensor, truth: np.ndarray, seed: int) -> Solution:
    """Ridge on the task's own scale, which is affine: `probabilities` of outputs 0 and 1 give it."""
    if order.wish.solver not in ("auto", "ridge", "kernel"):
        raise UsageError(f"probe: head '{order.wish.solver}' is for classes; use ridge or auto for numbers")
    zero, one = order.task.probabilities(np.array([[0.0], [1.0]])).reshape(-1)
    aim_N1 = torch.from_numpy(((truth - zero) / (one - zero)).astype(np.float64)).float().unsqueeze(1)
    folds = None
    if order.groups is not None or order.wish.solver == "kernel":
        folds = make_folds(len(truth), features_ND.shape[1], 1, seed, strata=None, groups=order.groups)
    if order.wish.solver == "kernel" and folds is not None:
        adjustment, judge = _adjustment(order.wish, features_ND), _judge(order.task)
        bend = {"judge": judge, "loss": None, "truth": truth, "fold_RN": folds, "seed": seed}
        return solve_bent(features_ND, aim_N1, adjustment, **bend)
    return solve_ridge(
        features_ND,
        aim_N1,
        _adjustment(order.wish, features_ND),
        judge=_judge(order.task),
        truth=truth,
        fold_RN=folds,
    )[0]


def _adjustment(wish: Wish, features_ND: Tensor) -> Adjustment:
    """Rows to length 1 and columns to equal spread unless the wish says otherwise."""
    return Adjustment.of(features_ND, normalise=wish.normalise != "no", standardise=wish.standardise != "no")


def _direction(wish: Wish, features_ND: Tensor) -> Adjustment:
    """Rows to length 1, centred, and to length 1 again (Wang et al. 2019, SimpleShot, arXiv:1911.04623, "CL2N");
    columns as they are unless the wish says otherwise."""
    prepare = {"normalise": wish.normalise != "no", "standardise": wish.standardise == "yes"}
    return Adjustment.of(features_ND, unit=True, **prepare)


def _judge(task: Task) -> Judge:
    """The task's metric less a little of its loss; the loss alone where the metric is undefined on those rows."""

    def judge(output: np.ndarray, truth: np.ndarray) -> float:
        loss = float(task.loss(torch.from_numpy(output).float(), torch.from_numpy(truth)).mean())
        score = task.score(output, truth)
        return (score if math.isfinite(score) else 0.0) - _TIE * loss

    return judge


def _loss(task: Task) -> Judge:
    """The mean loss of the task."""

    def loss(output: np.ndarray, truth: np.ndarray) -> float:
        return float(task.loss(torch.from_numpy(output).float(), torch.from_numpy(truth)).mean())

    return loss


def _row_weight(order: Order, truth: np.ndarray) -> Tensor | None:
    """Weight of each row by its class, mean 1."""
    if order.class_weight is None:
        return None
    weight = order.class_weight[truth]
    return torch.from_numpy((weight / weight.mean()).astype(np.float32))


def _mass(order: Order, soft_NC: Tensor) -> Tensor:
    """How much each label of each row counts: weighted where it is positive, as in the multilabel loss."""
    if order.class_weight is None:
        return torch.ones_like(soft_NC)
    return soft_NC * torch.from_numpy(order.class_weight.astype(np.float32)) + (1 - soft_NC)
