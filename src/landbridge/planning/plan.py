"""Recipes ranked by what they are expected to reach, each with its cost and its reason in the user's own numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from landbridge.core.domain import Domain
from landbridge.core.recipe import Recipe
from landbridge.evidence.intervals import Z
from landbridge.planning.candidates import Candidate
from landbridge.planning.foretell import Foretold, Known, kind
from landbridge.planning.labels_worth import ceiling
from landbridge.planning.layers import Reading
from landbridge.planning.search import MOST_PAIRS, Search, refits
from landbridge.planning.sharing import for_trials
from landbridge.planning.standing import Standing
from landbridge.planning.turns import Turns, look_ahead

NOUNS = {"image": "images", "text": "texts", "audio": "recordings", "table": "rows", "series": "series"}
WORDS = {
    "partial": "tuning the last blocks", "full": "full fine-tuning", "lora": "low-rank updates (LoRA)",
    "gradual": "gradual unfreezing", "norm_bias": "tuning norms and biases",
    "contrastive": "drawing classes together before a head",
    "anew": "letting all weights learn", "anew over curves": "letting all weights learn",
}  # fmt: skip


def make_plan(
    search: Search, slow: Sequence[Candidate], readings: Sequence[Reading], seconds: float | None
) -> list[dict[str, Any]]:
    """Entries best first by predicted metric; what does not fit the time or cannot win comes last, and says so.

    The probes have been run by `search`; `turn` is the place in which `run` would take an entry: probes first, then by
    expected improvement for each second.
    """
    known = fitted(search.known(), readings)
    pairs = search.fold.pairs[:MOST_PAIRS]
    leader = search.lead()
    turns = look_ahead(search.workshop, pairs, slow, known, leader, room=math.inf)
    probes = [s for s in search.transfer() if s.attempts]
    entries = [_probed(s, known, readings, search) for s in probes]
    order = turns.order(slow, *leader)
    for candidate in slow:
        entries.append(_tuned(candidate, turns, leader, known, readings, search, seconds))
    names = [s.candidate.recipe for s in probes] + [c.recipe for c in order]
    for entry in entries:
        entry["turn"] = names.index(entry["recipe"]) + 1
    entries.sort(key=lambda e: (bool(e["against"]), -(e["predicted"] or {"value": -math.inf})["value"], e["turn"]))
    return [
        {**e, "rank": i, "options": e["recipe"].command, "recipe": e["recipe"].to_json()}
        for i, e in enumerate(entries, 1)
    ]


def fitted(known: Mapping[str, Known], readings: Sequence[Reading]) -> dict[str, Known]:
    """What is known of each source with how much its last layer misses: the error that a layer below would save."""
    found = dict(known)
    for reading in readings:
        source = reading.road.source
        if source in found:
            rest = ceiling(found[source].metric) - reading.last.value
            saved = (reading.best.value - reading.last.value) / rest if rest > 1e-9 else 0.0
            found[source] = replace(found[source], misfit=max(found[source].misfit, saved))
    return found


def _probed(
    standing: Standing, known: Mapping[str, Known], readings: Sequence[Reading], search: Search
) -> dict[str, Any]:
    """A probe, whose figure is measured."""
    recipe, about = standing.candidate.recipe, known[standing.candidate.recipe.source]
    error = search.doubt(standing)
    top = ceiling(about.metric)
    interval = [standing.score - Z * error, min(top, standing.score + Z * error)]
    trial = standing.trial
    predicted = {
        "value": standing.score, "interval": interval, "gain": standing.score - about.value,
        "seconds": None if trial is None else trial.seconds, "seconds_interval": None,
        "peak_mb": None if trial is None else trial.peak_mb, "peak_mb_interval": None,
    }  # fmt: skip
    told = f"{_data(search.workshop.domain)}; {_layer(recipe, readings)}; this probe reached {standing.score:.2f}"
    return {
        "name": recipe.name,
        "recipe": recipe,
        "measured": True,
        "predicted": predicted,
        "reason": told,
        "against": "",
    }


def _tuned(
    candidate: Candidate, turns: Turns, leader: tuple[float, float], known: Mapping[str, Known],
    readings: Sequence[Reading], search: Search, seconds: float | None,
) -> dict[str, Any]:  # fmt: skip
    """A recipe that takes steps, foretold."""
    found, recipe = turns.of(candidate), candidate.recipe
    about = known.get(recipe.source)
    against = turns.excluded(candidate, *leader)
    reason = candidate.reason
    if found is not None and about is not None:
        reason = f"{_data(search.workshop.domain)}; {_layer(recipe, readings)}; {_gain(found, about)}"
        again = refits(search.fold)
        whole = (found.seconds or 0.0) * (2.0 if again else 1.0)
        if not against and seconds is not None and whole > for_trials(seconds, again):
            against = f"about {whole:.0f} s with its refit, of a budget of {seconds:.0f} s"
    return {
        "name": recipe.name, "recipe": recipe, "measured": False, "reason": reason, "against": against,
        "predicted": None if found is None else found.to_json(),
    }  # fmt: skip


def _data(domain: Domain) -> str:
    count = len(domain.folds[0].rest)
    noun = NOUNS.get(domain.modality.part_name, "rows")
    kinds = {"classify": f" in {domain.task.outputs} classes", "multilabel": f" with {domain.task.outputs} labels"}
    return f"{count} {noun}{kinds.get(domain.task.part_name, '')}"


def _layer(recipe: Recipe, readings: Sequence[Reading]) -> str:
    """Which layer of the recipe's source separates the data, and how well."""
    own = [r for r in readings if r.road.source == recipe.source]
    same = [r for r in own if r.road.bridge == recipe.bridge] or own
    if not same:
        return f"{recipe.source} was not surveyed"
    best = max(same, key=lambda r: r.best.value).best
    name = recipe.source.replace(":", "/").rsplit("/", 1)[-1]
    layer = "at its last layer" if best.name == "end" else best.name
    return f"{name} {layer} separates them at {best.value:.2f} by a probe"


def _gain(found: Foretold, about: Known) -> str:
    name = WORDS.get(kind(found.recipe), kind(found.recipe))
    told = f"{name} predicted {found.gain:+.2f}"
    if found.seconds is None:
        return told
    times = found.seconds / max(about.seconds, 0.1)
    return f"{told} for {times:.0f}x the time" if times >= 2 else f"{told} for as much time again"
