"""Test metrics of the chosen model and the controls."""

import json

import pytest
from judged import classes, labels, values
from sklearn.metrics import r2_score

from landbridge.core import registry
from landbridge.evidence.performance import Performance


def test_every_metric_and_every_control() -> None:
    judgement = classes()
    found = {f.name: f for f in Performance().findings(judgement)}
    expected = judgement.task.metrics(judgement.output, judgement.target)
    assert [n for n in found if n.startswith("test.")] == [f"test.{m}" for m in expected]
    for metric, value in expected.items():
        low, high = found[f"test.{metric}"].interval
        assert found[f"test.{metric}"].value == pytest.approx(value)
        assert low < value < high
    assert found["test.accuracy"].data["primary"] and not found["test.auc"].data["primary"]
    trivial = found["control.trivial.accuracy"]
    assert trivial.value == pytest.approx((judgement.target == judgement.controls["trivial"][0].argmax()).mean())
    assert "control.rival.accuracy" in found


def test_regression() -> None:
    judgement = values()
    found = next(Performance().findings(judgement))
    assert found.name == "test.r2"
    assert found.value == pytest.approx(r2_score(judgement.target, judgement.output[:, 0] * 2.0 + 10), abs=1e-6)


@pytest.mark.parametrize("name", registry.names("evidence"))
@pytest.mark.parametrize("make", [classes, values, labels])
def test_every_kind_of_finding_is_plain_json_and_repeats(name: str, make) -> None:
    evaluator = registry.find("evidence", name)()
    first, second = ([f.to_json() for f in evaluator.findings(make(60))] for _ in range(2))
    assert json.loads(json.dumps(first, allow_nan=False)) == json.loads(json.dumps(second))
    assert all(f["name"].split(".")[0] and f["how"] for f in first)
