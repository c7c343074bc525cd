"""The main road: read, check, plan, compare, judge, report, save. Each step is one call into the room that does it."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from landbridge.core import registry
from landbridge.core.cache import DEFAULT_SIZE, parse_size
from landbridge.core.clock import Budget
from landbridge.core.domain import Domain
from landbridge.core.finding import Finding, Judgement, Trial
from landbridge.core.progress import Progress, Tick, silent
from landbridge.core.recipe import Recipe
from landbridge.delivery.artifact import Adapted, Delivery, load, save
from landbridge.delivery.destination import check_destination
from landbridge.engine.attempt import Attempt, rival_of
from landbridge.engine.cache import shared_cache
from landbridge.engine.journal import Journal
from landbridge.engine.precision import pick_device
from landbridge.engine.predictor import ModelPredictor
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import ASKED, Candidate, controls, propose, scratch
from landbridge.planning.judge import TRANSFER, Opened, open_test, pool, seen_as, steadiest, whole_or
from landbridge.planning.search import Search, state_folder
from landbridge.planning.sources import default_sources, readable
from landbridge.reading.duplicates import find_duplicates, without_duplicates
from landbridge.reading.inputs import read_labelled
from landbridge.reading.read import read
from landbridge.report.judgement import evaluate_all, transfer_gain
from landbridge.report.mistakes import with_pictures
from landbridge.report.page import render
from landbridge.report.record import assemble, domain_block, measured, plain
from landbridge.unlabelled_road import adapted as learnt_on
from landbridge.unlabelled_road import clock_of, private

DEFAULT_BUDGET = "10m"
CLOSING = (10.0, 0.06)  # seconds and share of the budget kept for report, artifact and the proof that it reloads
OPENING = (4.0, 20.0)  # seconds of the proof beside the opening of libraries and sources, and the most counted for that
JUDGING = 0.3  # share of a fold's time kept for the scratch control, the refits and the test
SCRATCH = 0.35  # share of what is left after the comparison that the scratch control may take
PARITY_ROWS = 32


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to: the adapted model on disk, and its evidence."""

    path: Path
    adapted: Adapted
    evidence: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<landbridge result in {self.path}: {self.evidence['headline']}>"

    def _repr_html_(self) -> str:
        return self.adapted._repr_html_()


def run(
    data: str | Path | Domain,
    *,
    sources: Sequence[str] | None = None,
    unlabelled: str | Path | None = None,
    budget: str | float | Budget | None = DEFAULT_BUDGET,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    cache_size: str | int = DEFAULT_SIZE,
    progress: Progress = silent,
    command: str = "",
) -> Result:
    """Find out whether and how transfer pays on `data`, prove it, and leave an artifact in `out`.

    `data` is a path or a domain from `landbridge.read` (for options on columns and splits); `sources` are addresses
    such as `embedded:minilm`, default all that are at hand; `budget` is wall-clock time (`10m`, seconds, None for no
    limit, or a `Budget` that is already running); `unlabelled` is a path to more examples without labels, from which
    the first source learns on, in `OUT-pretrained`, and is tried too where that pays; `cache_size` is the most that
    activations kept for later runs may take on disk (`10G`, bytes; 0 keeps nothing).
    """
    clock, size = clock_of(budget), parse_size(cache_size)
    domain, more = _domain(data, seed, progress), dict[str, Any]()
    if unlabelled is not None:
        folder, sources = _destination(domain, out), list(sources or default_sources(domain))
        beside, first = folder.with_name(f"{folder.name}-pretrained"), next(iter(sources), None)
        given = {"clock": clock, "out": beside, "seed": seed, "device": device, "progress": progress}
        more = learnt_on(domain, unlabelled, first, **given)
        sources += [more["address"]] if more["pays"] else []
    candidates = _candidates(domain, sources)
    return _walk(domain, candidates, clock, out, seed, device, size, progress, command, more=more)


def compare(
    data: str | Path | Domain,
    recipes: Sequence[Recipe] | None = None,
    *,
    budget: str | float | Budget | None = DEFAULT_BUDGET,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    cache_size: str | int = DEFAULT_SIZE,
    progress: Progress = silent,
    command: str = "",
) -> Result:
    """Compare the given recipes (default: those that `run` would try) with each other and with the controls."""
    if recipes is None:
        return run(
            data, budget=budget, out=out, seed=seed, device=device, cache_size=cache_size, progress=progress,
            command=command,
        )  # fmt: skip
    clock, size = clock_of(budget), parse_size(cache_size)
    domain = _domain(data, seed, progress)
    return _walk(domain, _asked(recipes, domain), clock, out, seed, device, size, progress, command)


