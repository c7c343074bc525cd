"""Save a pretrained body so that `artifact:FOLDER` opens it as a source anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from landbridge.core.artifact import write_artifact
from landbridge.core.errors import ArtifactError
from landbridge.core.model import Body, Example, Model
from landbridge.core.recipe import Recipe
from landbridge.delivery import parity
from landbridge.delivery.portable import portable
from landbridge.engine.predictor import ModelPredictor, open_source

KIND = "pretrained"  # what the evidence of such an artifact calls itself


def save_source(
    folder: Path,
    predictor: ModelPredictor,
    *,
    recipe: Recipe,
    evidence: Mapping[str, Any],
    reading: Mapping[str, Any],
    examples: Sequence[Example],
    private: Sequence[Path] = (),
) -> dict[str, Any]:
    """Write body and bridge, after proof on `examples` (real rows) that they give the same features when opened again.

    The evidence that was sealed, with the proof, is returned. ArtifactError and nothing written when it fails.
    """
    facts, arrays = predictor.state()
    facts = {name: value for name, value in facts.items() if name != "head"}
    arrays = {name: array for name, array in arrays.items() if not name.startswith("head/")}
    files = predictor.model.body.files() if predictor.complete else {}
    shown = portable({**evidence, "kind": KIND}, private)

    def write(place: Path) -> None:
        documents = {
            "recipe.json": recipe.to_json(),
            "preprocess.json": {"predictor": facts, "reading": dict(reading), "temperature": None},
        }
        contents = {"card.md": _card(shown).encode(), **{f"source/{name}": data for name, data in files.items()}}
        written = {**portable(documents, private), "evidence.json": shown}
        write_artifact(place, documents=written, arrays=arrays, files=contents)

    wanted = features(predictor.model.body, examples)
    with parity.draft(folder) as trial:
        write(trial)
        opened = open_source(f"artifact:{trial}", modality=predictor.model.body.reads)
        shown["parity"] = _compared(wanted, features(opened, examples))
    write(folder)
    return shown


def features(body: Body, examples: Sequence[Example]) -> np.ndarray:
    """features_ND of examples in float32."""
    return ModelPredictor(Model(body, nn.Identity()), source="", bridge=None, facts={}, origin="").predict(examples)


def _compared(wanted: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """How alike the features of both are; ArtifactError where they are not."""
    gap = (
        np.abs(wanted - found) / np.maximum(1.0, np.abs(wanted)) if wanted.shape == found.shape else np.array([np.inf])
    )
    worst = float(gap.max()) if gap.size else 0.0
    if not worst <= parity.TOLERANCE:  # also true for NaN
        raise ArtifactError(
            f"the written source does not give the features of the trained one (largest difference {worst:.2g} on "
            f"{len(wanted)} rows); nothing was written, please report this"
        )
    return {"rows": len(wanted), "max_difference": worst, "tolerance": parity.TOLERANCE}


def _card(evidence: Mapping[str, Any]) -> str:
    """What a stranger must know before starting from it."""
    domain, loss = evidence["domain"], evidence["loss"]
    lines = [
        f"# {evidence['name']}, pretrained",
        f"A source, not a model that answers: `landbridge run DATA --source artifact:FOLDER`. It went on from "
        f"`{evidence['recipe']['source']}` on {domain['rows']} {domain['modality']} examples without labels, for "
        f"{evidence['epochs']:g} epochs; the loss went from {loss['first']:.4g} to {loss['last']:.4g}.",
        "No label was used, so nothing is known yet of how well it serves a task: `run` compares it with controls.",
        f"```json\n{json.dumps(evidence['recipe'], indent=1)}\n```",
        f"Made by `{evidence['command']}` with seed {evidence['seed']}.",
    ]
    return "\n\n".join(lines) + "\n"
