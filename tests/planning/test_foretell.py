"""The prior says what the field says, and promises and exclusions follow from it."""

from __future__ import annotations

import math

import pytest

from landbridge.core import codec
from landbridge.core.recipe import Recipe, Stage
from landbridge.engine.pace import Pace
from landbridge.planning.candidates import ASKED, Candidate, anew, single
from landbridge.planning.foretell import Known, foretell, gain_of, kind, labels_a_class, moved_by
from landbridge.planning.prior import expected_gain
from landbridge.planning.turns import Turns, _key

NATIVE = codec.parse("bridges", "native")
PACE = Pace(steps=(0.0, 1e-3), checks=(0.0, 1e-4), read=1e-4, peak_mb=800.0, trainable=10, total=100)


def recipe(tuning: str, source: str = "toy:text") -> object:
    return single(source, NATIVE, "probe", tuning)


def known(labels: float, **given: object) -> Known:
    return Known(**{"metric": "accuracy", "value": 0.8, "error": 0.02, "labels": labels, "seconds": 2.0} | given)


@pytest.mark.parametrize(
    ("labels", "best"), [(3, "probe"), (5, "probe"), (30, "partial"), (80, "partial"), (400, "full"), (2000, "full")]
)
def test_where_evidence_is_silent_the_plan_is_the_fields_table(labels: float, best: str) -> None:
    values = {"probe": 0.8} | {
        t: foretell(recipe(t), known(labels), None, None).value for t in ("partial", "full", "lora")
    }
    assert max(values, key=lambda t: values[t]) == best


def test_with_little_memory_a_large_model_is_left_to_low_rank_updates() -> None:
    turns = Turns(metric="accuracy", memory=2000.0)
    for tuning, peak in (("full", 9000.0), ("lora", 1500.0)):
        found = foretell(recipe(tuning), known(500), Pace(**{**vars(PACE), "peak_mb": peak}), 30.0)
        turns.foretold[_key(Candidate(recipe=recipe(tuning), reason=""))] = found
    said = {t: turns.excluded(Candidate(recipe=recipe(t), reason=""), 0.8, 0.02) for t in ("full", "lora")}
    assert said == {"full": "needs about 9000 MB, 2000 MB are free", "lora": ""}


def test_a_source_that_fits_badly_gains_more_by_tuning_where_labels_allow_it() -> None:
    plain = expected_gain("full", 200, crossing=False, misfit=0.0)[0]
    assert expected_gain("full", 200, crossing=True, misfit=0.0)[0] == pytest.approx(plain + 0.3)
    assert expected_gain("full", 200, crossing=False, misfit=0.4)[0] == pytest.approx(plain + 0.2)
    assert expected_gain("full", 4, crossing=True, misfit=0.4)[0] < 0
    assert expected_gain("unheard_of", 10, crossing=False, misfit=0.0)[1] > expected_gain("full", 10, crossing=False,
                                                                                           misfit=0.0)[1]  # fmt: skip


def test_a_bridge_may_have_a_row_of_its_own_for_what_moves() -> None:
    bridges = {name: codec.parse("bridges", name) for name in ("curves", "plot")}
    found = {name: anew("embedded:series", bridge, 100) for name, bridge in bridges.items()}
    assert {name: kind(r) for name, r in found.items()} == {"curves": "anew over curves", "plot": "anew"}
    gains = {name: gain_of(r, known(40.0))[0] for name, r in found.items()}
    assert gains["curves"] < 0 < gains["plot"]


def test_value_interval_and_gain_are_shares_of_the_error_that_is_left() -> None:
    mean, spread = expected_gain("partial", 100, crossing=False, misfit=0.0)
    found = foretell(recipe("partial"), known(100), PACE, 40.0)
    assert found.value == pytest.approx(0.8 + 0.2 * mean) and found.gain == pytest.approx(0.2 * mean)
    assert found.value - found.interval[0] == pytest.approx(1.96 * math.hypot(0.2 * spread, 0.02), rel=1e-3)
    assert found.interval[1] <= 1.0
    error = foretell(recipe("partial"), known(100, metric="neg_rmse", value=-4.0), None, None)
    assert error.value == pytest.approx(-4.0 + 4.0 * mean) and error.to_json()["seconds"] is None


def test_promise_is_expected_improvement_for_each_second() -> None:
    found = foretell(recipe("partial"), known(100), PACE, 40.0)
    lead = (found.value - 0.8) / found.spread
    density, below = math.exp(-(lead**2) / 2) / math.sqrt(2 * math.pi), 0.5 * (1 + math.erf(lead / math.sqrt(2)))
    assert found.promise(0.8) == pytest.approx(found.spread * (lead * below + density) / 40.0)
    slow = foretell(recipe("partial"), known(100), PACE, 400.0)
    assert slow.promise(0.8) == pytest.approx(found.promise(0.8) / 10)


def test_what_cannot_reach_the_leader_is_excluded_unless_a_person_named_it() -> None:
    turns, weak = Turns(metric="accuracy"), Candidate(recipe=recipe("partial", "toy:weak"), reason="")
    turns.foretold[_key(weak)] = foretell(weak.recipe, known(100, value=0.4), None, None)
    assert "is expected" in turns.excluded(weak, 0.97, 0.01)
    assert not turns.excluded(weak, 0.6, 0.05) and not turns.excluded(weak, -math.inf, 0.0)
    assert turns.excluded(weak, 1.0, 0.3) == "nothing can be better than 1.000"
    assert not turns.excluded(Candidate(recipe=weak.recipe, reason=ASKED), 0.97, 0.01)


def test_seconds_count_every_stage_and_the_reading() -> None:
    tuned = single("toy:text", NATIVE, "probe", "partial", epochs=5)
    assert PACE.seconds(tuned, 1000.0, 200.0, 50) == pytest.approx(1e-4 * 1200 + 5 * (1.0 + 0.02))
    assert moved_by(tuned) == "partial" and moved_by(single("toy:text", NATIVE, "probe")) == "probe"
    assert labels_a_class(100, 1, "regress") == 10 and labels_a_class(100, 4, "classify") == 25


def test_a_recipe_is_of_the_kind_that_shapes_it_most() -> None:
    assert kind(single("toy:text", NATIVE, "probe(head='kernel')")) == "probe"
    assert kind(single("toy:text", NATIVE, "probe", "partial(blocks=1)")) == "partial"
    pull = Stage(
        tuning=codec.parse("tunings", "partial(blocks=1)"),
        objectives=(codec.parse("objectives", "contrastive(kind='supcon')"),),
    )
    head = single("toy:text", NATIVE, "probe").stages[0]
    drawn = Recipe(source="toy:text", bridge=NATIVE, stages=(pull, head))
    share, _ = expected_gain("contrastive", 8.0, crossing=False, misfit=0.0)
    assert kind(drawn) == "contrastive"
    assert foretell(drawn, known(8), None, None).gain == pytest.approx(share * (1 - known(8).value))
