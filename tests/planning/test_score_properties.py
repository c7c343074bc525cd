"""What every score must do on rows as they come, and what must not change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ortho_group

from landbridge.core import registry

CLASSES = [n for n in registry.names("scores") if "classes" in registry.find("scores", n).reads]
TURN = {"h_score", "logme", "sfda", "gbc", "transrate", "nearest_mean", "nce", "leep"}  # no column is special
SHIFT = TURN - {"logme"} | {"parc", "nleep"}  # LogME has no intercept, the probe makes rows of length 1
DRAWN = {"nleep", "probe"}  # what is drawn by place depends on the order


def blobs(rows: int, width: int, classes: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    return apart * generator.standard_normal((classes, width))[y] + generator.standard_normal((rows, width)), y


def scored(name: str, x: np.ndarray, y: np.ndarray, source: np.ndarray | None = None) -> float:
    """The score with all it needs; the source's probabilities are a softmax of the first columns unless given."""
    score = registry.find("scores", name)()
    logits = np.asarray(x, np.float64)[:, :20] if source is None else source
    shares = np.exp(logits - logits.max(1, keepdims=True))
    given: dict[str, Any] = {
        "seed": 0,
        "task": registry.find("tasks", "classify")(classes=tuple(range(int(y.max()) + 1))),
        "source_probabilities": shares / shares.sum(1, keepdims=True),
    }
    return score.score(x, y, **{need: given[need] for need in score.needs})


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(("rows", "width", "classes"), [(80, 12, 2), (400, 30, 100), (60, 200, 4)])
def test_scores_rise_as_classes_part(name: str, rows: int, width: int, classes: int) -> None:
    found = [scored(name, *blobs(rows, width, classes, apart)) for apart in (0.0, 0.4, 1.5)]
    assert np.isfinite(found).all() and found[0] < found[2]
    assert found[0] - 0.1 * (found[2] - found[0]) <= found[1] <= found[2] + 1e-9


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_one_row_and_repeated_rows_are_no_trouble(name: str) -> None:
    x, y = blobs(61, 10, 3, 1.5)
    y[-1] = 3
    alone = scored(name, x, y)
    assert np.isfinite(alone) and abs(alone) < 1e4
    twice = scored(name, np.repeat(x, 2, axis=0), np.repeat(y, 2))
    assert np.isfinite(twice)
    if name in {"transrate", "leep", "nce", "sfda"}:  # functions of the distribution of rows alone
        assert twice == pytest.approx(alone, rel=1e-8)


@pytest.mark.parametrize("name", CLASSES)
def test_half_precision_changes_little(name: str) -> None:
    x, y = blobs(120, 16, 4, 0.8)
    exact, rounded = scored(name, x, y), scored(name, x.astype(np.float16), y)
    assert rounded == pytest.approx(exact, rel=0.05, abs=0.03)


@pytest.mark.parametrize("name", sorted(TURN))
@pytest.mark.parametrize(("rows", "width"), [(90, 8), (30, 50)])
def test_a_rotation_changes_nothing(name: str, rows: int, width: int) -> None:
    x, y = blobs(rows, width, 3, 0.7)
    turned = x @ ortho_group.rvs(width, random_state=np.random.RandomState(0))
    assert scored(name, turned, y, x) == pytest.approx(scored(name, x, y, x), rel=1e-6)


@pytest.mark.parametrize("name", sorted(SHIFT))
def test_a_shift_and_a_unit_change_nothing(name: str) -> None:
    x, y = blobs(90, 8, 3, 0.7)
    assert scored(name, 40.0 * x - 300.0, y, x) == pytest.approx(scored(name, x, y, x), rel=1e-6, abs=1e-9)
    if "logme" in CLASSES:
        assert scored("logme", 40.0 * x, y) == pytest.approx(scored("logme", x, y), rel=1e-9)


@pytest.mark.parametrize("name", CLASSES)
def test_the_order_of_rows_and_the_names_of_classes_change_nothing(name: str) -> None:
    x, y = blobs(120, 8, 3, 0.7)
    order = np.random.default_rng(1).permutation(120)
    found, moved = scored(name, x, y), scored(name, x[order], y[order])
    assert moved == pytest.approx(found, abs=0.15 if name in DRAWN else 1e-9)
    if name not in DRAWN:
        assert scored(name, x, 2 - y) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("name", CLASSES)
def test_constant_features_say_no_more_than_the_class_shares(name: str) -> None:
    x, y = np.full((60, 7), 0.1, np.float32), np.repeat([0, 1, 2], [30, 20, 10])
    good, _ = blobs(60, 7, 3, 0.0)
    found, apart = scored(name, x, y), scored(name, good + 5 * np.eye(7)[y], y)
    assert np.isfinite(found) and found < apart
