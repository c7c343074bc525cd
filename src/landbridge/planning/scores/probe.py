"""What a linear model of the features reaches on rows it has not seen."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from landbridge.core.contracts import Task
from landbridge.core.parts import choice, part, whole
from landbridge.core.seeds import numpy_generator
from landbridge.nn.deal import deal
from landbridge.nn.solve import Adjustment, Judge, solve_logistic, solve_ridge
from landbridge.planning.scores.rows import Rows, kind_of, some


@part("probe", paper="Alain & Bengio 2016, Understanding intermediate layers, arXiv:1610.01644; k-fold: Stone 1974")
class Probe:
    """The task's metric of a linear probe on held-out rows, over k folds; R^2 where the labels are values.

    Features are prepared as for the probe that a recipe would train, and the penalty is the one that does best on the
    same folds, so the figure is a little high, alike for all sources. At most `most` rows are used, class by class.
    `task` is the task that the labels were encoded by.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"classes", "labels", "values"})
    needs: ClassVar[frozenset[str]] = frozenset({"seed", "task"})

    solver: str = choice("ridge", "ridge", "logistic", help="least squares, or the logistic model of the probe tuning")
    folds: int = whole(5, 2, 20, help="parts that are held out in turn")
    most: int = whole(4000, 10, 1_000_000, help="rows used")

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray, *, seed: int, task: Task) -> float:
        """The metric on held-out rows at the best penalty."""
        kind, rows = kind_of(np.asarray(labels_N)), Rows.of(self, features_ND, labels_N)
        strata = task.strata(np.asarray(labels_N))
        generator = numpy_generator(seed, "probe")
        taken = some(np.zeros(rows.count, np.int64) if strata is None else strata, self.most, generator)
        truth = np.asarray(labels_N)[taken]
        features = rows.features[taken].float()
        adjustment = Adjustment.of(features, normalise=True, standardise=True)
        count = min(self.folds, len(taken))
        fold_RN = deal(len(taken), count, generator, strata=None if strata is None else strata[taken])[None]
        judge = _explained if kind == "values" else _metric(task)
        given = {"judge": judge, "truth": truth, "fold_RN": fold_RN}
        if self.solver == "ridge" or kind == "values":
            return solve_ridge(features, _aim(kind, truth, task.outputs), adjustment, **given)[1]
        link, hot = ("sigmoid", truth) if kind == "labels" else ("softmax", np.eye(task.outputs)[truth])
        return solve_logistic(features, torch.from_numpy(hot).float(), adjustment, link=link, **given)[1]


def _aim(kind: str, truth: np.ndarray, outputs: int) -> Tensor:
    """What least squares fits: values at mean 0 and variance 1, or 1 at what holds and -1 elsewhere."""
    if kind == "values":
        values = truth.astype(np.float64)
        return torch.from_numpy((values - values.mean()) / max(values.std(), 1e-30)).float().unsqueeze(1)
    hot = np.eye(outputs)[truth] if kind == "classes" else truth
    return torch.from_numpy(2.0 * hot - 1.0).float()


def _explained(output: np.ndarray, truth: np.ndarray) -> float:
    """R^2 of outputs in standardised units."""
    values = truth.astype(np.float64)
    wanted = (values - values.mean()) / max(values.std(), 1e-30)
    return float(1.0 - np.square(output[:, 0] - wanted).mean())


def _metric(task: Task) -> Judge:
    """The task's metric; 0 where the held-out rows leave it undefined, as the AUC of one class is."""

    def judge(output: np.ndarray, truth: np.ndarray) -> float:
        found = task.score(output, truth)
        return found if np.isfinite(found) else 0.0

    return judge
