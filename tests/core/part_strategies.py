"""Hypothesis strategies over every registered part and over whole recipes."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from landbridge.core import registry
from landbridge.core.parts import Rule, rules
from landbridge.core.recipe import Recipe, Stage

PART_GROUPS = ("bridges", "tunings", "objectives", "rivals")


def values_of(rule: Rule) -> st.SearchStrategy[Any]:
    """Every value that a field may have."""
    if rule.options:
        return st.sampled_from(rule.options)
    if rule.kind is bool:
        return st.booleans()
    if rule.kind is int:
        return st.integers(int(rule.low), int(rule.high))
    if rule.kind is float:
        low, high = (None if math.isinf(v) else v for v in (rule.low, rule.high))
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    return st.text()


def any_part(group: str) -> st.SearchStrategy[Any]:
    """A part of a group with any allowed fields."""
    return st.one_of(
        *(
            st.builds(cls, **{name: values_of(rule) for name, rule in rules(cls).items()})
            for cls in (registry.find(group, name) for name in registry.names(group))
        )
    )


stages = st.builds(
    Stage,
    tuning=any_part("tunings"),
    objectives=st.lists(any_part("objectives"), min_size=1, max_size=2).map(tuple),
    epochs=st.integers(0, 10_000),
    lr=st.floats(0.0, 10.0),
    batch=st.integers(1, 65_536),
    decay=st.floats(0.0, 10.0),
    patience=st.integers(0, 10_000),
    average=st.sampled_from(["none", "ema", "swa", "wise"]),
)
sources = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(lambda t: f"transformers:{t}")
recipes = st.builds(
    Recipe,
    source=sources,
    bridge=any_part("bridges"),
    stages=st.lists(stages, min_size=1, max_size=3).map(tuple),
)
