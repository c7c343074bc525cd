"""Several trained predictors that answer as one: the mean of their outputs, each brought to the scale of the first.

Shapes: N examples, C outputs, M members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from landbridge.core.artifact import BESIDE
from landbridge.core.contracts import Predictor, Task
from landbridge.core.model import Example

CHUNK = 512  # examples held at a time, as each member reads them
LEAST_SPREAD = 1e-6  # of outputs that say nothing
T = TypeVar("T")


class Ensemble:
    """The mean of the outputs of members fitted apart (Dietterich 2000, Ensemble Methods in Machine Learning).

    `spreads` are what `spread_of` gives of each member. The first member is written as it would be alone, so that what
    reads an artifact for its source, its bridge or its weights finds those of the first.
    """

    def __init__(self, members: Sequence[Predictor], spreads: Sequence[float], *, centred: bool) -> None:
        self.members = tuple(members)
        self.spreads = tuple(float(s) for s in spreads)
        self.centred = centred

    @property
    def first(self) -> Predictor:
        """The member that stands for all where one must."""
        return self.members[0]

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32, in order; every member reads a chunk before the next chunk is taken."""
        stream, pieces = iter(examples), list[np.ndarray]()
        while chunk := list(islice(stream, CHUNK)):
            pieces.append(mean_of([m.predict(chunk) for m in self.members], self.spreads, centred=self.centred))
        return np.concatenate(pieces) if pieces else self.first.predict([])

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The first member's state, and under `beside` that of the others."""
        facts, own = self.first.state()
        others, arrays = list[dict[str, Any]](), dict(own)
        for number, member in enumerate(self.members[1:], 1):
            told, held = member.state()
            shared = sorted(name for name, array in held.items() if name in own and np.array_equal(own[name], array))
            others.append({**told, "shared": shared})  # a frozen body is written once
            arrays |= {f"{BESIDE}{number}/{name}": array for name, array in held.items() if name not in shared}
        return {**facts, "beside": others, "spreads": list(self.spreads), "centred": self.centred}, arrays


def mean_of(outputs_MNC: Sequence[np.ndarray], spreads: Sequence[float], *, centred: bool) -> np.ndarray:
    """The mean output NxC on the scale of the first member.

    Outputs of a softmax are centred row by row, as what is added to a whole row says nothing, and then divided by their
    member's spread: a head's logits and a rival's margins else count by how large they happen to be.
    """
    parts = [(_centred(o) if centred else o) / s for o, s in zip(outputs_MNC, spreads, strict=True)]
    return (np.mean(parts, axis=0) * spreads[0]).astype(np.float32)


def spread_of(output_NC: np.ndarray, task: Task) -> float:
    """The deviation of a member's centred outputs on rows that it did not learn from; 1 for values, whose unit is the
    target's own already."""
    return max(float(_centred(output_NC).std()), LEAST_SPREAD) if centres(task) else 1.0


def centres(task: Task) -> bool:
    """Whether outputs are logits of a softmax."""
    return task.part_name == "classify"


def _centred(output_NC: np.ndarray) -> np.ndarray:
    return output_NC - output_NC.mean(1, keepdims=True)


def under(named: Mapping[str, T], number: int) -> dict[str, T]:
    """Arrays or files of one member after the first, by their own names."""
    prefix = f"{BESIDE}{number}/"
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}
