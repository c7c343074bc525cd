"""Confused pairs, worst rows and learning curves on examples small enough to read."""

from dataclasses import replace

import numpy as np
import pytest
from judged import classes, labels, values
from sklearn.metrics import confusion_matrix

from landbridge.core.finding import Trial
from landbridge.evidence.confusion import Confusion
from landbridge.evidence.learning import curves
from landbridge.evidence.mistakes import Mistakes


def test_confusion_equals_scikit_learn() -> None:
    judgement = classes(200, 4)
    found = next(Confusion(pairs=3).findings(judgement))
    matrix = confusion_matrix(judgement.target, judgement.output.argmax(1))
    assert found.data["matrix"] == matrix.tolist()
    np.fill_diagonal(matrix, 0)
    assert [p["rows"] for p in found.data["pairs"]] == sorted(matrix.reshape(-1), reverse=True)[:3]
    assert found.value == pytest.approx(matrix.max() / matrix.sum())
    assert "taken for" in found.detail
    assert "matrix" not in next(Confusion(widest=3).findings(judgement)).data
    assert list(Confusion().findings(values())) == [] == list(Confusion().findings(labels()))


def test_no_mistakes() -> None:
    judgement = classes(20, 2)
    judgement = replace(judgement, output=np.eye(2)[judgement.target])
    assert next(Confusion().findings(judgement)).value == 0
    found = next(Mistakes().findings(judgement))
    assert found.value == 0 and found.data["rows"] == []


def test_worst_mistakes_first_and_each_row_once() -> None:
    judgement = classes(6, 2)
    judgement = replace(
        judgement,
        rows=np.array([10, 11, 12, 13, 10, 14]),
        target=np.array([0, 0, 0, 1, 0, 1]),
        output=np.array([[0, 1], [0, 3.0], [2, 0], [0, 2], [0, 2.0], [0.5, 0]]),
        labels=["a.png", "b.png", "c.png", "d.png", "a.png", "e.png"],
    )
    found = next(Mistakes().findings(judgement))
    rows = found.data["rows"]
    assert found.value == 4
    assert [r["row"] for r in rows] == [11, 10, 14]
    assert [r["label"] for r in rows] == ["b.png", "a.png", "e.png"]
    assert [r["truth"] for r in rows] == ["c0", "c0", "c1"]
    assert [r["predicted"] for r in rows] == ["c1", "c1", "c0"]
    assert rows[0]["confidence"] == pytest.approx(1 / (1 + np.exp(-3)))
    assert len(next(Mistakes(most=2).findings(judgement)).data["rows"]) == 2


def test_largest_residuals_and_wrong_label_sets() -> None:
    judgement = values(50)
    found = next(Mistakes(most=5).findings(judgement))
    residual = np.abs(judgement.output[:, 0] * 2.0 + 10 - judgement.target)
    assert [r["row"] for r in found.data["rows"]] == np.argsort(-residual)[:5].tolist()
    assert found.value == pytest.approx(residual.max(), rel=1e-6)
    marked = labels(3)
    target = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=np.float32)
    marked = replace(marked, target=target, output=np.array([[2.0, -1, -1], [1, -3, -1], [-1, 0.5, 2]]))
    rows = next(Mistakes().findings(marked)).data["rows"]
    assert [(r["truth"], r["predicted"]) for r in rows] == [(["a", "b"], ["a"]), (["c"], ["b", "c"])]


def test_learning_curves() -> None:
    points = [{"epoch": 1.0, "loss": 2.0, "validation": 0.5}, {"epoch": 2.0, "loss": 1.0, "validation": 0.7}]
    trials = [Trial(name="probe", recipe={}, curve=points), Trial(name="rival", recipe={}, role="rival")]
    found = curves(trials)
    assert [(r["trial"], r["epoch"], r["best"]) for r in found] == [("probe", 1.0, 0), ("probe", 2.0, 1)]
    assert found[0]["seconds"] is None
