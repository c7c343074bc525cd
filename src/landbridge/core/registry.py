"""Names to parts, through entry points: built-ins and plug-ins come in by the same door.

A group `tunings` is the entry-point group `landbridge.tunings`. Nothing is imported until a part is asked for by name.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from landbridge.core.errors import LandbridgeError, UnknownName

GROUPS = (
    "modalities",
    "tasks",
    "sources",
    "bridges",
    "tunings",
    "objectives",
    "rivals",
    "evidence",
    "scores",
    "distances",
    "worlds",
)


@cache
def entries(group: str) -> dict[str, EntryPoint]:
    """All registered names of a group, in order; two packages that claim one name are an error naming both."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=f"landbridge.{group}"):
        other = found.get(entry.name)
        if other is not None and other.value != entry.value:
            raise LandbridgeError(
                f"{group}: the name '{entry.name}' is claimed by {other.value} and by {entry.value}; uninstall one"
            )
        found[entry.name] = entry
    return found


def names(group: str) -> list[str]:
    """The registered names of a group."""
    return list(entries(group))


def find(group: str, name: str) -> Any:
    """The class registered as `name`; UnknownName with the nearest names when there is none."""
    if name not in entries(group):
        raise UnknownName(group.removesuffix("s").replace("modalitie", "modality"), name, names(group))
    return load(entries(group)[name])


@cache
def load(entry: EntryPoint) -> Any:
    """Import what an entry point names; a plug-in that does not import is an error naming its package."""
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        origin = entry.dist.name if entry.dist else "unknown package"
        raise LandbridgeError(f"the part '{entry.name}' of {origin} cannot be imported: {error}") from error


def origin(group: str, name: str) -> str:
    """The distribution that registered a part."""
    dist = entries(group)[name].dist
    return dist.name if dist else "unknown"
