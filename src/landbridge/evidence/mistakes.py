"""The rows that the model got most wrong: what a person should look at first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from landbridge.core.finding import Finding, Judgement
from landbridge.core.parts import part, whole
from landbridge.evidence.outcome import correct, kind, truth


@part("mistakes")
class Mistakes:
    """The worst test rows: wrong with the highest confidence, or with the largest residual."""

    most: int = whole(24, 1, 1000, help="rows shown")

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """`mistakes`: how many rows are wrong, the worst of them in the data; for values, the largest residual."""
        badness, unit = _badness(judgement)
        order = np.argsort(-badness, kind="stable")
        first = np.unique(judgement.rows[order], return_index=True)[1]  # a row of several folds is shown once
        wrong = int(np.isfinite(badness).sum())
        shown = [i for i in order[np.sort(first)] if np.isfinite(badness[i])][: self.most]
        values = kind(judgement.target) == "values"
        named = truth(judgement.task, judgement.target[shown])
        guessed = judgement.task.decode(judgement.output[shown])
        rows = [
            {
                "row": int(judgement.rows[i]),
                "label": _label(judgement, i),
                "truth": named[k],
                "predicted": guessed[k],
                unit: float(badness[i]),
            }
            for k, i in enumerate(shown)
        ]
        what = "largest residual, in the target's units" if values else "wrong test rows"
        value = float(badness[shown[0]]) if values and shown else float(wrong)
        yield Finding(name="mistakes", value=value, how=f"{what}; worst first in the data", data={"rows": rows})


def _badness(judgement: Judgement) -> tuple[np.ndarray, str]:
    """How wrong each row is (-inf where it is right) and what that number is called.

    Classes: probability of the wrong prediction. Label sets: the highest probability given to a wrong label state.
    """
    shares = judgement.task.probabilities(judgement.output)
    if kind(judgement.target) == "values":
        return np.abs(shares - judgement.target), "residual"
    right = correct(judgement.output, judgement.target)
    if kind(judgement.target) == "classes":
        return np.where(right, -np.inf, shares.max(1)), "confidence"
    against = np.where(judgement.target > 0.5, 1 - shares, shares)
    return np.where(right, -np.inf, against.max(1)), "confidence"


def _label(judgement: Judgement, position: int) -> str:
    """How the row names itself; `judgement.labels` go with `judgement.rows`, position by position."""
    return str(judgement.labels[position]) if len(judgement.labels) else f"row {judgement.rows[position]}"
