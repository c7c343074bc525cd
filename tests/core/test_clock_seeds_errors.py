"""Time, randomness and errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from landbridge.core import errors
from landbridge.core.clock import Budget, parse_duration
from landbridge.core.seeds import numpy_generator, stream, torch_generator


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1h30m", 5400), (" 1H 30 m ", 5400), ("0.5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10ms", "-5", "1 2", "1h30", "0", "0m", "nan", "inf", "1e3", "1.5.5", "5x"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(errors.UsageError, match=r"90s, 10m or 1h30m|more than 0 seconds"):
        parse_duration(text)


def test_a_budget_counts_down_on_the_clock_it_is_given() -> None:
    now = 100.0
    budget = Budget(seconds=60.0, now=lambda: now, began=now)
    assert (budget.spent, budget.left) == (0.0, 60.0)
    now = 145.0
    assert (budget.spent, budget.left) == (45.0, 15.0)
    now = 170.0
    assert budget.left == -10.0
    assert Budget().left == math.inf and Budget(seconds=5.0).left <= 5.0


@given(st.integers(0, 2**40), st.text(), st.integers())
def test_every_use_has_its_own_repeatable_stream(seed: int, name: str, number: int) -> None:
    first = stream(seed, name, number)
    assert 0 <= first < 2**63 and first == stream(seed, name, number)
    assert first != stream(seed + 1, name, number) and first != stream(seed, name, number + 1)


def test_streams_are_the_same_on_every_machine() -> None:
    assert stream(0, "epoch", 3) == 251044065527859115
    assert numpy_generator(0, "a").integers(1000) == np.random.default_rng(stream(0, "a")).integers(1000)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(stream(7, "b")))
    assert torch.equal(torch.rand(3, generator=torch_generator(7, "b")), expected)


def test_errors_are_one_line_and_each_kind_has_its_exit_code() -> None:
    codes = {
        errors.LandbridgeError: 1, errors.UsageError: 2, errors.DataError: 3, errors.SourceError: 4,
        errors.ArtifactError: 5, errors.MissingExtra: 6, errors.ResourceError: 7, errors.OutOfTimeError: 7,
        errors.UnknownName: 2,
    }  # fmt: skip
    for kind, code in codes.items():
        assert kind.exit_code == code and issubclass(kind, errors.LandbridgeError)
    assert str(errors.DataError("a\nb\x1b[31m\u2028c")) == "a b [31m c"
    extra = errors.MissingExtra("timm", "timm", "the source timm:resnet18")
    assert str(extra) == "the source timm:resnet18 needs timm, which is not installed: pip install 'landbridge[timm]'"
    assert errors.OutOfTimeError("late", 0.25).share == 0.25


def test_unknown_names_offer_near_ones_or_all() -> None:
    assert str(errors.UnknownName("fruit", "aple", ["apple", "fig"])) == "unknown fruit 'aple'; did you mean apple?"
    assert str(errors.UnknownName("fruit", "xyz", ["pear", "apple"])) == "unknown fruit 'xyz'; known: apple, pear"
    assert str(errors.UnknownName("fruit", "xyz", [])) == "unknown fruit 'xyz'; known: none"
