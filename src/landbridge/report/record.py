"""The evidence record: one JSON object from which the page, the card and `run --json` are all made."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from landbridge.core.domain import Domain
from landbridge.core.finding import Finding, Judgement, Trial
from landbridge.core.recipe import Recipe

LIBRARIES = ("landbridge", "torch", "transformers", "datasets", "peft", "scikit-learn", "numpy", "scipy", "safetensors")


def domain_block(domain: Domain) -> dict[str, Any]:
    """What the data is: counts of the first fold, and of classes."""
    fold = domain.folds[0]
    pair = fold.pairs[0]
    regression = domain.task.part_name == "regress"
    return {
        "modality": domain.modality.part_name,
        "task": domain.task.part_name,
        "train": len(pair.train),
        "validation": len(pair.validation),
        "test": len(fold.test) if len(domain.folds) == 1 else sum(len(f.test) for f in domain.folds),
        "classes": None if regression else domain.task.outputs,
        "rows": len(domain),
        "folds": len(domain.folds),
        "pairs": len(fold.pairs),
        "grouped": domain.groups is not None,
        "facts": dict(domain.facts),
    }


def find(findings: Sequence[Finding], name: str) -> Finding | None:
    """The finding of that name."""
    return next((f for f in findings if f.name == name), None)


def measured(findings: Sequence[Finding], name: str) -> dict[str, Any]:
    """Value and interval of a finding, as the contract for machines writes them."""
    found = find(findings, name)
    assert found is not None and found.value is not None and found.interval is not None, name
    return {"value": found.value, "interval": list(found.interval)}


def assemble(
    *,
    domain: Domain,
    chosen: Recipe,
    name: str,
    members: Mapping[str, Recipe],
    mean: str,
    role: str,
    judgement: Judgement,
    findings: Sequence[Finding],
    gain: Mapping[str, Any],
    trials: Sequence[Trial],
    checks: Sequence[Mapping[str, Any]],
    command: str,
    seed: int,
    budget: float | None,
    opened: int,
    device: str,
) -> dict[str, Any]:
    """The record but for what is known last: seconds, parity, mistakes' pictures. `members` are the recipes, by name,
    of which the chosen is the mean, of weights or answers as `mean` says."""
    metric = domain.task.metric
    parts = [{"name": n, "recipe": r.to_json(), "options": r.command} for n, r in members.items()]
    options = "" if parts else chosen.command  # no single fit makes a mean
    told = {"name": name, "recipe": chosen.to_json(), "role": role, "options": options, "members": parts}
    return {
        "schema": 1,
        "name": domain.name,
        "domain": domain_block(domain),
        "chosen": told | ({"mean": mean} if parts else {}),
        "test": {"metric": metric, **measured(findings, f"test.{metric}"), "opened": opened},
        "controls": [{"name": name, **measured(findings, f"control.{name}.{metric}")} for name in judgement.controls],
        "gain": dict(gain),
        "trials": [t.to_json() for t in trials],
        "plan": [{"name": t.name, "reason": t.reason, "role": t.role} for t in trials],
        "checks": [dict(c) for c in checks],
        "assumptions": [{"what": a.what, "because": a.because, "option": a.option} for a in domain.assumptions],
        "findings": [f.to_json() for f in findings],
        "environment": environment(device),
        "command": command,
        "seed": seed,
        "budget_s": budget,
    }


def environment(device: str) -> dict[str, Any]:
    """Versions and machine, without names or paths."""
    found: dict[str, Any] = {"python": platform.python_version(), "system": platform.system(), "device": device}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found | {"machine": platform.machine(), "threads": torch.get_num_threads()}


def plain(value: Any) -> Any:
    """NumPy numbers, tuples and infinities as JSON has them; NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
