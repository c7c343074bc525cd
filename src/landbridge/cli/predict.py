"""`landbridge predict`: label and probabilities for each input, offline."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from landbridge.cli import options as o
from landbridge.core.errors import UsageError

ArtifactPath = Annotated[str, typer.Argument(help="The folder that run or fit wrote, or a .zip of it.")]
Inputs = Annotated[list[str], typer.Argument(help="Files, folders, tables; for a text model also texts themselves.")]
Form = Annotated[str, typer.Option("--format", help="table, json (one object a line) or csv.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("predict", epilog="Example: landbridge predict landbridge-runs/photos new.jpg --json")(predict)


def predict(artifact: ArtifactPath, inputs: Inputs, format: Form = "table", json: o.Json = False) -> None:
    """Predict INPUTS with ARTIFACT; no network and no training data are needed."""
    from landbridge.delivery.artifact import load
    from landbridge.delivery.predict import csv_lines, json_lines, table_lines

    writers = {"table": table_lines, "json": json_lines, "csv": csv_lines}
    if format not in writers:
        raise UsageError(f"--format must be one of table, json, csv, got '{format}'")
    adapted = load(artifact)
    predictions = adapted.stream(adapted.read_paths(inputs))
    for line in (json_lines if json else writers[format])(predictions):
        sys.stdout.write(line.rstrip("\n") + "\n")
