"""Every part is a value: its fields are checked, and it goes to text and JSON and back."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from landbridge.core import codec, registry
from landbridge.core.errors import UnknownName, UsageError
from landbridge.core.parts import Rule, fields_of, name_of, rules


def check_fields(group: str, value: Any, *, cited: bool = True) -> None:
    """The part `value` of a registered group is frozen, checks its fields, and is the same in every spelling.

    Raises AssertionError that says what does not hold. `cited` asks for a paper with a year.
    """
    name, cls = name_of(value), type(value)
    assert registry.find(group, name) is cls, f"{name}: registered as {registry.find(group, name)}, not {cls}"
    if cited:
        assert re.search(r"\b(19|20)\d\d\b", cls.paper), f"{name}: paper must cite a source with its year"
    assert cls.__doc__, f"{name}: needs a docstring"
    stored = json.loads(json.dumps(codec.to_json(value)))
    assert codec.from_json(group, stored) == value, f"{name}: JSON does not give the same part back"
    assert codec.parse(group, codec.text(value)) == value, f"{name}: text does not give the same part back"
    assert hash(value) == hash(codec.from_json(group, stored)), f"{name}: equal parts must have equal hashes"
    for field, rule in rules(cls).items():
        for good in _allowed(rule):
            other = cls(**{**fields_of(value), field: good})
            assert codec.parse(group, codec.text(other)) == other, f"{name}: {field}={good!r} is lost as text"
        for bad in _forbidden(rule):
            _refused(cls, field, bad, rule)
    try:
        codec.build(group, name, {"no_such_field": 1})
    except UnknownName as error:
        assert name in str(error), f"{name}: an unknown field must be refused by name"
    else:
        raise AssertionError(f"{name}: an unknown field is accepted")


def _refused(cls: type, field: str, bad: object, rule: Rule) -> None:
    """A wrong value raises one line that names field, value and range."""
    try:
        cls(**{field: bad})
    except UsageError as error:
        text = str(error)
        for part in (field, repr(bad), rule.wanted):
            assert part in text, f"{name_of(cls)}: the error for {field}={bad!r} does not say {part}: {text}"
        assert "\n" not in text, f"{name_of(cls)}: the error for {field} is more than one line"
        return
    raise AssertionError(f"{name_of(cls)}: {field}={bad!r} is accepted")


def _allowed(rule: Rule) -> list[Any]:
    if rule.options:
        return list(rule.options)
    if rule.kind is bool:
        return [True, False]
    return [rule.kind(v) for v in (rule.low, rule.high) if math.isfinite(v)] if rule.kind in (int, float) else []


def _forbidden(rule: Rule) -> list[Any]:
    beyond = [v for v in (rule.low - 1, rule.high + 1) if rule.kind in (int, float) and math.isfinite(v)]
    return [
        None,
        [],
        *beyond,
        *(["no such option"] if rule.options else []),
        *([math.nan] if rule.kind is float else []),
    ]
