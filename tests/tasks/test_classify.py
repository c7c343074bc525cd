"""Classification against scikit-learn, and weights against rows that are really repeated."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as reference

from landbridge.core import registry
from landbridge.core.errors import DataError, UnknownName
from landbridge.tasks.classify import Classify


def sample(classes: int, rows: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that know something about the target; rounded, so that ties occur."""
    draw = np.random.default_rng(seed)
    target = draw.integers(0, classes, rows)
    output = draw.normal(size=(rows, classes)).round(1)
    output[np.arange(rows), target] += 1.0
    return output.astype(np.float32), target


def test_classes_keep_type_and_natural_order() -> None:
    assert Classify.from_labels([10, 9, np.int64(2), 10.0]).classes == (2, 9, 10)
    assert Classify.from_labels(["fold10", "fold2", "Fold1"]).classes == ("Fold1", "fold2", "fold10")
    flags = Classify.from_labels(np.array([True, False, True]))
    assert flags.classes == (False, True) and all(isinstance(c, bool) for c in flags.classes)
    assert Classify.from_labels([1, "a", 1]).classes == ("1", "a")


@pytest.mark.parametrize("labels", [["a", "b"], [1, 2, 3], [False, True], [0.5, 1.5]])
def test_json_round_trip(labels: list) -> None:
    task = Classify.from_labels(labels)
    again = registry.find("tasks", "classify").from_json(json.loads(json.dumps(task.to_json())))
    assert again == task
    assert [type(c) for c in again.classes] == [type(c) for c in task.classes]


def test_encode_knows_a_class_by_its_text() -> None:
    task = Classify.from_labels([1, 2, 3])
    encoded = task.encode(["3", 1.0, np.int32(2)])
    assert encoded.tolist() == [2, 0, 1] and encoded.dtype == np.int64


def test_errors_name_row_value_and_way_out() -> None:
    task = Classify.from_labels(["cat", "dog", "mouse"])
    with pytest.raises(DataError, match=r"row 1: unknown class 'cta'.* cat "):
        task.encode(["dog", "cta"])
    with pytest.raises(DataError, match="row 2: the label is missing"):
        Classify.from_labels(["a", "b", None])
    with pytest.raises(DataError, match="row 0: the label is missing"):
        Classify.from_labels([math.nan, 1.0])
    with pytest.raises(DataError, match="row 1: the label is missing"):
        Classify.from_labels(["a", " "])
    with pytest.raises(DataError, match="one class only"):
        Classify.from_labels(["a", "a"])
    with pytest.raises(UnknownName, match="did you mean accuracy"):
        Classify.from_labels(["a", "b"], metric="acuracy")
    with pytest.raises(UnknownName):
        Classify.from_labels(["a", "b", "c"], metric="average_precision")


def test_rare_second_class_makes_auc_primary() -> None:
    assert Classify.from_labels([0] * 91 + [1] * 9).metric == "auc"
    assert Classify.from_labels([0] * 90 + [1] * 10).metric == "accuracy"
    assert Classify.from_labels([0] * 91 + [1] * 9, metric="macro_f1").metric == "macro_f1"


@pytest.mark.parametrize("classes", [2, 5])
def test_metrics_equal_scikit_learn(classes: int) -> None:
    output, target = sample(classes)
    task = Classify(classes=tuple(range(classes)))
    found = task.metrics(output, target)
    guess, shares = output.argmax(1), softmax(output.astype(float), axis=1)
    binary = classes == 2
    scores = output[:, 1].astype(float) - output[:, 0] if binary else shares
    expected = {
        "accuracy": reference.accuracy_score(target, guess),
        "balanced_accuracy": reference.balanced_accuracy_score(target, guess),
        "macro_f1": reference.f1_score(target, guess, average="macro"),
        "neg_log_loss": -reference.log_loss(target, shares),
        "auc": reference.roc_auc_score(target, scores, multi_class="ovr"),
    }
    if binary:
        expected["average_precision"] = reference.average_precision_score(target, scores)
    assert found == pytest.approx(expected, abs=1e-9)
    assert next(iter(found)) == "accuracy"


@pytest.mark.parametrize("classes", [2, 4])
def test_weights_count_rows(classes: int) -> None:
    output, target = sample(classes, 60, seed=1)
    task = Classify(classes=tuple(range(classes)))
    weights = np.random.default_rng(2).integers(0, 4, (7, 60)).astype(float)
    found = task.resampled(output, target, weights)
    for r, weight in enumerate(weights):
        rows = np.repeat(np.arange(60), weight.astype(int))
        repeated = task.metrics(output[rows], target[rows])
        assert {n: v[r] for n, v in found.items()} == pytest.approx(repeated, abs=1e-9)
    assert task.score(output, target, weights[0]) == pytest.approx(found["accuracy"][0])


def test_absent_classes() -> None:
    task = Classify(classes=("a", "b", "c"))
    output, target = np.eye(3, dtype=np.float32)[[0, 0]] * 9, np.array([0, 0])
    found = task.metrics(output, target)
    assert math.isnan(found["auc"])
    assert found["macro_f1"] == found["balanced_accuracy"] == found["accuracy"] == 1.0


def test_loss_by_hand() -> None:
    task = Classify(classes=("a", "b", "c"))
    output = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 3.0]])
    log_p = torch.log_softmax(output, 1)
    hard = torch.tensor([1, 0])
    assert torch.allclose(task.loss(output, hard), -log_p[[0, 1], [1, 0]])
    soft = torch.tensor([[0.2, 0.8, 0.0], [0.5, 0.0, 0.5]])
    assert torch.allclose(task.loss(output, soft), -(soft * log_p).sum(1))
    weight = torch.tensor([3.0, 0.5, 1.0])
    assert torch.allclose(task.loss(output, hard, weight=weight), torch.stack([-0.5 * log_p[0, 1], -3 * log_p[1, 0]]))
    smooth = 0.9 * torch.eye(3)[hard] + 0.1 / 3
    assert torch.allclose(task.loss(output, hard, smoothing=0.1), -(smooth * log_p).sum(1))


def test_decode_describe_trivial_and_weights() -> None:
    task = Classify(classes=(False, True))
    output = np.array([[0.0, np.log(3.0)], [2.0, 0.0]], dtype=np.float32)
    assert task.decode(output) == [True, False]
    assert task.describe(output)[0] == pytest.approx({"False": 0.25, "True": 0.75})
    target = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    assert np.exp(task.trivial(target)) == pytest.approx([0.7, 0.3])
    weight = task.class_weight(target)
    assert weight == pytest.approx([8 / 12, 2.0])
    assert weight[target].mean() == pytest.approx(1.0)
    assert task.strata(target).tolist() == target.tolist()
