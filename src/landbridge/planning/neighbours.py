"""The recipes next to one that did well: another learning rate first, then another depth or rank, then another decay.

From the best a pattern search climbs (Hooke & Jeeves 1961): along one axis after the other, up and else down, on as
long as a step is better on the same validation rows. It departs from the original in that a step has one length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from landbridge.core import codec
from landbridge.core.errors import UsageError
from landbridge.core.recipe import LENGTH, Recipe, Stage
from landbridge.planning.candidates import Candidate

MOST_STEPS = 2  # in one direction


@dataclass(frozen=True)
class Axis:
    """A field of the stage that moves weights, or of its tuning, and the factor of one step."""

    field: str
    factor: float
    called: str


AXES = (
    Axis("lr", 3.0, "learning rate"),
    Axis("blocks", 2.0, "blocks"),
    Axis("rank", 2.0, "rank"),
    Axis("decay", 5.0, "weight decay"),
)


def climb(start: Candidate, better: Callable[[Candidate, Candidate], bool | None]) -> Candidate:
    """The best candidate on the way; `better(made, best)` runs `made` and compares, None where there is no time."""
    best = start
    for axis in AXES:
        for up in (True, False):
            before = best
            for made in _steps(start, best, axis, up):
                found = better(made, best)
                if found is None:
                    return best
                if not found:
                    break
                best = made
            if best is not before:
                break
    return best


def _steps(start: Candidate, best: Candidate, axis: Axis, up: bool) -> Iterator[Candidate]:
    """Candidates ever further from the best in one direction, while the field may have such a value."""
    recipe = best.recipe
    for _ in range(MOST_STEPS):
        moved = beside(recipe, axis, up)
        if moved is None:
            return
        recipe, value = moved
        reason = f"next to the best so far: {axis.called} {shown(value)}"
        yield replace(start, recipe=recipe, called=_named(start.recipe, recipe), reason=reason, near=start.name)


def _named(start: Recipe, recipe: Recipe) -> str:
    """The recipe's name, and of the lengths that no name holds those that were moved."""
    place = moving(recipe)
    assert place is not None
    one, two = start.stages[place], recipe.stages[place]
    told = [f"{axis.called} {shown(getattr(two, axis.field))}" for axis in AXES
            if axis.field in LENGTH and getattr(one, axis.field) != getattr(two, axis.field)]  # fmt: skip
    return ", ".join([recipe.name, *told])


def shown(value: float) -> str:
    """A value as names and reasons tell it."""
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def moving(recipe: Recipe) -> int | None:
    """The place of the last stage that moves more than a head; None where there is none."""
    return max((i for i, s in enumerate(recipe.stages) if type(s.tuning).part_name != "probe"), default=None)


def beside(recipe: Recipe, axis: Axis, up: bool) -> tuple[Recipe, float | int] | None:
    """The recipe one step along an axis and the new value; None where the field is not there, unset or at its end."""
    place = moving(recipe)
    if place is None:
        return None
    stage = recipe.stages[place]
    fields = {n: getattr(stage, n) for n in LENGTH} if axis.field in LENGTH else codec.to_json(stage.tuning)
    old = fields.get(axis.field)
    if not old:  # an absent field, or a rate of 0, which leaves it to the tuning
        return None
    new = old * axis.factor if up else old / axis.factor
    value = round(new) if isinstance(old, int) else float(f"{new:.3g}")
    if value == old:
        return None
    try:
        changed = _with(stage, axis.field, value)
    except UsageError:  # beyond what the field may be
        return None
    return replace(recipe, stages=(*recipe.stages[:place], changed, *recipe.stages[place + 1 :])), value


def _with(stage: Stage, field: str, value: float) -> Stage:
    if field in LENGTH:
        return replace(stage, **{field: value})
    return replace(stage, tuning=codec.from_json("tunings", codec.to_json(stage.tuning) | {field: value}))
