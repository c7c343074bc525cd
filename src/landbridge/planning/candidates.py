"""What is worth trying: recipes for the data's modality and size, each with its reason, cheapest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from landbridge.core import codec, registry
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.recipe import Recipe, Stage

FEW = 50  # labels a class below which a small set counts as few
SMALL = 3_000  # training rows below which full fine-tuning is quick enough to be tried second


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A recipe with the reason for trying it and the part it plays in the comparison."""

    recipe: Recipe
    reason: str
    role: str = "candidate"  # candidate, trivial, rival, scratch


def part(group: str, text: str) -> Any:
    """A part from its command-line spelling."""
    return codec.parse(group, text)


def routes(modality: str, reads: str) -> list[str]:
    """The bridges by which data of one modality reaches a source that reads another."""
    found = []
    for name in registry.names("bridges"):
        pairs = registry.find("bridges", name).routes
        if (modality, reads) in pairs or (modality == reads and ("*", "*") in pairs):
            found.append(name)
    return found


def controls(domain: Domain) -> list[Candidate]:
    """The trivial baseline and the cheap rival of the modality; the scratch control depends on the source."""
    modality = domain.modality.part_name
    chosen = [Candidate(recipe=rival("trivial"), role="trivial", reason="what guessing from the labels alone reaches")]
    for name in registry.names("rivals"):
        cls = registry.find("rivals", name)
        if modality in cls.modalities:
            chosen.append(
                Candidate(recipe=rival(name), role="rival", reason=f"the cheap way for {modality} without any transfer")
            )
    return chosen


def rival(name: str) -> Recipe:
    """A control that fits itself, as a recipe."""
    return Recipe(source=f"rival:{name}", bridge=part("bridges", "native"), stages=())


def scratch(recipe: Recipe) -> Recipe:
    """The same architecture over the same bridge without the source's knowledge, trained as from nothing it must be."""
    stage = Stage(
        tuning=part("tunings", "full(layer_decay=1.0, norm_statistics='moving')"),
        objectives=(part("objectives", "supervised"),),
        lr=1e-3,
        decay=0.05,
        patience=10,
    )
    source = recipe.source if recipe.source.startswith("scratch:") else f"scratch:{recipe.source}"
    return Recipe(source=source, bridge=recipe.bridge, stages=(stage,))


def single(source: str, bridge: Any, *tunings: str, objective: str = "supervised", **length: Any) -> Recipe:
    """A recipe of the named tunings, all pulled by one objective; `length` goes to the last stage."""
    objectives = (part("objectives", objective),)
    stages = [Stage(tuning=part("tunings", t), objectives=objectives) for t in tunings[:-1]]
    return Recipe(
        source=source,
        bridge=bridge,
        stages=(*stages, Stage(tuning=part("tunings", tunings[-1]), objectives=objectives, **length)),
    )


def propose(domain: Domain, sources: Sequence[tuple[str, str]]) -> list[Candidate]:
    """Candidates over `sources` (address, modality it reads), probes first; UsageError when nothing fits the data."""
    modality = domain.modality.part_name
    found: list[Candidate] = []
    refused: list[str] = []
    for address, reads in sources:
        bridges = routes(modality, reads)
        if not bridges:
            refused.append(f"{address} reads {reads}")
        for name in bridges:
            found += _ways(domain, address, reads, part("bridges", name))
    if refused and not found:
        raise UsageError(f"no bridge leads from {modality} to the given sources ({'; '.join(refused)}); choose another")
    return sorted(found, key=lambda c: _cost(c.recipe))


def _ways(domain: Domain, source: str, reads: str, bridge: Any) -> list[Candidate]:
    """Probe, then tuning from the probe, then the parameter-efficient ways."""
    n = len(domain.folds[0].rest)
    if source.startswith("scratch:"):
        base = Recipe(source=source, bridge=bridge, stages=())
        return [Candidate(recipe=scratch(base), reason="no pretrained source was given: an architecture by itself")]
    ways = [
        Candidate(
            recipe=single(source, bridge, "probe"),
            reason=f"{n} labelled rows: frozen features with a convex head cost seconds and cannot overfit the body",
        )
    ]
    if reads == "image" and codec.text(bridge) == "native":
        ways.append(
            Candidate(
                recipe=single(source, part("bridges", "native(crop='squash')"), "probe"),
                reason="the whole picture squashed instead of its centre: what matters may lie at the edge",
            )
        )
    if reads == "text" and _few(domain) and _named(domain):
        ways.append(
            Candidate(
                recipe=single(source, bridge, "probe", objective="supervised(names=True)"),
                reason="few labels a class, and classes with names: a name is worth about one more example",
            )
        )
    tuned = single(source, bridge, "probe", "full", patience=4)
    ways.append(
        Candidate(
            recipe=tuned,
            reason="start from the probe, then let all weights move a little (LP-FT keeps the features in place)",
        )
    )
    if reads == "text":
        ways.append(
            Candidate(
                recipe=single(source, bridge, "probe", "lora", patience=4),
                reason="low-rank updates: nearly the reach of full tuning with a fraction of the weights",
            )
        )
    else:
        ways.append(
            Candidate(
                recipe=single(source, bridge, "probe", "partial(3)", patience=4),
                reason="only the last blocks move, over stored activations: cheap, and the early layers are general",
            )
        )
    return ways


def _few(domain: Domain) -> bool:
    """Whether there are fewer labels a class than a source's own knowledge needs."""
    return domain.task.part_name == "classify" and len(domain.folds[0].rest) < FEW * domain.task.outputs


def _named(domain: Domain) -> bool:
    """Whether the classes are called by words."""
    names = domain.task.describe(np.zeros((1, domain.task.outputs), np.float32))[0]
    return all(re.search(r"[^\W\d_]{3}", str(n)) for n in names)


_COST = {"probe": 0, "partial": 2, "norm_bias": 3, "lora": 3, "full": 2, "gradual": 4}


def _cost(recipe: Recipe) -> int:
    """A rough order of expense, before anything is measured."""
    return max((_COST.get(codec.text(s.tuning).split("(")[0], 3) for s in recipe.stages), default=0)
