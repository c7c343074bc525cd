"""A part is a frozen value whose fields are its whole configuration.

`LoRA(rank=8)` is what Python builds, the command line parses, JSON stores, the search samples and the report prints.
Fields are declared with `whole`, `real`, `choice` or `flag`, which carry the allowed range; a value outside it is an
error that names the field, the value and the range.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast, dataclass_transform

from landbridge.core.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What values a field may have: a closed range for numbers, a list for choices."""

    kind: type
    low: float = -math.inf
    high: float = math.inf
    options: tuple[str, ...] = ()
    log: bool = False  # the search samples this field on a logarithmic scale
    help: str = ""

    def check(self, owner: str, field: str, value: object) -> None:
        """Raise UsageError naming part, field, value and range when `value` is not allowed."""
        if self.kind is float:
            # compared, not asked by isfinite, which overflows on huge whole numbers
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            fits = number and abs(cast(float, value)) <= sys.float_info.max
        elif self.kind is int:
            fits = isinstance(value, int) and not isinstance(value, bool)
        else:
            fits = isinstance(value, self.kind)
        if fits and self.kind in (int, float):
            fits = self.low <= cast(float, value) <= self.high
        if fits and self.options:
            fits = value in self.options
        if not fits:
            raise UsageError(f"{owner}: {field} must be {self.wanted}, got {value!r}")

    @property
    def wanted(self) -> str:
        """The allowed values in words."""
        if self.options:
            return f"one of {', '.join(self.options)}"
        if self.kind in (int, float):
            noun = "a whole number" if self.kind is int else "a number"
            return f"{noun} from {self.low:g} to {self.high:g}"
        return {bool: "true or false", str: "a text"}.get(self.kind, self.kind.__name__)


def whole(default: int, low: int, high: int, *, log: bool = False, help: str = "") -> Any:
    """A whole-number field in [low, high]."""
    return dataclasses.field(default=default, metadata={"rule": Rule(kind=int, low=low, high=high, log=log, help=help)})


def real(default: float, low: float, high: float, *, log: bool = False, help: str = "") -> Any:
    """A real-number field in [low, high]."""
    rule = Rule(kind=float, low=low, high=high, log=log, help=help)
    return dataclasses.field(default=default, metadata={"rule": rule})


def choice(default: str, *options: str, help: str = "") -> Any:
    """A field that is one of the named options; the default is one of them."""
    return dataclasses.field(default=default, metadata={"rule": Rule(kind=str, options=options, help=help)})


def flag(default: bool, *, help: str = "") -> Any:
    """A field that is true or false."""
    return dataclasses.field(default=default, metadata={"rule": Rule(kind=bool, help=help)})


def words(default: str, *, help: str = "") -> Any:
    """A free-text field."""
    return dataclasses.field(default=default, metadata={"rule": Rule(kind=str, help=help)})


@dataclass_transform(frozen_default=True, kw_only_default=False, field_specifiers=(whole, real, choice, flag, words))
def part(name: str, *, paper: str = "") -> Callable[[type[T]], type[T]]:
    """Make a class a frozen, checked value known as `name`; `paper` cites where the method comes from."""

    def make(cls: type[T]) -> type[T]:
        def check_fields(self: Any) -> None:
            for field_name, rule in rules(cls).items():
                value = getattr(self, field_name)
                rule.check(name, field_name, value)
                if rule.kind is float:  # 1 and 1.0 are the same value, also in JSON and in text
                    object.__setattr__(self, field_name, float(value))

        cls.__post_init__ = check_fields  # type: ignore[attr-defined]
        cls.part_name = name  # type: ignore[attr-defined]
        cls.paper = paper  # type: ignore[attr-defined]
        return dataclass(frozen=True)(cls)

    return make


def rules(cls: type) -> dict[str, Rule]:
    """The rule of every field of a part, in the order of declaration."""
    return {f.name: f.metadata["rule"] for f in dataclasses.fields(cls)}


def name_of(value: object) -> str:
    """The registered name of a part or of its class."""
    return cast(str, value.part_name)  # type: ignore[attr-defined]


def fields_of(value: object) -> dict[str, Any]:
    """Field names and values of a part."""
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(cast(Any, value))}
