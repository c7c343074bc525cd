"""From outputs on the test rows to findings: every registered evaluator is asked, and the gain of transfer is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from landbridge.core import registry
from landbridge.core.finding import Finding, Judgement
from landbridge.evidence.gain import gain, sentence

TRANSFER = "transfer"


def evaluate_all(judgement: Judgement) -> list[Finding]:
    """The findings of all registered evaluators, performance first."""
    names = sorted(registry.names("evidence"), key=lambda n: (n != "performance", n != "gain"))
    return [f for name in names for f in registry.find("evidence", name)().findings(judgement)]


def transfer_gain(
    judgement: Judgement, by_role: Mapping[str, np.ndarray], role: str, against: str | None = None
) -> dict[str, Any]:
    """The gain of the best transfer recipe over `against`, by default the best control on the test, with a headline.

    `transfer` holds what that recipe reached on the test, whichever role was chosen.
    """
    metric = judgement.task.metric.replace("_", " ")
    chosen = judgement.task.score(by_role[role], judgement.target)
    transfer = by_role.get(TRANSFER)
    if transfer is None or not judgement.controls:
        headline = f"No transfer was tried: the {role} control has {metric} {chosen:.3f}."
        none = {"value": 0.0, "interval": [0.0, 0.0], "against": role, "verdict": "no difference", "controls": {}}
        return none | {"headline": headline}
    asked = replace(judgement, output=transfer)
    found, reached = gain(asked, against), _performance(asked)
    verdict = str(found.data["verdict"])
    value, interval = found.value or 0.0, found.interval or (0.0, 0.0)
    if role == TRANSFER:
        headline = sentence(reached, found)
    else:
        ends = f"{value:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"
        because = {
            "gain": f"the {role} control was better on validation, though on the test transfer gains",
            "no difference": f"transfer does not pay: the {role} control does as well without it, transfer differs by",
            "loss": f"transfer did not pay: the {role} control won, transfer loses",
        }[verdict]
        headline = f"{because[0].upper()}{because[1:]} {ends}; {metric} {chosen:.3f}."
    return {
        "value": value,
        "interval": list(interval),
        "against": str(found.data["against"]),
        "verdict": verdict,
        "transfer": {"value": reached.value, "interval": reached.interval},
        "controls": dict(found.data["controls"]),
        "headline": headline,
    }


def fold_by_fold(judgement: Judgement, folds: int) -> Finding:
    """What comes of following each fold's own choice between transfer and the controls, where folds do not agree."""
    found = _performance(judgement)
    how = f"{found.how}; in each of {folds} folds the choice that its own validation rows made"
    return replace(found, name="choice by fold", how=how, detail="folds chose differently; this follows each of them")


def _performance(judgement: Judgement) -> Finding:
    """The primary metric of a judgement."""
    return next(iter(registry.find("evidence", "performance")().findings(judgement)))
