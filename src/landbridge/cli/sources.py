"""`landbridge sources`: what can be opened here and now."""

from __future__ import annotations

import typer

from landbridge.cli import options as o
from landbridge.cli import show


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("sources", epilog="Example: landbridge sources --json")(sources)


def sources(json: o.Json = False) -> None:
    """List the schemes of sources and what is at hand without network."""
    from landbridge.core import registry

    found = []
    for scheme in registry.names("sources"):
        source = registry.find("sources", scheme)()
        found.append(
            {
                "scheme": f"{scheme}:",
                "about": (source.__doc__ or "").strip().splitlines()[0],
                "known": source.known(),
                "lacking": getattr(source, "lacking", list)(),
            }
        )
    if json:
        show.print_json(found)
        return
    for entry in found:
        print(f"{entry['scheme']:<14} {entry['about']}")
        for known in entry["known"]:
            about = ", ".join(f"{k} {v}" for k, v in known.items() if k != "address" and v not in (None, ""))
            print(f"    {known['address']}  ({about})")
        for told in entry["lacking"]:
            print(f"    {told}")