def fit(
    data: str | Path | Domain,
    recipe: Recipe,
    *,
    budget: str | float | Budget | None = DEFAULT_BUDGET,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    cache_size: str | int = DEFAULT_SIZE,
    progress: Progress = silent,
    command: str = "",
) -> Result:
    """Run exactly one recipe, beside the controls that every result is held against; the artifact is that recipe's."""
    clock, size = clock_of(budget), parse_size(cache_size)
    domain = _domain(data, seed, progress)
    return _walk(domain, _asked([recipe], domain), clock, out, seed, device, size, progress, command, keep=True)


def plan(
    data: str | Path | Domain,
    recipes: Sequence[Recipe] | None = None,
    *,
    sources: Sequence[str] | None = None,
    budget: str | float | Budget | None = DEFAULT_BUDGET,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, Any]:
    """What `run` (with `recipes`: `compare` or `fit`) would do: everything up to the first training step, for real.

    The data is read and checked, every source is opened with its weights and reads real examples, the destination is
    checked; nothing is trained and nothing is written.
    """
    clock = clock_of(budget)
    domain = _domain(data, seed, progress)
    candidates = _candidates(domain, sources) if recipes is None else _asked(recipes, domain)
    folder = _destination(domain, out)
    domain, checks = _checked(domain, progress)
    with tempfile.TemporaryDirectory(prefix="landbridge-") as cache:
        workshop = Workshop(domain, device=pick_device(device), folder=Path(cache), seed=seed, progress=progress)
        for candidate in candidates:
            _open(workshop, candidate.recipe)
    tried = [*_held(domain, candidates), *candidates]
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
    seed: int = 0,
    device: str = "auto",
    cache_size: str | int = DEFAULT_SIZE,
    progress: Progress = silent,
) -> dict[str, Any]:
    """What the data is, what is wrong with it, and how well each source's features separate it; the test stays shut."""
    size = parse_size(cache_size)
    domain = _domain(data, seed, progress)
    candidates = [c for c in _candidates(domain, sources) if len(c.recipe.stages) == 1]
    checks = _checks(domain, find_duplicates(domain))
    with tempfile.TemporaryDirectory(prefix="landbridge-") as folder:
        workshop = Workshop(
            domain, device=pick_device(device), folder=Path(folder), seed=seed, progress=progress,
            cache=shared_cache(size),
        )  # fmt: skip
        search = Search(workshop, domain.folds[0], 0, Budget(), Journal(Path(folder) / "journal"), seed)
        search.run([c for c in candidates if c.recipe.stages[0].epochs == 0], controls(domain), 0.0)
    trials = [s.trial for s in search.standings if s.trial is not None]
    return plain(
        {
            "schema": 1,
            "name": domain.name,
            "domain": domain_block(domain),
            "assumptions": [vars(a) for a in domain.assumptions],
            "checks": checks,
            "probes": [t.to_json() for t in sorted(trials, key=lambda t: -(t.validation or -math.inf))],
        }
    )


