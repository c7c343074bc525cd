"""Per-class numbers against scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from judged import classes, labels, values
from scipy import stats
from sklearn.metrics import f1_score, precision_recall_fscore_support

from landbridge.evidence.classes import Classes


def test_numbers_equal_scikit_learn() -> None:
    judgement = classes()
    precision, recall, f1, support = precision_recall_fscore_support(judgement.target, judgement.output.argmax(1))
    found = list(Classes().findings(judgement))
    assert [f.value for f in found] == sorted(f.value for f in found)
    for c in range(3):
        finding = next(f for f in found if f.name == f"classes.c{c}")
        assert finding.value == pytest.approx(f1[c])
        assert finding.interval[0] < f1[c] < finding.interval[1]
        assert finding.data["precision"] == pytest.approx(precision[c])
        assert finding.data["recall"] == pytest.approx(recall[c])
        assert finding.data["support"] == support[c]
        hits = round(recall[c] * support[c])
        expected = stats.binomtest(hits, int(support[c])).proportion_ci(method="wilson")
        assert finding.data["recall_interval"] == pytest.approx((expected.low, expected.high))


def test_labels_and_values() -> None:
    judgement = labels()
    found = {f.data["class"]: f.value for f in Classes().findings(judgement)}
    expected = f1_score(judgement.target, judgement.output > 0, average=None)
    assert [found[n] for n in "abc"] == pytest.approx(expected)
    assert list(Classes().findings(values())) == []


def test_a_class_all_right_or_all_wrong_keeps_a_width() -> None:
    judgement = classes(40, 2)
    target = np.array([0] * 36 + [1] * 4)
    all_first = np.tile([[1.0, 0.0]], (40, 1))
    missed = {f.name: f for f in Classes().findings(replace(judgement, target=target, output=all_first))}
    assert missed["classes.c1"].value == 0
    assert missed["classes.c1"].interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 4)))
    assert missed["classes.c1"].detail.startswith("only 4 rows")
    assert missed["classes.c1"].data["precision"] is None
