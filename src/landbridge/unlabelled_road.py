"""The road without labels: read, let a source learn on by itself, and save it as a source."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from landbridge.core.artifact import MANIFEST, read_artifact
from landbridge.core.clock import Budget
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.progress import Progress, Tick, silent
from landbridge.core.recipe import Recipe
from landbridge.delivery.destination import check_destination
from landbridge.delivery.pretrained import save_source
from landbridge.engine.attempt import Attempt
from landbridge.engine.journal import Journal, state_folder
from landbridge.engine.precision import pick_device
from landbridge.engine.predictor import ModelPredictor
from landbridge.engine.workshop import Workshop
from landbridge.planning.opening import budget_of
from landbridge.planning.paying import paid
from landbridge.planning.pretraining import key_of, pretrained, pretraining
from landbridge.reading.unlabelled import pooled, read_unlabelled
from landbridge.report.record import domain_block, environment, plain

ADAPTING = 0.3  # of the time that is left may go to pretraining before other recipes are compared
CLOSING = (2.0, 0.05)  # seconds and share of the budget kept for writing, and for the proof that it opens again
PROOF_ROWS = 16


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A source that learnt on without labels; `address` is what `run` takes as its source."""

    path: Path
    evidence: Mapping[str, Any]

    @property
    def address(self) -> str:
        """`artifact:PATH`."""
        return f"artifact:{self.path}"

    def __repr__(self) -> str:
        loss = self.evidence["loss"]
        return f"<source {self.address}: loss {loss['first']:.4g} to {loss['last']:.4g}>"


def pretrain(
    data: str | Path | Domain,
    source: str,
    *,
    objective: str | None = None,
    tuning: str | None = None,
    bridge: str | None = None,
    epochs: int = 0,
    lr: float = 0.0,
    batch: int = 0,
    decay: float = 0.0,
    budget: str | float | Budget | None = "10m",
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
    command: str = "",
) -> Pretrained:
    """Let `source` learn on from `data` without labels; what is left in `out` is a source, `artifact:OUT`, for `run`.

    `data` is a path, or a domain from `landbridge.reading.unlabelled`; labels in it are never used. `objective` and
    `tuning` are parts as the command line spells them, such as `masked(share=0.75)`. What is not given is chosen by the
    data; `epochs` are cut to the `budget`. An interrupted call goes on from its last checkpoint when it is repeated.
    """
    clock = budget_of(budget)
    if not isinstance(data, Domain):
        progress(Tick(stage="read", detail=str(data)))
        data = read_unlabelled(data)
    length = {"epochs": epochs, "lr": lr, "batch": batch, "decay": decay}
    folder = Path(out) if out is not None else Path("landbridge-runs") / f"{data.name}-pretrained"
    check_destination(folder)
    progress(Tick(stage="open", detail=source))
    recipe = pretraining(data, source, objective=objective, tuning=tuning, bridge=bridge, **length)
    torch.manual_seed(seed)
    state = state_folder(folder)
    with tempfile.TemporaryDirectory(prefix="landbridge-") as cache, Journal(state) as journal:
        workshop = Workshop(data, device=pick_device(device), folder=Path(cache), seed=seed, progress=progress)
        checkpoint = journal.checkpoint(key_of(recipe, data, seed))
        resumed = any(state.glob(f"{checkpoint.name}.*"))
        rows = data.folds[0].rest
        done = pretrained(workshop, recipe, rows, _working(clock), seed, checkpoint)
        progress(Tick(stage="save", detail=str(folder)))
        assert isinstance(done.predictor, ModelPredictor)
        evidence = _evidence(data, recipe, done, seed, clock, str(workshop.device))
        evidence |= {
            "key": key_of(recipe, data, seed),
            "resumed": resumed,
            "command": command or f"landbridge.pretrain({data.name!r}, {source!r})",
        }
        sealed = save_source(
            folder, done.predictor, recipe=recipe, evidence=plain(evidence), reading=data.reading,
            examples=list(data.examples(rows[np.linspace(0, len(rows) - 1, min(PROOF_ROWS, len(rows))).astype(int)])),
            private=private(recipe),
        )  # fmt: skip
    shutil.rmtree(state, ignore_errors=True)
    return Pretrained(path=folder, evidence=sealed)


