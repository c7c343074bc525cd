"""What came of each row, told from target and output alone: class numbers, label sets or values.

A target N of whole numbers with outputs NxC is classes, NxC is label sets, anything else is values.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from landbridge.core.contracts import Task

Kind = Literal["classes", "labels", "values"]


def kind(target: np.ndarray) -> Kind:
    """Which of the three the target is."""
    if target.ndim == 2:
        return "labels"
    return "classes" if np.issubdtype(target.dtype, np.integer) else "values"


def correct(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Whether each row is entirely right, N bool; for classes and label sets."""
    if kind(target) == "labels":
        return ((output > 0) == (target > 0.5)).all(1)
    return output.argmax(1) == target


def class_names(task: Task) -> list[str]:
    """The classes as text, in the order of the outputs; empty for values."""
    return list(task.describe(np.zeros((1, task.outputs), dtype=np.float32))[0])


def truth(task: Task, target: np.ndarray) -> list[Any]:
    """The target as the labels it was made of, JSON-ready."""
    if kind(target) == "classes":
        classes = task.decode(np.eye(task.outputs, dtype=np.float32))
        return [classes[int(c)] for c in target]
    if kind(target) == "labels":
        return task.decode(target * 2.0 - 1.0)
    return [float(v) for v in target]
