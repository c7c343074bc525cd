"""The gap to the controls: values by hand, verdicts, and how often equal models are told apart."""

from dataclasses import replace

import numpy as np
import pytest
from judged import classes, values

from landbridge.core.errors import UnknownName
from landbridge.evidence.gain import Gain, gain, sentence, verdict
from landbridge.evidence.performance import Performance


def test_gain_by_hand() -> None:
    judgement = classes()
    found = next(Gain().findings(judgement))
    own = (judgement.output.argmax(1) == judgement.target).mean()
    other = {name: (o.argmax(1) == judgement.target).mean() for name, o in judgement.controls.items()}
    assert other["rival"] > other["trivial"]
    assert found.value == pytest.approx(own - other["rival"])
    assert found.data["against"] == "rival" and found.data["verdict"] == "gain" and found.severity == "good"
    assert found.data["controls"]["trivial"]["value"] == pytest.approx(own - other["trivial"])
    difference = (judgement.output.argmax(1) == judgement.target).astype(float)
    difference -= judgement.controls["rival"].argmax(1) == judgement.target
    half = 1.96 * difference.std() / np.sqrt(300)
    assert found.interval == pytest.approx((found.value - half, found.value + half), abs=0.01)


def test_verdicts() -> None:
    assert [verdict(i) for i in ((0.01, 0.2), (-0.1, 0.1), (-0.2, -0.01), None)] == [
        "gain",
        "no difference",
        "loss",
        "no difference",
    ]
    judgement = classes()
    swapped = replace(judgement, output=judgement.controls["rival"], controls={"rival": judgement.output})
    found = gain(swapped)
    assert (found.data["verdict"], found.severity) == ("loss", "bad")
    assert gain(judgement, "trivial").data["against"] == "trivial"
    with pytest.raises(UnknownName, match="did you mean rival"):
        gain(judgement, "rivale")


def test_a_chosen_control_is_not_compared_with_itself() -> None:
    judgement = classes()
    chosen = replace(judgement, output=judgement.controls["rival"])
    assert list(Gain().findings(chosen)) == []
    assert list(Gain().findings(replace(judgement, controls={}))) == []
    same = gain(chosen, "rival")
    assert same.value == 0 and same.interval == (0.0, 0.0)


def test_few_rows_that_differ_are_no_gain() -> None:
    """Five rows won and none lost of a hundred: the plain bootstrap would claim a gain, McNemar (p = 0.06) not."""
    judgement = classes(100, 2)
    right = np.eye(2)[judgement.target]
    fewer = right.copy()
    fewer[:5] = 1 - fewer[:5]
    found = gain(replace(judgement, output=right * 4, controls={"rival": fewer * 3}))
    assert found.value == pytest.approx(0.05)
    assert found.data["verdict"] == "no difference"
    ten = right.copy()
    ten[:12] = 1 - ten[:12]
    assert gain(replace(judgement, output=right * 4, controls={"rival": ten * 3})).data["verdict"] == "gain"


def test_a_constant_gap_keeps_a_width() -> None:
    judgement = classes(30, 2, metric="balanced_accuracy")
    right = np.eye(2)[judgement.target]
    found = gain(replace(judgement, output=right * 4, controls={"rival": right * 3}))
    assert found.interval == pytest.approx((-(1 - 0.025 ** (1 / 30)), 1 - 0.025 ** (1 / 30)))


def test_equal_regressions_are_rarely_told_apart() -> None:
    wrong = 0
    for seed in range(150):
        judgement = values(60, seed)
        draw = np.random.default_rng(1000 + seed)
        rival = (judgement.target - 10)[:, None] / 2 + 0.5 * draw.normal(size=(60, 1))
        wrong += gain(replace(judgement, controls={"rival": rival})).data["verdict"] != "no difference"
    assert wrong / 150 < 0.09


def test_rows_of_several_folds_do_not_sharpen_the_gap() -> None:
    judgement = classes(60, 2)
    often = replace(
        judgement,
        rows=np.tile(judgement.rows, 5),
        target=np.tile(judgement.target, 5),
        output=np.tile(judgement.output, (5, 1)),
        controls={name: np.tile(o, (5, 1)) for name, o in judgement.controls.items()},
    )
    once, five = gain(judgement).interval, gain(often).interval
    assert five == pytest.approx(once, abs=0.03)


def test_the_first_line() -> None:
    judgement = classes()
    test = next(Performance().findings(judgement))
    found = gain(judgement)
    line = sentence(test, found, "HOG + logistic regression")
    low, high = test.interval
    assert line.startswith(f"Transfer paid: accuracy {test.value:.3f} [{low:.3f}, {high:.3f}], +{found.value:.3f} [+")
    assert line.endswith("over the best control (rival: HOG + logistic regression).")
    assert "did not pay" in sentence(test, replace(found, data={**found.data, "verdict": "loss"}))
