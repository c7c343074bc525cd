"""Checks of what tells how near a source is: scores and distances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from landbridge.core import registry
from landbridge.core.contracts import Distance, Score, Task
from landbridge.core.errors import UsageError
from landbridge.core.parts import name_of
from landbridge.core.seeds import numpy_generator
from landbridge.testing.fields import check_fields

KINDS = ("classes", "labels", "values")
ROWS, WIDTH = 96, 8


def check_score(score: Score) -> None:
    """A score repeats, is higher where features tell the labels, is finite on awkward rows, refuses other labels."""
    name = name_of(score)
    check_fields("scores", score)
    assert score.reads and score.reads <= set(KINDS), f"{name}: reads {set(score.reads)}, known are {KINDS}"
    for kind in KINDS:
        features, labels, given = _toy(kind)
        given = _needed(score, given)
        if kind not in score.reads:
            _refused(name, lambda x=features, y=labels, g=given: score.score(x, y, **g))
            continue
        mixed = numpy_generator(0, "mixed").permutation(len(labels))
        good, bad = score.score(features, labels, **given), score.score(features, labels[mixed], **given)
        assert math.isfinite(good) and math.isfinite(bad), f"{name}: {good} and {bad} are not both finite"
        assert good > bad, f"{name}: {good} where features tell the {kind}, {bad} where they do not"
        assert type(good) is float and score.score(features, labels, **given) == good, f"{name}: does not repeat"
        for what, awkward in _awkward(features).items():
            found = score.score(awkward, labels, **given)
            assert math.isfinite(found), f"{name}: {found} for {what}"
        spoilt = features.copy()
        spoilt[1, 1] = np.nan
        _refused(name, lambda x=spoilt, y=labels, g=given: score.score(x, y, **g))


def check_distance(distance: Distance) -> None:
    """A distance repeats, is 0 from a set to itself, the same both ways, and less for a near set than for a far one."""
    name = name_of(distance)
    check_fields("distances", distance)
    features, labels, _ = _toy("classes")
    noise = numpy_generator(0, "distance").standard_normal((2, *features.shape))
    near, far = features + 0.1 * noise[0], 3.0 + 2.0 * noise[1]
    given = _needed(distance, {"one_labels": labels, "other_labels": labels, "seed": 0})
    itself, little, much = (distance.distance(features, other, **given) for other in (features, near, far))
    assert math.isfinite(much) and type(much) is float, f"{name}: {much} is no finite number"
    assert abs(itself) <= 1e-6 * much, f"{name}: {itself} from a set to itself"
    assert little < much, f"{name}: {little} to a near set, {much} to a far one"
    assert distance.distance(features, far, **given) == much, f"{name}: does not repeat"
    assert math.isclose(distance.distance(far, features, **given), much, rel_tol=1e-8), f"{name}: not the same back"
    for what, awkward in _awkward(features).items():
        found = distance.distance(awkward, awkward[::-1].copy(), **given)
        assert math.isfinite(found), f"{name}: {found} for {what}"
    _refused(name, lambda: distance.distance(features, np.full_like(features, np.nan), **given))


def _toy(kind: str) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Features that tell the labels, the labels, and all that a score may need."""
    generator = numpy_generator(0, "toy", kind)
    number = np.arange(ROWS) % 3
    features = generator.standard_normal((ROWS, WIDTH)) + 3 * np.eye(WIDTH)[number]
    names: dict[str, tuple[list[Any], str]] = {
        "classes": (number.tolist(), "classify"),
        "labels": (
            [[str(label)] if row % 2 else [str(label), "even"] for row, label in enumerate(number)],
            "multilabel",
        ),
        "values": ((10.0 + number + 0.1 * generator.standard_normal(ROWS)).tolist(), "regress"),
    }
    given, task_name = names[kind]
    task: Task = registry.find("tasks", task_name).from_labels(given)
    shares = 0.1 + generator.random((ROWS, 5)) + 2 * np.eye(5)[number]
    needs = {"seed": 0, "task": task, "source_probabilities": shares / shares.sum(1, keepdims=True)}
    return features.astype(np.float32), task.encode(given), needs


def _needed(part: Score | Distance, given: dict[str, Any]) -> dict[str, Any]:
    unknown = part.needs - given.keys()
    assert not unknown, f"{name_of(part)}: needs {sorted(unknown)}, which nobody passes; known are {sorted(given)}"
    return {name: given[name] for name in part.needs}


def _awkward(features: np.ndarray) -> dict[str, np.ndarray]:
    """Features as they come: half precision, wide, constant, repeated, with an idle column, huge and tiny."""
    wide = np.concatenate([features, numpy_generator(0, "wide").standard_normal((ROWS, 3 * ROWS))], axis=1)
    return {
        "half precision": features.astype(np.float16),
        "more columns than rows": wide,
        "constant features": np.full_like(features, 0.1),
        "features of 0": np.zeros_like(features),
        "rows that are all there twice": np.repeat(features[: ROWS // 2], 2, axis=0),
        "a constant column": np.concatenate([features, np.full((ROWS, 1), 7.0)], axis=1),
        "one column": features[:, :1],
        "huge numbers": 1e6 * features.astype(np.float64),
        "tiny numbers": 1e-6 * features.astype(np.float64),
    }


def _refused(name: str, call: Any) -> None:
    """A UsageError of one line that names the part."""
    try:
        call()
    except UsageError as error:
        assert name in str(error) and "\n" not in str(error), f"{name}: the error must be one line naming it: {error}"
        return
    raise AssertionError(f"{name}: takes what it cannot use")
