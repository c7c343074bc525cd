from __future__ import annotations

import pytest

from landbridge.core import codec
from landbridge.planning.candidates import Candidate, single
from landbridge.planning.neighbours import AXES, MOST_STEPS, beside, climb

NATIVE = codec.parse("bridges", "native")
RATE, BLOCKS, RANK, DECAY = AXES


def of(tuning: str, *, lr: float = 1e-4, decay: float = 0.01) -> Candidate:
    recipe = single("embedded:minilm", NATIVE, "probe", tuning, lr=lr, decay=decay)
    return Candidate(recipe=recipe, reason="given")


@pytest.mark.parametrize(
    ("tuning", "axis", "up", "value"),
    [
        ("full", RATE, True, 3e-4),
        ("full", RATE, False, 3.33e-5),
        ("partial(blocks=3)", BLOCKS, True, 6),
        ("partial(blocks=3)", BLOCKS, False, 2),
        ("partial(blocks=1)", BLOCKS, False, None),  # at its end
        ("partial(blocks=64)", BLOCKS, True, None),
        ("lora(rank=8)", RANK, True, 16),
        ("full", RANK, True, None),  # not there
        ("full", DECAY, True, 0.05),
    ],
)
def test_one_step_moves_one_field_of_the_stage_that_moves_weights(
    tuning: str, axis: object, up: bool, value: float | None
) -> None:
    start = of(tuning).recipe
    found = beside(start, axis, up)
    if value is None:
        assert found is None
        return
    recipe, now = found
    assert now == value and type(now) is type(value)
    stages = recipe.to_json()["stages"]
    before = start.to_json()["stages"]
    moved = {**stages[1], **stages[1]["tuning"]}
    assert moved[axis.field] == value and stages[0] == before[0]
    place = stages[1] if axis.field in stages[1] else stages[1]["tuning"]
    place[axis.field] = (before[1] if axis.field in before[1] else before[1]["tuning"])[axis.field]
    assert stages == before


def test_a_rate_left_to_the_tuning_and_a_recipe_that_moves_nothing_have_no_neighbours() -> None:
    assert beside(of("full", lr=0.0).recipe, RATE, True) is None
    assert beside(single("embedded:minilm", NATIVE, "probe"), DECAY, True) is None


def test_a_stage_before_a_last_probe_is_the_one_that_moves() -> None:
    stages = of("partial").recipe.stages
    recipe = single("embedded:minilm", NATIVE, "partial", "probe")
    first = type(recipe)(source=recipe.source, bridge=NATIVE, stages=(stages[1], recipe.stages[1]))
    found, _ = beside(first, RATE, True)
    assert [s.lr for s in found.stages] == [3e-4, 0.0]


def test_the_climb_reaches_the_top_of_a_hill_and_names_what_it_tries() -> None:
    """Best at a rate of 3e-4 and rank 2; each axis is left where both directions are worse."""
    tried: list[str] = []

    def height(c: Candidate) -> float:
        stage = c.recipe.stages[1]
        return -abs(stage.lr - 3e-4) * 1e4 - abs(stage.tuning.rank - 2) - 10 * abs(stage.decay - 0.01)

    def better(made: Candidate, best: Candidate) -> bool:
        tried.append(made.name)
        return height(made) > height(best)

    top = climb(of("lora(rank=8)"), better)
    assert (top.recipe.stages[1].lr, top.recipe.stages[1].tuning.rank, top.recipe.stages[1].decay) == (3e-4, 2, 0.01)
    assert len(set(tried)) == len(tried) and all("learning rate" in t for t in tried)
    assert top.name == f"{top.recipe.name}, learning rate 0.0003" and "rank 2" in top.reason
    lower = of("lora(rank=8)", lr=1e-5)
    up = climb(lower, lambda made, best: height(made) > height(best))
    assert up.recipe.stages[1].lr == pytest.approx(9e-5)  # at most so many steps in one direction
    assert MOST_STEPS == 2


def test_the_climb_ends_where_time_does() -> None:
    start = of("lora")
    answers = iter([True, None])
    top = climb(start, lambda made, best: next(answers))
    assert top.recipe.stages[1].lr == 3e-4 and next(answers, "spent") == "spent"
