"""Judgements made by hand and by seeded generators, for the tests of this room."""

import numpy as np

from landbridge.core import registry
from landbridge.core.finding import Judgement


def classes(
    rows: int = 300, count: int = 3, seed: int = 0, strength: float = 2.0, metric: str = "accuracy"
) -> Judgement:
    """A judgement about `count` classes with a strong model and two weaker controls."""
    draw = np.random.default_rng(seed)
    task = registry.find("tasks", "classify")(classes=tuple(f"c{i}" for i in range(count)), metric=metric)
    target = draw.integers(0, count, rows)

    def output(strength: float) -> np.ndarray:
        return (draw.normal(size=(rows, count)) + strength * np.eye(count)[target]).astype(np.float32)

    return Judgement(
        task=task,
        rows=np.arange(rows),
        target=target,
        output=output(strength),
        controls={"trivial": np.repeat(task.trivial(target)[None], rows, axis=0), "rival": output(strength / 2)},
        validation_target=target,
        validation_output=output(strength),
    )


def values(rows: int = 200, seed: int = 0, noise: float = 0.5) -> Judgement:
    """A judgement about a regression in the target's own units (center 10, scale 2)."""
    draw = np.random.default_rng(seed)
    task = registry.find("tasks", "regress")(center=10.0, scale=2.0)
    standard = draw.normal(size=(2, rows))
    target, validation = (10 + 2 * standard).astype(np.float32)

    def output(row: int, noise: float) -> np.ndarray:
        return (standard[row] + noise * draw.normal(size=rows))[:, None].astype(np.float32)

    return Judgement(
        task=task,
        rows=np.arange(rows),
        target=target,
        output=output(0, noise),
        controls={"rival": output(0, 2 * noise)},
        validation_target=validation,
        validation_output=output(1, noise),
    )


def labels(rows: int = 200, seed: int = 0) -> Judgement:
    """A judgement about three labels, each present or not."""
    draw = np.random.default_rng(seed)
    task = registry.find("tasks", "multilabel")(classes=("a", "b", "c"))
    target = (draw.random((rows, 3)) < 0.4).astype(np.float32)
    output = (3 * (target - 0.5) + draw.normal(size=(rows, 3))).astype(np.float32)
    weak = (target - 0.5 + draw.normal(size=(rows, 3))).astype(np.float32)
    return Judgement(
        task=task,
        rows=np.arange(rows),
        target=target,
        output=output,
        controls={"rival": weak},
        validation_target=target,
        validation_output=output,
    )
