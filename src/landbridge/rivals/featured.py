"""A fixed vector for each example, and a linear model on it: what the dense rivals have in common."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from landbridge.core.model import Example
from landbridge.rivals.linear import Linear

_CHUNK = 256  # examples decoded at a time, so that memory stays small


@dataclass(frozen=True)
class Featured:
    """`describe(example)` gives the vector that `linear` reads; `facts` say which description it is."""

    describe: Callable[[Example], np.ndarray]
    facts: dict[str, Any]
    linear: Linear

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32."""
        stream = iter(examples)
        parts: list[np.ndarray] = [np.zeros((0, len(self.linear.bias)), np.float32)]
        while chunk := list(itertools.islice(stream, _CHUNK)):
            parts.append(self.linear.output(stack([self.describe(e) for e in chunk])))
        return np.concatenate(parts)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The description as JSON, the linear model as arrays."""
        return dict(self.facts), self.linear.arrays()


def stack(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Vectors to a float32 matrix NxD."""
    return np.stack(vectors).astype(np.float32)
