"""From outputs on the test rows to findings: every registered evaluator is asked, and the gain of transfer is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from landbridge.core import registry
from landbridge.core.finding import Finding, Judgement

WORDS = {
    "gain": "Transfer paid",
    "no difference": "Transfer made no difference that these test rows can show",
    "loss": "Transfer did not pay",
}


def evaluate_all(judgement: Judgement) -> list[Finding]:
    """The findings of all registered evaluators, performance first."""
    names = sorted(registry.names("evidence"), key=lambda n: (n != "performance", n != "gain"))
    return [f for name in names for f in registry.find("evidence", name)().findings(judgement)]


def transfer_gain(judgement: Judgement, by_role: Mapping[str, np.ndarray], role: str) -> dict[str, Any]:
    """The gain of the best transfer recipe over the best control, whichever of them was chosen, with a headline."""
    transfer = by_role.get("transfer")
    metric = judgement.task.metric
    chosen = judgement.task.score(by_role[role], judgement.target)
    title = f"{metric.replace('_', ' ')} {chosen:.3f}"
    if transfer is None:
        headline = f"No transfer recipe could be tried in the time given; the best control ({role}) has {title}."
        none = {"value": 0.0, "interval": [0.0, 0.0], "against": role, "verdict": "no difference", "controls": {}}
        return none | {"headline": headline}
    asked = replace(judgement, output=transfer)
    found = next(iter(registry.find("evidence", "gain")().findings(asked)))
    low, high = found.interval or (found.value, found.value)
    verdict = str(found.data["verdict"])
    against = str(found.data["against"])
    gap = f"{found.value:+.3f} [{low:+.3f}, {high:+.3f}] against the best control ({against})"
    if role == "transfer":
        headline = f"{WORDS[verdict]}: {title}, {gap}."
    else:
        reason = WORDS["loss"] if verdict != "gain" else "Transfer looked worse on validation"
        headline = f"{reason}: the {role} control was chosen with {title}; transfer stands at {gap}."
    return {
        "value": found.value,
        "interval": [low, high],
        "against": against,
        "verdict": verdict,
        "controls": dict(found.data["controls"]),
        "headline": headline,
    }
