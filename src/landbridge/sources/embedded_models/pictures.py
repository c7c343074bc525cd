"""An image encoder that was trained on generated pictures only, by `recipes/image/train.py`; its card tells how."""

from __future__ import annotations

from pathlib import Path

from landbridge.sources.embedded_model import EmbeddedModel
from landbridge.sources.encoder_folder import CARD_FILE, WEIGHTS_FILE, open_encoder, rebuild_encoder
from landbridge.sources.weights_file import json_file

FOLDER = Path(__file__).parent.parent / "weights" / "pictures"


def of(place: Path) -> EmbeddedModel:
    """The model of a folder as the recipe writes it; one that is not there is not offered."""
    card = json_file(place / CARD_FILE)
    return EmbeddedModel(
        name="pictures",
        reads="image",
        parameters=int(card.get("parameters", 0)),
        licence="apache-2.0",
        note="residual encoder for 64 to 224 pixels, trained on formula pictures; sounds and series by their bridges",
        library="landbridge",
        extra="",
        weights=WEIGHTS_FILE,
        sha256=str(card.get("sha256", "")),
        folder=lambda: place if (place / CARD_FILE).is_file() else None,
        open=open_encoder,
        rebuild=rebuild_encoder,
    )


MODEL = of(FOLDER)
