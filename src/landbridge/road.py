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
from landbridge.core.errors import UsageError
from landbridge.core.finding import Finding, Judgement, Trial
from landbridge.core.progress import Progress, Tick, silent
from landbridge.core.recipe import Recipe
from landbridge.delivery.artifact import Adapted, Delivery, load, save
from landbridge.delivery.destination import destination
from landbridge.engine.attempt import Attempt
from landbridge.engine.cache import shared_cache
from landbridge.engine.journal import Journal, state_folder
from landbridge.engine.precision import pick_device
from landbridge.engine.predictor import first_model, source_files
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import Candidate
from landbridge.planning.judge import TRANSFER, Opened, open_test, pool, seen_as, steadiest, whole_or
from landbridge.planning.nearness.remember import remembered
from landbridge.planning.opening import asked_for, budget_of, candidates_of, checked, domain_of, held
from landbridge.planning.search import Search, refits
from landbridge.planning.sharing import closing, for_scratch, kept
from landbridge.planning.sources import default_sources
from landbridge.reading.inputs import read_labelled
from landbridge.report.judgement import evaluate_all, fold_by_fold, transfer_gain
from landbridge.report.mistakes import with_pictures
from landbridge.report.page import render
from landbridge.report.record import assemble, measured, plain
from landbridge.unlabelled_road import adapted as learnt_on
from landbridge.unlabelled_road import private

DEFAULT_BUDGET = "10m"
PARITY_ROWS = 32
REMEMBERING = (2.0, 0.01)  # seconds and share of the budget for reading rows by which the target is remembered


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
    clock, size = budget_of(budget), parse_size(cache_size)
    domain, more = domain_of(data, seed, progress), dict[str, Any]()
    if unlabelled is not None:
        folder, sources = destination(domain, out), list(sources or default_sources(domain))
        beside, first = folder.with_name(f"{folder.name}-pretrained"), next(iter(sources), None)
        given = {"clock": clock, "out": beside, "seed": seed, "device": device, "progress": progress}
        more = learnt_on(domain, unlabelled, first, **given)
        sources += [more["address"]] if more["pays"] else []
    candidates = candidates_of(domain, sources)
    return _walk(domain, candidates, clock, out, seed, device, size, progress, command, more=more)


