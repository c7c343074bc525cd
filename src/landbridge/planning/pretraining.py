"""Pretraining as a recipe: one stage without labels, from any source, over all rows there are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.core import codec
from landbridge.core.clock import Budget
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.parts import name_of
from landbridge.core.progress import Tick
from landbridge.core.recipe import Recipe, Stage
from landbridge.engine.attempt import Attempt, Headless, Order, Solves, attempt
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import Offer, road, routes
from landbridge.planning.originals import originals
from landbridge.planning.sources import readable

OBJECTIVES = {
    "text": "masked_language",
    "table": "masked_features",
}  # by the data's modality; else `masked` for pictures from nothing, and `latent`, which leaves more of what is known
UNHIDDEN = {"curves": "simclr"}  # for sources of whose inputs no part can be hidden
FROM_NOTHING = {"tuning": "full(layer_decay=1.0, head_scale=1.0, norm_statistics='moving')", "lr": 1e-3, "decay": 0.05}
FROM_A_SOURCE = {"tuning": "full(norm_statistics='moving')", "lr": 0.0, "decay": 0.01}
BATCH = 64
SEEN = 200_000  # examples that training sees where nobody says how many epochs
FEWEST, MOST = 5, 100  # epochs of that


def pretraining(
    domain: Domain,
    source: str,
    *,
    objective: str | None = None,
    tuning: str | None = None,
    bridge: str | None = None,
    **length: Any,
) -> Recipe:
    """The recipe of a pretraining; what is not given suits the data and whether the source knows anything yet.

    UsageError where an objective asks for labels or no bridge leads to the source.
    """
    modality, offer = domain.modality.part_name, _offered(source, domain)
    reads, ways = offer.reads, routes(modality, offer.reads)
    if not ways:
        raise UsageError(f"no bridge leads from {modality} to {source}, which reads {reads}; choose another source")
    way = codec.parse("bridges", bridge) if bridge else road(ways[0], offer, originals(domain))
    if name_of(way) not in ways:
        raise UsageError(f"{name_of(way)}: does not lead from {modality} to {source}; use {' or '.join(ways)}")
    blank = source.startswith("scratch:")
    usual = UNHIDDEN.get(reads) or OBJECTIVES.get(modality, "masked" if reads == "image" and blank else "latent")
    objectives = tuple(codec.parse("objectives", text) for text in (objective or usual).split("+"))
    for one in objectives:
        if isinstance(one, Solves) or not any(isinstance(o, Headless) for o in objectives):
            raise UsageError(f"{codec.text(one)}: learns from labels, which pretraining has none of; use {usual}")
    start = FROM_NOTHING if blank else FROM_A_SOURCE
    epochs = max(FEWEST, min(MOST, round(SEEN / len(domain))))
    given = {"batch": BATCH, "lr": start["lr"], "decay": start["decay"], "epochs": epochs, "patience": 0}
    given |= {name: value for name, value in length.items() if value}
    tuned = codec.parse("tunings", tuning or str(start["tuning"]))
    stage = Stage(tuning=tuned, objectives=objectives, **given)
    return Recipe(source=source, bridge=way, stages=(stage,))


def pretrained(
    workshop: Workshop, recipe: Recipe, rows: np.ndarray, clock: Budget, seed: int, checkpoint: Path | None = None
) -> Attempt:
    """Run it on the given rows within the time that is left; the checkpoint stays until its folder is removed."""

    def tell(done: float, loss: float) -> None:
        detail = f"{recipe.name}, loss {loss:.4g}"
        workshop.progress(Tick(stage="pretrain", done=done, detail=detail, left=clock.left))

    order = Order(
        recipe=recipe, train=rows, validation=rows[:0], seed=seed, seconds=max(1.0, clock.left), tell=tell,
        checkpoint=checkpoint, hold=True,
    )  # fmt: skip
    return attempt(workshop, order)


def key_of(recipe: Recipe, domain: Domain, seed: int) -> str:
    """What names the checkpoint of a pretraining: recipe, data and seed."""
    said = json.dumps([recipe.to_json(), domain.fingerprint, seed], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _offered(source: str, domain: Domain) -> Offer:
    """What a source offers; opened with its weights, so that a misfit shows before any work."""
    if source.startswith("rival:"):
        raise UsageError(
            f"{source}: a control fits itself and cannot be pretrained; name a source such as scratch:convnet"
        )
    return readable(source, domain, weights=True)