def _walk(
    domain: Domain,
    candidates: Sequence[Candidate],
    clock: Budget,
    out: str | Path | None,
    seed: int,
    device: str,
    size: int,
    progress: Progress,
    command: str,
    *,
    keep: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Result:
    """Check, compare, judge, report and save; an interrupted walk goes on from its journal."""
    torch.manual_seed(seed)
    work = working(clock, clock.spent)
    folder = _destination(domain, out)
    state = state_folder(folder)
    domain, checks = _checked(domain, progress)
    if more:
        checks.append({"name": "unlabelled data", "found": more["examples"], "detail": more["detail"]})
    with tempfile.TemporaryDirectory(prefix="landbridge-") as cache, Journal(state) as journal:
        workshop = Workshop(
            domain, device=pick_device(device), folder=Path(cache), seed=seed, progress=progress,
            cache=shared_cache(size),
        )  # fmt: skip
        opened, trials = _folds(workshop, candidates, work, journal, seed, keep)
        judgement, by_role = pool(domain, opened, seed)
        asked = {"candidate": TRANSFER}.get(candidates[0].role, candidates[0].role) if keep else ""
        role, findings, gain = _verdict(domain, judgement, by_role, opened, asked)
        attempt, recipe, refit = _final(workshop, opened, role, seed, work)
        progress(Tick(stage="report", detail="evidence, report, artifact"))
        record = assemble(
            domain=domain,
            chosen=recipe,
            role=role,
            judgement=judgement,
            findings=findings,
            gain=gain,
            trials=trials,
            checks=checks,
            command=command or _python_command(domain, folder, seed),
            seed=seed,
            budget=clock.seconds,
            opened=1,
            device=str(workshop.device),
        )
        record["mistakes"] = with_pictures(domain, findings)
        record["headline"] = gain["headline"]
        record["resumed"] = journal.taken
        record["refit"] = refit
        record["unlabelled"] = dict(more) or None
        record["seconds"] = clock.spent
        result = _deliver(domain, attempt, recipe, plain(record), findings, folder)
    shutil.rmtree(state, ignore_errors=True)
    return result


def _folds(
    workshop: Workshop, candidates: Sequence[Candidate], clock: Budget, journal: Journal, seed: int, keep: bool
) -> tuple[list[Opened], list[Trial]]:
    """Search and open every fold, each with its share of the time; `keep` makes a recipe's failure the run's own."""
    opened: list[Opened] = []
    trials: list[Trial] = []
    folds = workshop.domain.folds
    for number, fold in enumerate(folds):
        share = clock.left / (len(folds) - number)
        budget = Budget(seconds=None if math.isinf(share) else max(1.0, share), now=clock.now, began=clock.now())
        search = Search(workshop, fold, number, budget, journal, seed)
        held = _held(workshop.domain, candidates)
        search.run(candidates, held, JUDGING * share if math.isfinite(share) else 0.0)
        failure = next((s.error for s in search.standings if s.candidate in candidates and s.error), None)
        if keep and failure is not None:
            raise failure
        search.scratch_control(SCRATCH * budget.left if math.isfinite(budget.left) else math.inf)
        opened.append(open_test(search, 0.0))
        trials += [s.trial for s in search.standings if s.trial is not None]
    return opened, trials


def working(clock: Budget, opening: float) -> Budget:
    """The budget less what comes after the last prediction: evidence, report, and the proof in a new process, which
    must open again what took this one `opening` seconds."""
    if clock.seconds is None:
        return clock
    proof = max(CLOSING[0], OPENING[0] + min(opening, OPENING[1]))
    return replace(clock, seconds=clock.seconds - proof - CLOSING[1] * clock.seconds)


def _verdict(
    domain: Domain, judgement: Judgement, by_role: Mapping[str, np.ndarray], opened: Sequence[Opened], keep: str
) -> tuple[str, list[Finding], dict[str, Any]]:
    """Which role is delivered, all findings about it, and the gain of transfer.

    Choice is by validation; where the test then shows that transfer lost, the control that won is delivered. `keep`
    names the role of the one recipe that was asked for, which is delivered however it fares.
    """
    votes = [o.chosen for o in opened if o.chosen in by_role] or list(by_role)
    role = keep or max(set(votes), key=votes.count)
    gain = transfer_gain(judgement, by_role, role)
    if gain["verdict"] == "loss" and not keep:
        role = gain["against"]
        gain = transfer_gain(judgement, by_role, role)
    if len(opened) == 1 or keep or gain["verdict"] == "loss":
        judgement = seen_as(domain, judgement, opened, role)
    return role, evaluate_all(judgement), gain


def _final(
    workshop: Workshop, opened: Sequence[Opened], role: str, seed: int, clock: Budget
) -> tuple[Attempt, Recipe, str]:
    """The model to deliver, its recipe, and what it saw: the model that was tested ("fold"), or with several folds the
    recipe that did best over them, trained on all rows ("all rows") where there is time for that."""
    fold = steadiest(opened, role)
    standing, tested = fold.winners[role], fold.finals[role]
    if len(opened) == 1:
        return tested, standing.candidate.recipe, "fold"
    room = max(1.0, clock.left)
    made, whole = whole_or(tested, workshop, standing, np.arange(len(workshop.domain)), seed, room)
    return made, standing.candidate.recipe, "all rows" if whole else "fold"


def _deliver(
    domain: Domain,
    attempt: Attempt,
    recipe: Recipe,
    record: dict[str, Any],
    findings: Sequence[Finding],
    folder: Path,
) -> Result:
    """Write the artifact, after proof that it reloads to the same predictions."""
    predictor = attempt.predictor
    assert predictor is not None
    files: Mapping[str, bytes] = {}
    if isinstance(predictor, ModelPredictor):
        files = predictor.model.body.files() if predictor.complete else {}
        card = predictor.model.body.card
        record["source"] = {k: card[k] for k in ("licence", "sha256", "origin") if card.get(k)}
    temperature = next((f.data["temperature"] for f in findings if "temperature" in f.data), None)
    rows = domain.folds[0].test[:PARITY_ROWS]
    adapted = save(
        folder,
        Delivery(
            predictor=predictor,
            task=domain.task,
            modality=domain.modality,
            recipe=recipe,
            reading=domain.reading,
            evidence=record,
            render=render,
            temperature=temperature,
            source_files=files,
            adapter=attempt.adapter,
            private=private(recipe),
        ),
        list(domain.examples(rows)),
    )
    return Result(path=folder, adapted=adapted, evidence=adapted.evidence)


def _candidates(domain: Domain, sources: Sequence[str] | None) -> list[Candidate]:
    """What is worth trying on the given sources, or on all that are at hand."""
    addresses = list(sources) if sources is not None else default_sources(domain)
    return propose(domain, [readable(a, domain, weights=sources is not None) for a in addresses])


def _asked(recipes: Sequence[Recipe], domain: Domain) -> list[Candidate]:
    """Recipes that a person named, their sources opened before anything else, so that a misfit costs no time."""
    for recipe in {r.source: r for r in recipes}.values():
        if recipe.source.startswith("rival:"):
            rival_of(recipe, domain)
        else:
            readable(recipe.source, domain, weights=True)
    return [Candidate(recipe=r, reason=ASKED, role=_role(r)) for r in recipes]


def _held(domain: Domain, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The controls that are tried beside the candidates: none twice, and a lone control stands for its role's own."""
    asked = [c.recipe for c in candidates]
    lone = candidates[0].role if len(candidates) == 1 else ""
    return [c for c in controls(domain) if c.recipe not in asked and c.role != lone]


def _role(recipe: Recipe) -> str:
    """The part a recipe plays by its source: only one that carries knowledge is a candidate for transfer."""
    if recipe.source.startswith("scratch:"):
        return "scratch"
    if recipe.source.startswith("rival:"):
        return "trivial" if recipe.source == "rival:trivial" else "rival"
    return "candidate"


def _destination(domain: Domain, out: str | Path | None) -> Path:
    """Where the artifact goes, checked before any work is done."""
    folder = Path(out) if out is not None else Path("landbridge-runs") / domain.name
    check_destination(folder)
    return folder


def _checked(domain: Domain, progress: Progress) -> tuple[Domain, list[dict[str, Any]]]:
    """The domain without rows that stand on both sides of a split, and the checks of the data."""
    progress(Tick(stage="check", detail="duplicates across splits"))
    pairs = find_duplicates(domain)
    return without_duplicates(domain, pairs), _checks(domain, pairs)


def _open(workshop: Workshop, recipe: Recipe) -> None:
    """Open what a recipe starts from and let it read some examples, as its training would."""
    if recipe.source.startswith("rival:"):
        rival_of(recipe, workshop.domain)
        return
    pair = workshop.domain.folds[0].pairs[0]
    rows = np.sort(np.concatenate([pair.train, pair.validation]))
    workshop.lend(workshop.road(recipe.source, recipe.bridge, rows), workshop.seed)


def _domain(data: str | Path | Domain, seed: int, progress: Progress) -> Domain:
    if isinstance(data, Domain):
        return data
    progress(Tick(stage="read", detail=str(data)))
    return read(data, seed=seed)


def _checks(domain: Domain, pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
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


def _python_command(domain: Domain, folder: Path, seed: int) -> str:
    return f"landbridge.run({domain.name!r}, out={folder.name!r}, seed={seed})"


def evaluate(artifact: str | Path, data: str | Path, *, seed: int = 0) -> dict[str, Any]:
    """The `test` block of an artifact on new labelled data: metric, value, interval, and all other findings."""
    adapted = load(artifact)
    labelled = read_labelled(data, adapted.reading, adapted.task)
    output = adapted.output(adapted.modality.decode(cell) for cell in labelled.cells)
    rows = np.arange(len(output))
    judgement = Judgement(
        task=adapted.task,
        rows=rows,
        target=labelled.targets,
        output=output,
        controls={},
        validation_target=labelled.targets[:0],
        validation_output=output[:0],
        labels=list(labelled.names),
        seed=seed,
    )
    performance = registry.find("evidence", "performance")()
    findings = [f for f in performance.findings(judgement) if f.name.startswith("test.")]
    metric = adapted.task.metric
    others = {f.name.removeprefix("test."): {"value": f.value, "interval": f.interval} for f in findings}
    return plain(
        {"metric": metric, **measured(findings, f"test.{metric}"), "opened": 0, "rows": len(output), "metrics": others}
    )
