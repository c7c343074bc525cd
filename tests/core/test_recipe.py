"""A recipe is the same value as Python, JSON, TOML and options on the command line."""

from __future__ import annotations

import json
import shlex
from typing import Any

import part_strategies as given_parts
import pytest
from hypothesis import HealthCheck, given, settings

from landbridge.cli.fit import spelled
from landbridge.core import codec
from landbridge.core.errors import DataError, LandbridgeError, UsageError
from landbridge.core.recipe import LENGTH, Recipe, Stage
from landbridge.objectives.supervised import Supervised
from landbridge.tunings.full import Full
from landbridge.tunings.lora import LoRA
from landbridge.tunings.probe import Probe

KINDS: dict[str, Any] = {"epochs": int, "lr": float, "batch": int, "decay": float, "patience": int, "average": str}
SLOW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def from_options(command: str) -> Recipe:
    """What `landbridge fit` makes of these options."""
    words = shlex.split(command)
    given: dict[str, list[str]] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        given.setdefault(option.removeprefix("--"), []).append(value)
    (source,), (bridge,) = given.pop("source"), given.pop("bridge")
    tunings, objectives = given.pop("tuning", None), given.pop("objective", None)
    lengths: dict[str, list[Any] | None] = {n: [KINDS[n](v) for v in values] for n, values in given.items()}
    assert set(lengths) <= set(LENGTH)
    return Recipe.from_json(spelled(source, bridge, tunings, objectives, lengths))


@SLOW
@given(given_parts.recipes)
def test_json_toml_and_options_give_the_same_recipe_back(recipe: Recipe) -> None:
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json(), allow_nan=False))) == recipe
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert from_options(recipe.command) == recipe
    assert recipe.name and "\n" not in recipe.name.replace(recipe.source, "")


def test_a_rival_is_a_recipe_without_stages() -> None:
    recipe = Recipe(source="rival:tfidf", bridge=codec.parse("bridges", "native"), stages=())
    assert from_options(recipe.command) == recipe == Recipe.from_toml(recipe.to_toml())
    assert recipe.name == "fit on rival:tfidf"


def test_names_options_and_toml_are_what_a_person_would_write() -> None:
    probe, lora = (
        Stage(tuning=Probe(), objectives=(Supervised(),)),
        Stage(tuning=LoRA(rank=4), objectives=(Supervised(smoothing=0.1),), lr=1e-4),
    )
    recipe = Recipe(source="embedded:minilm", bridge=codec.parse("bridges", "native"), stages=(probe, lora))
    assert recipe.name == "probe > lora(rank=4)+supervised(smoothing=0.1) on embedded:minilm"
    assert recipe.command == (
        "--source embedded:minilm --bridge native --tuning probe --objective supervised --tuning 'lora(rank=4)' "
        "--objective 'supervised(smoothing=0.1)' --lr 0.0 --lr 0.0001"
    )
    assert 'tuning = "lora(rank=4)"' in recipe.to_toml()
    short = 'source = "embedded:minilm"\n[[stages]]\ntuning = "full"\nobjective = "supervised"\n'
    assert Recipe.from_toml(short).stages == (Stage(tuning=Full(), objectives=(Supervised(),)),)
    long_path = "transformers:" + "/very" * 20 + "/model"
    assert Recipe(source=long_path, bridge=recipe.bridge, stages=(probe,)).name == "probe on transformers:model"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source = 3", "a recipe needs a source such as 'embedded:minilm', got 3"),
        ("x = 1", "unknown field of recipe 'x'"),
        ("source = 'a:b'\nstages = 5", "stages must be a list of stages, got 5"),
        ("source = 'a:b'\nstages = [1]", "a stage must be a table of fields such as tuning, got 1"),
        ("source = 'a:b'\nbridge = 7", "a part of bridges is a text"),
        ("source = 'a:b'\n[[stages]]\ntunning = 'probe'", "unknown field of stage 'tunning'; did you mean tuning"),
        ("source = 'a:b'\n[[stages]]\ntuning = 'probe'\nlr = 'fast'", "stage: lr must be a number from 0 to 10"),
        ("source = 'a:b'\n[[stages]]\nobjectives = []", "at least one objective"),
        ("source = ", "not readable as TOML"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_file_is_one_line(text: str, says: str) -> None:
    with pytest.raises((UsageError, DataError)) as error:
        Recipe.from_toml(text, where="mine.toml")
    assert isinstance(error.value, LandbridgeError) and says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("bad", [{"epochs": -1}, {"lr": -1.0}, {"batch": 0}, {"average": "mean"}, {"patience": 1.5}])
def test_lengths_have_ranges(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"stage: {next(iter(bad))} must be"):
        Stage(tuning=Probe(), objectives=(Supervised(),), **bad)
