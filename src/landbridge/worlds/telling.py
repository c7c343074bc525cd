"""A happening in words, as a row and as facts; a caption can be read back to what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

SIZES = ("small", "large")
MOTIONS = ("stands still", "moves left", "moves right", "moves up", "moves down")
_RELATIONS = ("left of", "right of", "above", "below")
_PHRASE = r"a (small|large) (\w+) (\w+)"
_SENTENCE = re.compile(
    rf"{_PHRASE} that ({'|'.join(MOTIONS)}) is ({'|'.join(_RELATIONS)}) {_PHRASE} that ({'|'.join(MOTIONS)})"
)


@dataclass(frozen=True)
class Thing:
    """What is true of a thing; its place is that of the first frame, in fractions from the upper left corner."""

    kind: str
    colour: str
    size: str
    motion: str
    x: float
    y: float


def relation(one: Thing, other: Thing) -> str:
    """Where one thing is, seen from the other, along the axis on which they are farther apart."""
    across, down = one.x - other.x, one.y - other.y
    if abs(across) >= abs(down):
        return "left of" if across < 0 else "right of"
    return "above" if down < 0 else "below"


def caption(one: Thing, other: Thing) -> str:
    """`a small red disc that moves left is above a large blue star that stands still`."""
    first, second = (f"a {t.size} {t.colour} {t.kind} that {t.motion}" for t in (one, other))
    return f"{first} is {relation(one, other)} {second}"


def read(text: str) -> dict[str, Any]:
    """The row (without places) that a caption tells; ValueError for a sentence of another grammar."""
    match = _SENTENCE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a caption of this grammar: '{text}'")
    size, colour, kind, motion, where, *other = match.groups()
    return _row((size, colour, kind, motion), (other[0], other[1], other[2], other[3]), where)


def row(one: Thing, other: Thing) -> dict[str, Any]:
    """A table row of everything, places included."""
    told = [(t.size, t.colour, t.kind, t.motion) for t in (one, other)]
    places = {f"{name}_{axis}": vars(t)[axis] for name, t in (("first", one), ("second", other)) for axis in "xy"}
    return _row(*told, relation(one, other)) | places


def triples(one: Thing, other: Thing) -> list[list[str]]:
    """Facts as subject, relation, object."""
    facts = [
        [name, aspect, str(vars(t)[aspect])]
        for name, t in (("first", one), ("second", other))
        for aspect in ("kind", "colour", "size", "motion")
    ]
    return [*facts, ["first", relation(one, other), "second"]]


def _row(one: tuple[str, ...], other: tuple[str, ...], where: str) -> dict[str, Any]:
    names = ("size", "colour", "kind", "motion")
    return (
        {f"first_{n}": v for n, v in zip(names, one, strict=True)}
        | {"where": where}
        | {f"second_{n}": v for n, v in zip(names, other, strict=True)}
    )
