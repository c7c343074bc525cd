"""A network that learns tables in context, trained by recipes/table_head on generated tables alone."""

from __future__ import annotations

from pathlib import Path

from landbridge.sources.embedded_model import EmbeddedModel
from landbridge.sources.tables import CARD, WEIGHTS, open_folder, rebuild
from landbridge.sources.weights_file import json_file

FOLDER = Path(__file__).parent.parent / "weights" / "tables"


def folder() -> Path | None:
    """Where the weights lie; None in an installation without them."""
    return FOLDER if (FOLDER / WEIGHTS).is_file() else None


def model() -> EmbeddedModel:
    """The source as the card beside the weights describes it."""
    card = json_file(FOLDER / CARD)
    return EmbeddedModel(
        name="tables",
        reads="columns",
        parameters=int(card.get("parameters", 0)),
        licence="apache-2.0",
        note="learns tables of up to 64 columns and 10 classes in context, from up to 1,024 rows at a time",
        library="landbridge",
        extra="",
        weights=WEIGHTS,
        sha256=str(card.get("sha256", "")),
        folder=folder,
        open=open_folder,
        rebuild=rebuild,
    )


MODEL = model()
