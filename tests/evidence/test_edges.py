"""Judgements at the edge of sense: every evaluator gives plain JSON, and no interval claims what it cannot know."""

import json
from dataclasses import replace

import numpy as np
import pytest
from judged import classes, labels, values

from landbridge.core import registry
from landbridge.core.finding import Finding, Judgement


def every(judgement: Judgement) -> dict[str, Finding]:
    """All findings of all evaluators by name, after a trip through strict JSON."""
    found = [f for name in registry.names("evidence") for f in registry.find("evidence", name)().findings(judgement)]
    assert json.loads(json.dumps([f.to_json() for f in found], allow_nan=False))
    return {f.name: f for f in found}


def test_one_class_in_the_test_rows() -> None:
    judgement = replace(classes(30, 2, metric="auc"), target=np.zeros(30, dtype=int))
    found = every(judgement)
    assert "test.auc" not in found and "test.accuracy" in found
    assert found["gain"].value is None and found["gain"].data["verdict"] == "no difference"


@pytest.mark.parametrize("make", [classes, values, labels])
def test_one_row_says_nothing_for_sure(make) -> None:
    found = every(make(1))
    assert found["gain"].data["verdict"] == "no difference"
    for finding in found.values():
        if finding.name.startswith("test.") and finding.interval is not None:
            assert np.ptp(finding.interval) > 0.5


def test_one_group_is_one_observation() -> None:
    found = every(replace(classes(30, 2), groups=np.array(["a"] * 30)))
    assert found["test.accuracy"].interval == (0.0, 1.0)
    assert found["gain"].interval == (-1.0, 1.0)
    assert every(replace(values(40), groups=np.zeros(40)))["test.r2"].interval is None


def test_constant_targets_and_missing_labels() -> None:
    found = every(replace(values(40), target=np.full(40, 3.0, dtype=np.float32)))
    assert "test.r2" not in found and "test.neg_mae" in found
    found = every(replace(labels(60), target=np.zeros((60, 3), dtype=np.float32)))
    assert "test.mean_average_precision" not in found


def test_extreme_and_perfect_outputs() -> None:
    judgement = classes(30, 3)
    assert every(replace(judgement, output=judgement.output * 1e4))["test.neg_log_loss"].value < -1
    found = every(replace(judgement, output=np.eye(3)[judgement.target] * 50.0))
    assert found["test.accuracy"].value == 1 and found["test.accuracy"].interval[0] < 0.9
    assert all(found[f"classes.c{c}"].interval[0] < 0.9 for c in range(3))


def test_odd_slice_columns() -> None:
    odd = {"all": np.array([None] * 40, dtype=object), "flag": np.arange(40) % 2 == 0, "age": np.arange(40) * 1.0}
    assert {"slices.flag=True", "slices.age=0..9.75"} <= set(every(replace(values(40), slices=odd)))
