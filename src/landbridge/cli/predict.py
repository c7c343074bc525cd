"""`landbridge predict`: label and probabilities for each input, offline."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from landbridge.cli import options as o
from landbridge.core.errors import UnknownName, UsageError

ArtifactPath = Annotated[str, typer.Argument(help="The folder that run or fit wrote, or a .zip of it.")]
Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, tables; for a text model also texts themselves, or - for lines on stdin."),
]
Form = Annotated[str, typer.Option("--format", help="table, json (one object a line) or csv.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("predict", epilog="Example: landbridge predict landbridge-runs/photos new.jpg --json")(predict)


def predict(artifact: ArtifactPath, inputs: Inputs, format: Form = "table", json: o.Json = False) -> None:
    """Predict INPUTS with ARTIFACT; no network and no training data are needed."""
    from landbridge.delivery.artifact import load
    from landbridge.delivery.predict import WRITERS

    if format not in WRITERS:
        raise UnknownName("--format", format, WRITERS)
    adapted = load(artifact)
    if "-" in inputs:
        if adapted.modality.part_name != "text" or inputs != ["-"]:
            raise UsageError("- reads texts from stdin, one a line, for a text model and as the only input; name files")
        named = (
            (f"line {number}", adapted.modality.decode(line.rstrip("\n"))) for number, line in enumerate(sys.stdin, 1)
        )
        predictions = adapted.stream((name, text) for name, text in named if text.strip())
    else:
        predictions = adapted.stream(adapted.read(inputs))
    for line in WRITERS["json" if json else format](predictions):
        sys.stdout.write(line.rstrip("\n") + "\n")