def compare(
    data: str | Path | Domain,
    recipes: Sequence[Recipe] | None = None,
    *,
    sources: Sequence[str] | None = None,
    budget: str | float | Budget | None = DEFAULT_BUDGET,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    cache_size: str | int = DEFAULT_SIZE,
    progress: Progress = silent,
    command: str = "",
) -> Result:
    """Compare the given recipes, or those that `run` would try with `sources`, with each other and with the controls.

    Unlike `run` it stays with them: time that is left goes to no neighbours of the best and to no mean of several.
    """
    if recipes is not None and sources is not None:
        raise UsageError("a recipe names its own source; leave out sources, or leave out recipes")
    clock, size = budget_of(budget), parse_size(cache_size)
    domain = domain_of(data, seed, progress)
    candidates = candidates_of(domain, sources) if recipes is None else asked_for(recipes, domain)
    return _walk(domain, candidates, clock, out, seed, device, size, progress, command, further=False)


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
    clock, size = budget_of(budget), parse_size(cache_size)
    domain = domain_of(data, seed, progress)
    return _walk(domain, asked_for([recipe], domain), clock, out, seed, device, size, progress, command, keep=True)


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
    further: bool = True,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Result:
    """Check, compare, judge, report and save; an interrupted walk goes on from its journal."""
    torch.manual_seed(seed)
    work = working(clock, clock.spent)
    folder = destination(domain, out)
    state = state_folder(folder)
    domain, checks = checked(domain, progress)
    if more:
        checks.append({"name": "unlabelled data", "found": more["examples"], "detail": more["detail"]})
    with tempfile.TemporaryDirectory(prefix="landbridge-") as cache, Journal(state) as journal:
        workshop = Workshop(
            domain, device=pick_device(device), folder=Path(cache), seed=seed, progress=progress,
            cache=shared_cache(size),
        )  # fmt: skip
        opened, trials = _folds(workshop, candidates, work, journal, seed, keep, further)
        judgement, by_role = pool(domain, opened, seed)
        asked = {"candidate": TRANSFER}.get(candidates[0].role, candidates[0].role) if keep else ""
        role, findings, gain = _verdict(domain, judgement, by_role, opened, asked)
        attempt, chosen, refit = _final(workshop, opened, role, seed, work)
        recipe = chosen.recipe
        progress(Tick(stage="report", detail="evidence, report, artifact"))
        record = assemble(
            domain=domain,
            chosen=recipe,
            name=chosen.name,
            members={m.name: m.recipe for m in chosen.members},
            mean=chosen.mean,
            role=role,
            judgement=judgement,
            findings=findings,
            gain=gain,
            trials=trials,
            checks=[*checks, *workshop.learnt()],
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
        record["remembered"], target = _remember(workshop, attempt, recipe, steadiest(opened, role), refit, clock)
        record["seconds"] = clock.spent
        result = _deliver(domain, attempt, recipe, plain(record), findings, folder, target)
    shutil.rmtree(state, ignore_errors=True)
    return result


def _folds(
    workshop: Workshop,
    candidates: Sequence[Candidate],
    clock: Budget,
    journal: Journal,
    seed: int,
    keep: bool,
    further: bool,
) -> tuple[list[Opened], list[Trial]]:
    """Search and open every fold, each with its share of the time; `keep` makes a recipe's failure the run's own, and
    `further` goes beyond the candidates where time is left."""
    opened: list[Opened] = []
    trials: list[Trial] = []
    folds = workshop.domain.folds
    for number, fold in enumerate(folds):
        share = clock.left / (len(folds) - number)
        budget = Budget(seconds=None if math.isinf(share) else max(1.0, share), now=clock.now, began=clock.now())
        beyond = {"climbs": further, "soups": further, "ensembles": further}
        search = Search(workshop, fold, number, budget, journal, seed, **beyond)
        controls = held(workshop.domain, candidates)
        again = refits(fold)
        search.run(candidates, controls, kept(share, again) if math.isfinite(share) else 0.0)
        failure = next((s.error for s in search.standings if s.candidate in candidates and s.error), None)
        if keep and failure is not None:
            raise failure
        search.scratch_control(for_scratch(budget.left, again) if math.isfinite(budget.left) else math.inf)
        opened.append(open_test(search, 0.0))
        trials += [s.trial for s in search.standings if s.trial is not None]
    return opened, trials


def working(clock: Budget, opening: float) -> Budget:
    """The budget less what comes after the last prediction: evidence, report, and the proof in a new process, which
    must open again what took this one `opening` seconds."""
    return clock if clock.seconds is None else replace(clock, seconds=clock.seconds - closing(clock.seconds, opening))


def _verdict(
    domain: Domain, judgement: Judgement, by_role: Mapping[str, np.ndarray], opened: Sequence[Opened], keep: str
) -> tuple[str, list[Finding], dict[str, Any]]:
    """Which role is delivered, all findings about it, and the gain of transfer.

    Choice is by validation; where the test then shows that transfer lost, the control that won is delivered. `keep`
    names the role of the one recipe that was asked for, which is delivered however it fares. With several folds, whose
    votes may differ, what they come to when each follows its own is told beside it.
    """
    votes = [o.chosen for o in opened if o.chosen in by_role] or list(by_role)
    role = keep or max(set(votes), key=votes.count)
    gain = transfer_gain(judgement, by_role, role)
    if gain["verdict"] == "loss" and not keep:
        role = gain["against"]
    if role != TRANSFER and "transfer" in gain:  # what is delivered is what transfer is held against
        gain = transfer_gain(judgement, by_role, role, role)
        gain["transfer"]["name"] = steadiest(opened, TRANSFER).winners[TRANSFER].candidate.name
    followed = [] if keep or set(votes) == {role} else [fold_by_fold(judgement, len(opened))]
    return role, evaluate_all(seen_as(domain, judgement, opened, role)) + followed, gain


def _final(
    workshop: Workshop, opened: Sequence[Opened], role: str, seed: int, clock: Budget
) -> tuple[Attempt, Candidate, str]:
    """The model to deliver, the candidate whose recipe made it, and what it saw: the model that was tested ("fold"), or
    with several folds the recipe that did best over them, trained on all rows ("all rows") where there is time."""
    fold = steadiest(opened, role)
    standing, tested = fold.winners[role], fold.finals[role]
    if len(opened) == 1:
        return tested, standing.candidate, "fold"
    room = max(1.0, clock.left)
    made, whole = whole_or(tested, workshop, standing, np.arange(len(workshop.domain)), seed, room)
    return made, standing.candidate, "all rows" if whole else "fold"


def _remember(
    workshop: Workshop, attempt: Attempt, recipe: Recipe, tested: Opened, refit: str, clock: Budget
) -> tuple[dict[str, Any], bytes | None]:
    """The moments of the rows that the delivered model was trained on, in the features of its source."""
    rows = np.arange(len(workshop.domain)) if refit == "all rows" else tested.fold.rest
    model = first_model(attempt.predictor)
    seconds = REMEMBERING[0] + REMEMBERING[1] * (clock.seconds if clock.seconds is not None else math.inf)
    return remembered(workshop, recipe, {} if model is None else model.facts, rows, seconds)


def _deliver(
    domain: Domain,
    attempt: Attempt,
    recipe: Recipe,
    record: dict[str, Any],
    findings: Sequence[Finding],
    folder: Path,
    target: bytes | None,
) -> Result:
    """Write the artifact, after proof that it reloads to the same predictions."""
    predictor = attempt.predictor
    assert predictor is not None
    model = first_model(predictor)
    if model is not None:
        card = model.model.body.card
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
            source_files=source_files(predictor),
            adapter=attempt.adapter,
            target=target,
            private=private(recipe),
        ),
        list(domain.examples(rows)),
    )
    return Result(path=folder, adapted=adapted, evidence=adapted.evidence)


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