def adapted(
    domain: Domain,
    unlabelled: str | Path,
    source: str | None,
    *,
    clock: Budget,
    out: Path,
    seed: int,
    device: str,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Let `source` learn on from `unlabelled` and the domain's rows that are not test, and say whether it paid.

    What comes out lies in `out`, which an interrupted run takes up again. The answer is that of `paid`, with `address`,
    `detail` in words, and what it cost; the pretraining takes at most `ADAPTING` of the time.
    """
    if source is None:
        raise UsageError("--unlabelled: no source is at hand that could learn from it; name one with --source")
    began = clock.spent
    progress(Tick(stage="read", detail=str(unlabelled)))
    pool, known = pooled(domain, unlabelled)
    recipe, share = pretraining(pool, source), ADAPTING * clock.left
    made = _kept(out, key_of(recipe, pool, seed))
    if made is None:
        budget = Budget(seconds=None if math.isinf(share) else max(1.0, share), now=clock.now, began=clock.now())
        given = {"budget": budget, "out": out, "seed": seed, "device": device, "progress": progress}
        made = pretrain(pool, source, **given).evidence
    fold = domain.folds[0]
    with tempfile.TemporaryDirectory(prefix="landbridge-") as cache:
        workshop = Workshop(domain, device=pick_device(device), folder=Path(cache), seed=seed, progress=progress)
        found = paid(workshop, recipe, f"artifact:{out}", fold.rest, seed)
    how = "rose" if found["pays"] else "did not rise by more than its standard error"
    tried = "the pretrained source is tried as well" if found["pays"] else "the pretrained source is not tried"
    detail = (
        f"pretraining of {source} ({recipe.name}) on {len(pool)} examples, {made['epochs']:g} epochs: the probe's "
        f"{found['metric']} in cross-validation on {found['rows']} rows {how} ({found['before']:.3f} to "
        f"{found['after']:.3f}, standard error {found['standard_error']:.3f}), so {tried}"
    )
    facts = {"source": source, "examples": len(pool), "test_rows_left_out": known, "epochs": made["epochs"]}
    facts |= {"loss": made["loss"], "recipe": recipe.to_json(), "seconds": clock.spent - began}
    return {**found, **facts, "address": f"artifact:{out}", "detail": detail}


def _kept(out: Path, key: str) -> Mapping[str, Any] | None:
    """The evidence of a pretraining of the same recipe, data and seed that lies in `out` already."""
    if not (out / MANIFEST).is_file():
        return None
    evidence = read_artifact(out).document("evidence.json")
    return evidence if evidence.get("key") == key else None


def private(recipe: Recipe) -> list[Path]:
    """Folders of this machine that the artifact must not name."""
    local = Path(recipe.source.rpartition(":")[2])
    return [Path.cwd(), Path.home(), *([local.parent] if local.is_absolute() else [])]


def _working(clock: Budget) -> Budget:
    """The budget less what saving takes."""
    if clock.seconds is None:
        return clock
    return replace(clock, seconds=clock.seconds - CLOSING[0] - CLOSING[1] * clock.seconds)


def _evidence(domain: Domain, recipe: Recipe, done: Attempt, seed: int, clock: Budget, device: str) -> dict[str, Any]:
    """What was done and what it came to, as JSON."""
    block = {k: v for k, v in domain_block(domain).items() if k in ("modality", "rows", "facts")}
    losses = [point["loss"] for point in done.trial.curve if "loss" in point]
    return {
        "schema": 1,
        "name": domain.name,
        "domain": block,
        "assumptions": [vars(a) for a in domain.assumptions],
        "recipe": recipe.to_json(),
        "recipe_name": recipe.name,
        "epochs": done.trial.epochs,
        "loss": {"first": losses[0], "last": losses[-1]},
        "curve": done.trial.curve,
        "ended": done.trial.reason,
        "trainable": done.trial.trainable,
        "total": done.trial.total,
        "peak_mb": done.trial.peak_mb,
        "seconds": clock.spent,
        "seed": seed,
        "budget_s": clock.seconds,
        "environment": environment(device),
    }
