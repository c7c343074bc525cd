"""Linear models over sparse features such as TF-IDF: a support vector machine for classes, ridge for values.

Shapes: N rows, D features, C outputs.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import lsqr
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from landbridge.rivals.inner import Goal


def fit_sparse(features: csr_matrix, goal: Goal, strength: float, seed: int) -> np.ndarray:
    """Weights CxD with the bias as last column, Cx(D+1) float32; the larger `strength`, the weaker the penalty.

    Classes and labels: one squared-hinge SVM against the rest for each (liblinear's dual coordinate descent, Hsieh et
    al. 2008), many times faster than multinomial logistic regression and about as accurate on TF-IDF. Values: ridge
    by LSQR (Paige & Saunders 1982).
    """
    outputs, width = goal.matrix.shape[1], features.shape[1]
    out = np.zeros((outputs, width + 1), np.float32)
    if goal.link == "identity":
        middle = float(goal.matrix.mean())
        out[0, :-1] = lsqr(features, goal.matrix[:, 0] - middle, damp=strength**-0.5, iter_lim=200)[0]
        out[0, -1] = middle
        return out
    if goal.link == "sigmoid":
        for label in range(outputs):
            out[label] = _against_rest(features, goal.matrix[:, label].astype(np.int64), strength, seed, 2)[1]
        return out
    return _against_rest(features, goal.target, strength, seed, outputs)


def output_of(features: csr_matrix, weight: np.ndarray) -> np.ndarray:
    """features times weights plus bias, NxC float32."""
    return np.asarray(features @ np.ascontiguousarray(weight[:, :-1].T) + weight[:, -1], np.float32)


def _against_rest(features: csr_matrix, target: np.ndarray, strength: float, seed: int, outputs: int) -> np.ndarray:
    """One row for each class; a class that does not occur never wins, a class that is alone always does."""
    out = np.zeros((outputs, features.shape[1] + 1), np.float32)
    out[:, -1] = -1.0
    present = np.unique(target)
    if len(present) == 1:
        out[present[0], -1] = 1.0
        return out
    machine = LinearSVC(C=strength, tol=1e-2, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a model that is nearly optimal is still a fair rival
        machine.fit(features, target)
    found = np.concatenate([machine.coef_, machine.intercept_[:, None]], axis=1)
    out[present] = found if len(present) > 2 else np.concatenate([-found, found])
    return out
