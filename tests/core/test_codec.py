"""One value, three spellings, over every registered part; and what a person mistypes."""

from __future__ import annotations

import json
from typing import Any

import part_strategies as given_parts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.core import codec, registry
from landbridge.core.errors import UnknownName, UsageError
from landbridge.core.parts import fields_of, name_of, part, real, rules, whole
from landbridge.tunings.lora import LoRA
from landbridge.tunings.partial import Partial

GROUPED = st.one_of(*(st.tuples(st.just(g), given_parts.any_part(g)) for g in given_parts.PART_GROUPS))


@settings(max_examples=200, deadline=None)
@given(GROUPED)
def test_text_and_json_give_the_same_part_back(grouped: tuple[str, Any]) -> None:
    group, value = grouped
    assert codec.parse(group, codec.text(value)) == value
    stored = json.loads(json.dumps(codec.to_json(value), allow_nan=False))
    assert codec.from_json(group, stored) == value
    assert hash(codec.from_json(group, stored)) == hash(value)
    assert set(stored) == {"part", *rules(type(value))}


def test_text_leaves_out_defaults_and_is_written_as_a_person_would() -> None:
    assert codec.text(LoRA()) == "lora"
    assert codec.text(LoRA(rank=16)) == "lora(rank=16)"
    assert codec.parse("tunings", " partial( 3 ) ") == Partial(blocks=3)
    assert codec.parse("tunings", "partial(3, norm_statistics=moving, dropout=true)") == Partial(
        blocks=3, norm_statistics="moving", dropout=True
    )
    assert LoRA(alpha=8) == LoRA(alpha=8.0)
    assert json.dumps(codec.to_json(LoRA(alpha=8))["alpha"]) == "8.0"


@pytest.mark.parametrize(
    "text",
    ["", "lora(", "lora(rank=8)(2)", "lora.rank", "lora(**x)", "lora(*[1])", "lora(rank=1+x)", "lora(rank=8, rank=9)",
     "__import__('os').system('true')", "lora(rank=len('ab'))", "3", "lora\0"],
)  # fmt: skip
def test_what_is_no_part_is_refused_in_one_line_and_never_evaluated(text: str) -> None:
    with pytest.raises(UsageError) as error:
        codec.parse("tunings", text)
    assert "\n" not in str(error.value) and "lora(rank=8)" in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lora(rank=0)", "lora: rank must be a whole number from 1 to 512, got 0"),
        ("lora(rank=8.0)", "lora: rank must be a whole number from 1 to 512, got 8.0"),
        ("lora(rank=true)", "lora: rank must be a whole number from 1 to 512, got True"),
        (f"lora(alpha={10**400})", "lora: alpha must be a number from 0.01 to 1024"),
        ("lora(alpha=1e400)", "got inf"),
        ("lora(alpha=[])", "got []"),
        (
            "probe(head=ridg)",
            "probe: head must be one of auto, logistic, lda, ridge, kernel, centroid, cache, context, got 'ridg'",
        ),
        ("lora(ranks=8)", "unknown field of lora 'ranks'; did you mean rank"),
        ("lora(8, rank=8)", "rank is given twice"),
        ("full(1, 2, true, frozen, false, 6, 7)", "full takes at most"),
        ("loar", "unknown tuning 'loar'; did you mean lora or ladder?"),
    ],
)
def test_wrong_values_say_field_value_and_way_out(text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        codec.parse("tunings", text)
    assert says in str(error.value)


def test_json_without_a_name_or_with_an_unknown_one_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a 'part' name"):
        codec.from_json("tunings", {"rank": 8})
    with pytest.raises(UnknownName, match="unknown modality 'imag'; did you mean image"):
        registry.find("modalities", "imag")


def test_a_part_of_ones_own_is_frozen_checked_and_knows_its_name() -> None:
    @part("mine", paper="Nobody 2020")
    class Mine:
        """Two numbers."""

        size: int = whole(2, 1, 3)
        share: float = real(0.5, 0.0, 1.0)

    value = Mine(3)
    assert name_of(value) == name_of(Mine) == "mine" and fields_of(value) == {"size": 3, "share": 0.5}
    with pytest.raises(AttributeError):
        value.size = 1  # type: ignore[misc]
    for bad in ({"size": 4}, {"size": "2"}, {"share": float("nan")}, {"share": True}, {"share": None}):
        with pytest.raises(UsageError, match="mine: "):
            Mine(**bad)
    assert repr(Mine(share=1)).endswith("Mine(size=2, share=1.0)")
