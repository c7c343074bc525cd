"""Precision, recall and F1 of each class or label, worst first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from landbridge.core.finding import Finding, Judgement
from landbridge.core.parts import part
from landbridge.core.seeds import numpy_generator
from landbridge.evidence.bootstrap import percentile, resamples_for, units, weights
from landbridge.evidence.intervals import Interval, perfect, proportion
from landbridge.evidence.outcome import class_names, kind

FEW = 10  # rows of a class below which its numbers say little


@part("classes")
class Classes:
    """One finding for each class: F1 as its value, precision, recall and support in its data."""

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """`classes.<class>`, lowest F1 first; classes that neither occur nor are predicted are left out."""
        if kind(judgement.target) == "values":
            return
        truth_NC, guess_NC = _marks(judgement)
        unit_N = units(judgement.rows, judgement.groups)
        intervals = _f1_intervals(judgement, truth_NC, guess_NC, unit_N)
        made: list[Finding] = []
        for c, name in enumerate(class_names(judgement.task)):
            truth_N, guess_N = (m[:, [c]].toarray()[:, 0] > 0 for m in (truth_NC, guess_NC))
            if truth_N.any() or guess_N.any():
                made.append(_finding(name, truth_N, guess_N, unit_N, intervals[c]))
        yield from sorted(made, key=lambda finding: finding.value or 0.0)


def _finding(
    name: str, truth_N: np.ndarray, guess_N: np.ndarray, unit_N: np.ndarray, interval: Interval | None
) -> Finding:
    """The numbers of one class."""
    support, predicted, hit = int(truth_N.sum()), int(guess_N.sum()), int((truth_N & guess_N).sum())
    f1 = 2 * hit / (support + predicted)
    if support > 0 and hit in (0, support + predicted - hit):  # all wrong or all right: the bootstrap has no width
        bound = perfect(support)
        interval = (1 - bound, 1.0) if hit else (0.0, bound)
    data = {
        "class": name,
        "support": support,
        "predicted": predicted,
        "recall": hit / support if support else None,
        "recall_interval": proportion(guess_N[truth_N], unit_N[truth_N]) if support else None,
        "precision": hit / predicted if predicted else None,
        "precision_interval": proportion(truth_N[guess_N], unit_N[guess_N]) if predicted else None,
    }
    detail = f"only {support} rows of this class" if support < FEW else ""
    how = f"F1 of {support} rows, 95 % bootstrap interval; precision and recall with Wilson intervals"
    severity = "warning" if support >= FEW and 2 * hit < support else "note"
    return Finding(
        name=f"classes.{name}", value=f1, interval=interval, how=how, severity=severity, detail=detail, data=data
    )


def _marks(judgement: Judgement) -> tuple[csr_array, csr_array]:
    """Sparse NxC marks of the true and of the predicted classes."""
    target, output = judgement.target, judgement.output
    if kind(target) == "labels":
        return csr_array((target > 0.5).astype(np.float64)), csr_array((output > 0).astype(np.float64))
    rows = np.arange(len(target))
    one = np.ones(len(target))
    shape = (len(target), judgement.task.outputs)
    return csr_array((one, (rows, target)), shape=shape), csr_array((one, (rows, output.argmax(1))), shape=shape)


def _f1_intervals(
    judgement: Judgement, truth_NC: csr_array, guess_NC: csr_array, unit_N: np.ndarray
) -> list[Interval | None]:
    """Bootstrap interval of F1 of each class, over the resamples in which it occurs or is predicted."""
    hit_NC = truth_NC.multiply(guess_NC).tocsr()
    pieces: list[np.ndarray] = []
    count = resamples_for(judgement.output)
    for weights_RN in weights(unit_N, count, numpy_generator(judgement.seed, "classes")):
        hit, true, guessed = ((m.T @ weights_RN.T).T for m in (hit_NC, truth_NC, guess_NC))
        total = true + guessed
        pieces.append(np.divide(2 * hit, total, out=np.full(total.shape, np.nan), where=total > 0))
    values_RC = np.concatenate(pieces)
    units_count = len(np.unique(unit_N))
    return [percentile(values_RC[:, c], units_count) for c in range(values_RC.shape[1])]
