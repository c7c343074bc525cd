"""A network that reads series as curves, made by `recipes/series/train.py` from generated series only."""

from __future__ import annotations

from pathlib import Path

from landbridge.sources.curve_folder import CARD_FILE, WEIGHTS_FILE, open_curves, rebuild_curves
from landbridge.sources.embedded_model import EmbeddedModel
from landbridge.sources.weights_file import json_file

FOLDER = Path(__file__).parent.parent / "weights" / "series"


def of(place: Path) -> EmbeddedModel:
    """The model of a folder as the recipe writes it; one that is not there is not offered."""
    card = json_file(place / CARD_FILE)
    return EmbeddedModel(
        name="series",
        reads="curves",
        parameters=int(card.get("parameters", 0)),
        licence="apache-2.0",
        note="threshold kernels for series, their chance evened out on generated series; any length and channels",
        library="landbridge",
        extra="",
        weights=WEIGHTS_FILE,
        sha256=str(card.get("sha256", "")),
        folder=lambda: place if (place / CARD_FILE).is_file() else None,
        open=open_curves,
        rebuild=rebuild_curves,
    )


MODEL = of(FOLDER)
