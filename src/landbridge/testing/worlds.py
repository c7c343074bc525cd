"""Checks of generated worlds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from landbridge.core import registry
from landbridge.core.contracts import Made, World
from landbridge.core.examples import Sound
from landbridge.core.parts import name_of
from landbridge.testing.fields import check_fields

ROWS = 24


def check_world(world: World) -> None:
    """A world repeats by seed and number alone, in any slice and order, tells its truth as JSON, and is decoded."""
    name = name_of(world)
    check_fields("worlds", world)
    modality = registry.find("modalities", world.modality)()
    indices = np.arange(ROWS)
    whole = world.make(0, indices)
    assert len(whole.examples) == len(whole.labels) == len(whole.truth) == ROWS, f"{name}: not one of each a number"
    for view, cells in whole.views.items():
        assert len(cells) == ROWS, f"{name}: the view {view} has {len(cells)} of {ROWS}"
    assert _plain(world.make(0, indices)) == _plain(whole), f"{name}: the same seed gives something else"
    mixed = np.array([7, 3, 3, 23, 0])
    assert _plain(world.make(0, mixed)) == [_plain(whole)[i] for i in mixed], f"{name}: an example depends on its slice"
    far = world.make(0, np.array([5, 3_000_000_019]))
    assert _plain(far)[0] == _plain(whole)[5], f"{name}: an example depends on its slice"
    assert len(world.make(0, indices[:0]).examples) == 0, f"{name}: no numbers must give no examples"
    other = _plain(world.make(1, indices))
    assert sum(a[0] == b[0] for a, b in zip(other, _plain(whole), strict=True)) < ROWS / 4, f"{name}: seeds are alike"
    texts = all(isinstance(label, str) for label in whole.labels)
    assert texts or all(isinstance(v, float) for v in whole.labels), f"{name}: labels are neither classes nor numbers"
    assert len(set(whole.labels)) > 1, f"{name}: all examples have one label"
    for example, truth in zip(whole.examples, whole.truth, strict=True):
        assert truth, f"{name}: nothing is said of an example"
        assert json.loads(json.dumps(truth, allow_nan=False)) == _untupled(truth), f"{name}: the truth is no plain JSON"
        _check_range(name, example)
        decoded = modality.decode(example)
        assert np.isfinite(modality.sketch(decoded)).all(), f"{name}: an example is not finite"


def _check_range(name: str, example: Any) -> None:
    if isinstance(example, Sound):
        assert example.wave.dtype == np.float32 and np.abs(example.wave).max() <= 1.0, f"{name}: sound out of range"
        assert np.array_equal(example.wave * 32768.0, np.rint(example.wave * 32768.0)), f"{name}: not in 16-bit steps"
    elif isinstance(example, np.ndarray) and example.ndim == 3:
        assert example.dtype == np.uint8, f"{name}: pictures are bytes, not {example.dtype}"
        assert int(example.max()) - int(example.min()) > 20, f"{name}: a picture is blank"
    elif isinstance(example, np.ndarray):
        assert example.dtype == np.float32 and np.isfinite(example).all(), f"{name}: a series is not finite float32"


def _plain(made: Made) -> list[tuple[Any, ...]]:
    """Example, views, label and truth of each number as comparable values."""
    columns = [made.examples, *(made.views[k] for k in sorted(made.views))]
    return [
        (*(_bytes(column[i]) for column in columns), made.labels[i], json.dumps(made.truth[i]))
        for i in range(len(made.labels))
    ]


def _bytes(cell: Any) -> Any:
    value = cell.wave if isinstance(cell, Sound) else cell
    return value.tobytes() if isinstance(value, np.ndarray) else json.dumps(value)


def _untupled(value: Any) -> Any:
    """The same with lists for tuples."""
    if isinstance(value, dict):
        return {k: _untupled(v) for k, v in value.items()}
    return [_untupled(v) for v in value] if isinstance(value, (list, tuple)) else value
