"""`landbridge parts`: every registered part with its fields, their ranges and its paper."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from landbridge.cli import options as o
from landbridge.cli import show


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("parts", epilog="Example: landbridge parts tunings")(parts)


Group = Annotated[str | None, typer.Argument(help="modalities, tasks, sources, bridges, tunings, objectives, ...")]


def parts(group: Group = None, json: o.Json = False) -> None:
    """List the parts that recipes are made of, built-in and from plug-ins."""
    from landbridge.core import registry
    from landbridge.core.errors import UnknownName

    if group is not None and group not in registry.GROUPS:
        raise UnknownName("group of parts", group, registry.GROUPS)
    found = [_about(g, n) for g in registry.GROUPS if group in (None, g) for n in registry.names(g)]
    if json:
        show.print_json(found)
        return
    for entry in found:
        print(f"{entry['group']:<11} {entry['name']:<14} {entry['about']}")
        for name, wanted in entry["fields"].items():
            print(f"{'':<27}{name} = {wanted}")
        if entry["paper"]:
            print(f"{'':<27}{entry['paper']}")


def _about(group: str, name: str) -> dict[str, Any]:
    from landbridge.core import registry

    cls = registry.find(group, name)
    ruled = [f for f in dataclasses.fields(cls) if "rule" in f.metadata] if dataclasses.is_dataclass(cls) else []
    return {
        "group": group,
        "name": name,
        "about": (cls.__doc__ or "").strip().splitlines()[0],
        "fields": {f.name: f"{f.default!r}, {f.metadata['rule'].wanted}" for f in ruled},
        "paper": vars(cls).get("paper", ""),
        "origin": registry.origin(group, name),
    }
