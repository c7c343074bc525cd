"""`landbridge eval`: an artifact on new labelled data."""

from __future__ import annotations

from typing import Annotated

import typer

from landbridge.cli import options as o
from landbridge.cli import show

ArtifactPath = Annotated[str, typer.Argument(help="The folder that run or fit wrote.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("eval", epilog="Example: landbridge eval landbridge-runs/photos new-photos/ --json")(evaluate)


def evaluate(
    artifact: ArtifactPath, data: o.Data, seed: o.Seed = 0, json: o.Json = False, quiet: o.Quiet = False
) -> None:
    """Measure ARTIFACT on labelled DATA that it has not seen."""
    from landbridge.road import evaluate as measure

    found = measure(artifact, o.resolve(data), seed=seed)
    if json:
        show.print_json(found)
    elif not quiet:
        low, high = found["interval"]
        print(f"{found['metric']} {found['value']:.4f} [{low:.4f}, {high:.4f}] on {found['rows']} rows")
