"""How any verb begins: the data, the time, the candidates and the checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from landbridge.core.clock import Budget, parse_duration
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.parts import name_of
from landbridge.core.progress import Progress, Tick
from landbridge.core.recipe import Recipe
from landbridge.engine.attempt import rival_of
from landbridge.planning.candidates import ASKED, Candidate, Offer, controls, propose, road, routes
from landbridge.planning.originals import originals
from landbridge.planning.sources import default_sources, readable
from landbridge.reading.duplicates import find_duplicates, without_duplicates
from landbridge.reading.read import read


def domain_of(data: str | Path | Domain, seed: int, progress: Progress) -> Domain:
    """The data as a domain, read where it is a path."""
    if isinstance(data, Domain):
        return data
    progress(Tick(stage="read", detail=str(data)))
    return read(data, seed=seed)


def budget_of(budget: str | float | Budget | None) -> Budget:
    """The budget as written, or the one that is already running."""
    if isinstance(budget, Budget):
        return budget
    if budget is None or budget == "none":
        return Budget()
    return Budget(seconds=parse_duration(budget) if isinstance(budget, str) else float(budget))


def candidates_of(domain: Domain, sources: Sequence[str] | None) -> list[Candidate]:
    """What is worth trying on the given sources, or on all that are at hand."""
    addresses = list(sources) if sources is not None else default_sources(domain)
    return propose(domain, [readable(a, domain, weights=sources is not None) for a in addresses])


def asked_for(recipes: Sequence[Recipe], domain: Domain) -> list[Candidate]:
    """Recipes that a person named, their sources opened before anything else, so that a misfit costs no time."""
    offers: dict[str, Offer] = {}
    for recipe in recipes:
        if recipe.source.startswith("rival:"):
            rival_of(recipe, domain)
            continue
        if recipe.source not in offers:
            offers[recipe.source] = readable(recipe.source, domain, weights=True)
        _leads(recipe, offers[recipe.source], domain.modality.part_name)
    return [Candidate(recipe=r, reason=ASKED, role=_role(r)) for r in recipes]


def over_a_bridge(recipe: Recipe, domain: Domain) -> Recipe:
    """The recipe over the bridge by which the data reaches its source, where the plain bridge does not lead there."""
    if recipe.source.startswith("rival:"):
        return recipe
    offer = readable(recipe.source, domain, weights=False)
    ways = routes(domain.modality.part_name, offer.reads)
    if not ways or name_of(recipe.bridge) in ways:
        return recipe
    return replace(recipe, bridge=road(ways[0], offer, originals(domain)))


def held(domain: Domain, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The controls that are tried beside the candidates: none twice, and a lone control stands for its role's own."""
    named = [c.recipe for c in candidates]
    lone = candidates[0].role if len(candidates) == 1 else ""
    return [c for c in controls(domain) if c.recipe not in named and c.role != lone]


def _leads(recipe: Recipe, offer: Offer, modality: str) -> None:
    """UsageError, which names those that do, where the recipe's bridge does not lead from the data to its source."""
    name, ways = name_of(recipe.bridge), routes(modality, offer.reads)
    if name not in ways:
        told = f"{name}: does not lead from {modality} to {offer.address}, which reads {offer.reads}"
        way = f"use --bridge {' or '.join(ways)}" if ways else "no bridge does; choose another source"
        raise UsageError(f"{told}; {way}")


def _role(recipe: Recipe) -> str:
    """The part a recipe plays by its source: only one that carries knowledge is a candidate for transfer."""
    if recipe.source.startswith("scratch:"):
        return "scratch"
    if recipe.source.startswith("rival:"):
        return "trivial" if recipe.source == "rival:trivial" else "rival"
    return "candidate"


def checked(domain: Domain, progress: Progress) -> tuple[Domain, list[dict[str, Any]]]:
    """The domain without rows that stand on both sides of a split, and the checks of the data."""
    progress(Tick(stage="check", detail="duplicates across splits"))
    pairs = find_duplicates(domain)
    return without_duplicates(domain, pairs), checks_of(domain, pairs)


def checks_of(domain: Domain, pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Checks of the data as the contract writes them."""
    kinds = ("exact duplicate", "near duplicate")
    found = [dict(c) for c in domain.facts.get("checks", [])]
    for kind in kinds:
        alike = [p for p in pairs if p["kind"].startswith(kind.split()[0])]
        rows = list({frozenset((p["row"], p["twin"])): p for p in alike}.values())
        shown = "; ".join(f"{_name(domain, p['row'])} = {_name(domain, p['twin'])}" for p in rows[:3])
        detail = f"across splits, kept out of the test score: {shown}" if rows else "none across splits"
        found.append({"name": kind, "found": len(rows), "detail": detail})
    return found


def _name(domain: Domain, row: int) -> str:
    return str(domain.labels[row]) if len(domain.labels) else f"row {row}"
