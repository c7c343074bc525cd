"""What features say before any training: held-out probes, confused classes, learning curves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from landbridge.core import registry
from landbridge.nn.solve import Adjustment
from landbridge.planning.confused import confused_pairs, separability
from landbridge.planning.held_out import held_out_outputs, outputs_of
from landbridge.planning.labels_worth import learning_curve, nested, told

CLASSIFY = registry.find("tasks", "classify").from_labels(["ant", "bee", "cat"])


def clouds(rows: int, apart: float = 3.0, seed: int = 0, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Three classes around corners of a simplex."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    features = rng.normal(size=(rows, width)) + apart * np.eye(3, width)[labels]
    return features.astype(np.float32), labels


def test_the_probe_of_classes_decides_as_a_linear_discriminant() -> None:
    import torch

    known, labels = clouds(300)
    asked, _ = clouds(90, seed=1)
    adjustment = Adjustment.of(torch.from_numpy(known), normalise=True, standardise=True)
    rows, others = (adjustment(torch.from_numpy(f)).numpy() for f in (known, asked))
    reference = LinearDiscriminantAnalysis(solver="lsqr").fit(rows, labels).predict(others)
    assert (outputs_of(known, labels, asked, CLASSIFY).argmax(1) == reference).mean() > 0.97


def test_the_probe_of_values_is_ridge_in_the_units_of_the_task() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 4)).astype(np.float32)
    values = (5.0 + features @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.1 * rng.normal(size=200)).astype(np.float32)
    task = registry.find("tasks", "regress").from_labels(values.tolist())
    output = outputs_of(features[:150], values[:150], features[150:], task)
    ours = task.probabilities(output)
    theirs = Ridge(alpha=1e-3).fit(features[:150], values[:150]).predict(features[150:])
    assert task.score(output, values[150:]) > 0.5  # rows are brought to length 1 first, which loses their size
    assert np.corrcoef(ours, theirs)[0, 1] > 0.8 and abs(ours.mean() - values[150:].mean()) < 0.5


def test_no_row_is_told_by_a_probe_that_knew_it_or_its_group() -> None:
    features, labels = np.eye(60, dtype=np.float32), np.arange(60) % 3  # a row says nothing of another
    output = held_out_outputs(features, labels, CLASSIFY, seed=0)
    assert (output.argmax(1) == labels).mean() < 0.6
    twins = np.repeat(np.eye(30, dtype=np.float32), 2, axis=0)
    pair = np.repeat(np.random.default_rng(0).integers(0, 3, 30), 2)
    apart = held_out_outputs(twins, pair, CLASSIFY, seed=0, groups=np.repeat(np.arange(30), 2).astype(str))
    known = held_out_outputs(twins, pair, CLASSIFY, seed=0)
    assert (known.argmax(1) == pair).mean() > (apart.argmax(1) == pair).mean() + 0.2


def test_confused_pairs_are_counted_both_ways() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    guess = np.array([0, 1, 1, 0, 1, 2, 2, 0])
    found = confused_pairs(np.eye(3)[guess], labels, CLASSIFY)
    assert [(p["classes"], p["rows"]) for p in found] == [(["ant", "bee"], 3), (["ant", "cat"], 1)]
    assert found[0]["share"] == pytest.approx(3 / 5) and found[0]["interval"][0] < 3 / 5 < found[0]["interval"][1]
    lowest = separability(np.eye(3)[guess], labels, CLASSIFY)[0]
    assert lowest["class"] == "ant" and lowest["share"] == pytest.approx(1 / 3) and lowest["rows"] == 3


def test_every_beginning_of_a_nested_order_holds_the_classes_in_their_shares() -> None:
    strata = np.repeat([0, 1, 2], [60, 30, 6])
    order = nested(strata, len(strata), np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(96))
    assert np.bincount(strata[order[:6]], minlength=3).tolist() == [2, 2, 2]
    counts = np.bincount(strata[order[:48]], minlength=3)
    assert counts[0] > counts[1] > counts[2] and abs(counts[0] - 30) <= 3


def test_a_probe_learns_with_labels_and_levels_off() -> None:
    features, labels = clouds(400, apart=2.0)
    curve = learning_curve(features, labels, CLASSIFY, seed=0, repeats=5)
    assert curve is not None
    said = told(curve, labels)
    assert said is not None and said["rows"][-1] == 400 and len(said["rows"]) == 5
    assert said["scores"][-1] > said["scores"][0] and 0 <= said["twice"]["gain"] < 0.05
    assert learning_curve(features[:12], labels[:12], CLASSIFY, seed=0) is None
