"""Which classes are confused in the features already, before any training."""

from __future__ import annotations

from typing import Any

import numpy as np

from landbridge.core.contracts import Task
from landbridge.evidence.intervals import wilson
from landbridge.evidence.outcome import class_names

PAIRS = 10


def confused_pairs(output_NC: np.ndarray, labels_N: np.ndarray, task: Task, most: int = PAIRS) -> list[dict[str, Any]]:
    """The pairs of classes between which held-out rows go astray most, both ways counted, the worst first.

    `share` is of the rows of both classes, with its interval (Wilson 1927).
    """
    names, guess = class_names(task), output_NC.argmax(1)
    size_C = np.bincount(labels_N, minlength=len(names))
    wrong = guess != labels_N
    low, high = np.minimum(labels_N, guess)[wrong], np.maximum(labels_N, guess)[wrong]
    pairs, count = np.unique(low * len(names) + high, return_counts=True)
    found = []
    for pair, rows in zip(pairs.tolist(), count.tolist(), strict=True):
        one, other = divmod(pair, len(names))
        share = rows / (size_C[one] + size_C[other])
        interval = wilson(float(share), float(size_C[one] + size_C[other]))
        found.append({"classes": [names[one], names[other]], "rows": rows, "share": share, "interval": interval})
    return sorted(found, key=lambda p: (-p["rows"], -p["share"]))[:most]


def separability(output_NC: np.ndarray, labels_N: np.ndarray, task: Task) -> list[dict[str, Any]]:
    """For each class the share of its held-out rows that the probe tells right, the lowest first."""
    names, right = class_names(task), output_NC.argmax(1) == labels_N
    found = []
    for number, name in enumerate(names):
        own = labels_N == number
        if own.any():
            share, rows = float(right[own].mean()), int(own.sum())
            found.append({"class": name, "share": share, "interval": wilson(share, rows), "rows": rows})
    return sorted(found, key=lambda c: c["share"])
