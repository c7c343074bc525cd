"""Multilabel against scikit-learn, and the merging of rare combinations."""

import json

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from landbridge.core.errors import DataError, UnknownName
from landbridge.tasks.multilabel import Multilabel


def sample(rows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    target = (draw.random((rows, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(np.float32)
    return (draw.normal(size=(rows, 4)).round(1) + 2 * target - 1.05).astype(np.float32), target


def test_labels_to_targets_and_back() -> None:
    task = Multilabel.from_labels([["b", "a"], (), {"c"}, "a"])
    assert task.classes == ("a", "b", "c")
    assert task.encode([["b", "a"], (), "c"]).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert task.decode(np.array([[1.0, -1, 2], [-1, -1, -1]])) == [["a", "c"], []]
    assert Multilabel.from_json(json.loads(json.dumps(task.to_json()))) == task
    with pytest.raises(DataError, match="row 1: unknown class 'd'"):
        task.encode([["a"], ["b", "d"]])
    with pytest.raises(DataError, match="row 1: the label is missing"):
        Multilabel.from_labels([["a"], None])
    with pytest.raises(UnknownName, match="micro_f1"):
        Multilabel.from_labels([["a"]], metric="microf1")


def test_metrics_equal_scikit_learn() -> None:
    output, target = sample()
    guess = output > 0
    expected = {
        "macro_f1": reference.f1_score(target, guess, average="macro"),
        "micro_f1": reference.f1_score(target, guess, average="micro"),
        "mean_average_precision": reference.average_precision_score(target, output, average="macro"),
        "subset_accuracy": reference.accuracy_score(target, guess),
    }
    assert Multilabel(classes=tuple("abcd")).metrics(output, target) == pytest.approx(expected, abs=1e-9)


def test_weights_count_rows() -> None:
    output, target = sample(40)
    task = Multilabel(classes=tuple("abcd"))
    weights = np.random.default_rng(3).integers(0, 4, (5, 40)).astype(float)
    found = task.resampled(output, target, weights)
    for r, weight in enumerate(weights):
        rows = np.repeat(np.arange(40), weight.astype(int))
        assert {n: v[r] for n, v in found.items()} == pytest.approx(task.metrics(output[rows], target[rows]), abs=1e-9)
    assert task.score(output, target, weights[1]) == pytest.approx(found["macro_f1"][1])


def test_loss_by_hand() -> None:
    task = Multilabel(classes=("a", "b"))
    output, target = torch.tensor([[0.3, -1.0]]), torch.tensor([[1.0, 0.0]])
    p = torch.sigmoid(output)[0]
    assert task.loss(output, target)[0] == pytest.approx(float((-p[0].log() - (1 - p[1]).log()) / 2))
    weighted = task.loss(output, target, weight=torch.tensor([4.0, 9.0]))[0]
    assert weighted == pytest.approx(float((-4 * p[0].log() - (1 - p[1]).log()) / 2))
    smooth = task.loss(output[:, :1], target[:, :1], smoothing=0.2)[0]
    assert smooth == pytest.approx(float(-0.9 * p[0].log() - 0.1 * (1 - p[0]).log()))


def test_trivial_weight_and_strata() -> None:
    task = Multilabel(classes=tuple("abcd"))
    target = sample()[1]
    shares = task.probabilities(task.trivial(target)[None])[0]
    assert shares == pytest.approx((target.sum(0) + 0.5) / 151)
    assert task.class_weight(target) == pytest.approx((150 - target.sum(0)) / target.sum(0))
    strata = task.strata(target)
    assert np.bincount(strata).min() >= 5
    common = np.flatnonzero((target == target[0]).all(1))
    assert len(set(strata[common])) == 1
