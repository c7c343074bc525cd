"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from landbridge.core.finding import Finding, Judgement
from landbridge.core.parts import part, whole
from landbridge.evidence.outcome import class_names, kind


@part("confusion")
class Confusion:
    """The confusion matrix of a few classes, and the most frequent mistakes of any number."""

    widest: int = whole(40, 2, 1000, help="classes up to which the whole matrix is kept")
    pairs: int = whole(20, 1, 1000, help="most frequent mistakes kept")

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """`confusion`: the share of all mistakes that the most frequent one makes up; nothing but for classes."""
        if kind(judgement.target) != "classes":
            return
        names = class_names(judgement.task)
        guess = judgement.output.argmax(1)
        cell, count = np.unique(judgement.target * len(names) + guess, return_counts=True)
        true, predicted = cell // len(names), cell % len(names)
        wrong = np.flatnonzero(true != predicted)
        wrong = wrong[np.argsort(-count[wrong], kind="stable")]
        support = np.bincount(judgement.target, minlength=len(names))
        pairs = [
            {
                "truth": names[true[i]],
                "predicted": names[predicted[i]],
                "rows": int(count[i]),
                "share": float(count[i] / support[true[i]]),
            }
            for i in wrong[: self.pairs]
        ]
        data: dict[str, object] = {"classes": names, "pairs": pairs}
        if len(names) <= self.widest:
            matrix = np.zeros((len(names), len(names)), dtype=np.int64)
            matrix[true, predicted] = count
            data["matrix"] = matrix.tolist()  # rows are the truth, columns the prediction
        mistakes = int(count[wrong].sum())
        top = (
            f"{pairs[0]['truth']} taken for {pairs[0]['predicted']} {pairs[0]['rows']} times" if pairs else "no mistake"
        )
        yield Finding(
            name="confusion",
            value=float(count[wrong[0]] / mistakes) if mistakes else 0.0,
            how=f"share of the most frequent mistake among all {mistakes} on {len(guess)} test rows",
            detail=top,
            data=data,
        )
