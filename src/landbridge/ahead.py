"""What can be said before anything is trained: how near the sources are, what would be tried, and whether it would."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.core.cache import DEFAULT_SIZE, parse_size
from landbridge.core.clock import Budget
from landbridge.core.domain import Domain
from landbridge.core.progress import Progress, Tick, silent
from landbridge.core.recipe import Recipe
from landbridge.delivery.destination import destination
from landbridge.engine.attempt import rival_of
from landbridge.engine.cache import shared_cache
from landbridge.engine.journal import Journal
from landbridge.engine.precision import pick_device
from landbridge.engine.workshop import Workshop
from landbridge.planning.assessment import assessed, read_sources
from landbridge.planning.candidates import Candidate, controls, scratch
from landbridge.planning.layers import told
from landbridge.planning.nearness.earlier import open_earlier
from landbridge.planning.nearness.targets import looked_through, near_targets
from landbridge.planning.opening import asked_for, budget_of, candidates_of, checked, checks_of, domain_of, held
from landbridge.planning.plan import make_plan
from landbridge.planning.search import Search
from landbridge.reading.duplicates import find_duplicates
from landbridge.report.assessment import page_for, write_page
from landbridge.report.record import domain_block, plain


def rehearse(
    data: str | Path | Domain,
    recipes: Sequence[Recipe] | None = None,
    *,
    sources: Sequence[str] | None = None,
    budget: str | float | Budget | None = "10m",
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, Any]:
    """What `run` (with `recipes`: `compare` or `fit`) would do: everything up to the first training step, for real.

    The data is read and checked, every source is opened with its weights and reads real examples, the destination is
    checked; nothing is trained and nothing is written.
    """
    clock = budget_of(budget)
    domain = domain_of(data, seed, progress)
    candidates = candidates_of(domain, sources) if recipes is None else asked_for(recipes, domain)
    folder = destination(domain, out)
    domain, checks = checked(domain, progress)
    with tempfile.TemporaryDirectory(prefix="landbridge-") as cache:
        workshop = Workshop(domain, device=pick_device(device), folder=Path(cache), seed=seed, progress=progress)
        for candidate in candidates:
            _open(workshop, candidate.recipe)
    tried = [*held(domain, candidates), *candidates]
    bodies = [c.recipe for c in candidates if not c.recipe.source.startswith(("rival:", "scratch:"))]
    if bodies:
        reason = "the architecture of the best source without its knowledge"
        tried.append(Candidate(recipe=scratch(bodies[0], domain.modality.part_name), role="scratch", reason=reason))
    return plain(
        {
            "schema": 1,
            "dry_run": True,
            "name": domain.name,
            "domain": domain_block(domain),
            "assumptions": [vars(a) for a in domain.assumptions],
            "checks": checks,
            "plan": [
                {"name": c.recipe.name, "role": c.role, "reason": c.reason, "recipe": c.recipe.to_json()} for c in tried
            ],
            "out": str(folder),
            "budget_s": clock.seconds,
        }
    )


def assess(
    data: str | Path | Domain,
    *,
    sources: Sequence[str] | None = None,
    near: str | Path | Sequence[str | Path] = (),
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    cache_size: str | int = DEFAULT_SIZE,
    progress: Progress = silent,
) -> dict[str, Any]:
    """What the data is, what is wrong with it, and how near each source is; the test stays shut.

    `near` are artifacts that were delivered earlier: how near the data is to what each was adapted to. With `out` a
    page with the embedding map, the layers and the learning curve is written into that folder.
    """
    size = parse_size(cache_size)
    domain = domain_of(data, seed, progress)
    earlier = open_earlier(near, domain)
    candidates = candidates_of(domain, sources)
    page = None if out is None else page_for(out)
    with _looking(domain, seed, device, size, progress) as search:
        search.run([c for c in candidates if _quick(c)], controls(domain), 0.0)
        readings = read_sources(search.workshop, candidates)
        found = {**_about(domain), "probes": _probes(search), **assessed(search.workshop, readings)}
        seen, silent = looked_through(search.workshop, earlier)
        found["targets"] = near_targets(search.workshop, seen, silent, earlier) if earlier else None
        found = plain(found)
        if page is not None:
            write_page(page, found, domain, readings[0] if readings else None, seed, seen)
    return found


def plan(
    data: str | Path | Domain,
    *,
    sources: Sequence[str] | None = None,
    budget: str | float | Budget | None = "10m",
    seed: int = 0,
    device: str = "auto",
    cache_size: str | int = DEFAULT_SIZE,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Recipes ranked by what they are expected to reach within a budget, with cost and reason; the test stays shut.

    Probes are run and sources surveyed, of every recipe that takes steps a few are timed; no model is kept.
    """
    size, clock = parse_size(cache_size), budget_of(budget)
    domain = domain_of(data, seed, progress)
    candidates = candidates_of(domain, sources)
    with _looking(domain, seed, device, size, progress) as search:
        search.run([c for c in candidates if _quick(c)], [], 0.0)
        readings = read_sources(search.workshop, candidates)
        slow = search.worth([c for c in candidates if not _quick(c) and c.role == "candidate"])
        progress(Tick(stage="rehearse", detail="what each recipe costs here"))
        recipes = make_plan(search, slow, readings, clock.seconds)
    about = {"metric": domain.task.metric, "budget_s": clock.seconds, "recipes": recipes}
    return plain({**_about(domain), **about, "sources": [told(r) for r in readings]})


@contextmanager
def _looking(domain: Domain, seed: int, device: str, size: int, progress: Progress) -> Iterator[Search]:
    """A search on the first fold without a limit, in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="landbridge-") as folder:
        workshop = Workshop(
            domain, device=pick_device(device), folder=Path(folder), seed=seed, progress=progress,
            cache=shared_cache(size),
        )  # fmt: skip
        yield Search(workshop, domain.folds[0], 0, Budget(), Journal(Path(folder) / "journal"), seed)


def _quick(candidate: Candidate) -> bool:
    """Whether a candidate takes no steps."""
    return candidate.role == "candidate" and all(type(s.tuning).part_name == "probe" for s in candidate.recipe.stages)


def _about(domain: Domain) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": domain.name,
        "domain": domain_block(domain),
        "assumptions": [vars(a) for a in domain.assumptions],
        "checks": checks_of(domain, find_duplicates(domain)),
    }


def _probes(search: Search) -> list[dict[str, Any]]:
    trials = [s.trial for s in search.standings if s.trial is not None]
    return [t.to_json() for t in sorted(trials, key=lambda t: -(t.validation or -math.inf))]


def _open(workshop: Workshop, recipe: Recipe) -> None:
    """Open what a recipe starts from and let it read some examples, as its training would."""
    if recipe.source.startswith("rival:"):
        rival_of(recipe, workshop.domain)
        return
    pair = workshop.domain.folds[0].pairs[0]
    rows = np.sort(np.concatenate([pair.train, pair.validation]))
    workshop.lend(workshop.road(recipe.source, recipe.bridge, rows), workshop.seed)
