"""The report: one HTML file that opens offline, drawn from the evidence and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from landbridge.report import sections, words
from landbridge.report.judged import calibration, confusion

CAP = 5_000_000  # bytes of the page, never more
_MISTAKES = (36, 24, 12, 4, 0)  # tried in turn until the page is below the cap
_ROWS = (2000, 500, 100, 20)


def render(evidence: Mapping[str, Any]) -> str:
    """The page as HTML, under 5 MB: where it would be larger, mistakes and long tables are cut, and it says so.

    A pure function of the evidence JSON. Everything that comes from the data is escaped, thumbnails pass an allow-list,
    and the page forbids itself network access and any script but its own (content security policy).
    """
    tries = [(m, _ROWS[0]) for m in _MISTAKES] + [(0, r) for r in _ROWS[1:]]
    page = ""
    for most_mistakes, most_rows in tries:
        page = _page(evidence, most_mistakes, most_rows)
        if len(page.encode()) <= CAP:
            break
    return page


def _page(evidence: Mapping[str, Any], most_mistakes: int, most_rows: int) -> str:
    part = _shortened(evidence, most_rows)
    context = {
        "name": words.clip(evidence.get("name") or "report", 120),
        "domain": evidence["domain"],
        "test": evidence["test"],
        "chosen": evidence["chosen"],
        "verdict": sections.verdict(evidence),
        "controls": sections.controls(evidence),
        "trials": sections.trials(part),
        "plan": sections.plan(part),
        "curves": sections.curves(part),
        "mistakes": sections.mistakes(evidence, most_mistakes),
        "classes": sections.classes(evidence, most_rows),
        "slices": sections.slices(evidence, most_rows),
        "metrics": sections.metrics(evidence),
        "calibration": calibration(evidence),
        "confusion": confusion(evidence),
        "others": sections.others(evidence),
        "checks": part.get("checks", []),
        "assumptions": part.get("assumptions", []),
        "environment": evidence.get("environment", {}),
        "parity": evidence.get("parity") or {},
        "source": evidence.get("source") or {},
        "command": evidence.get("command", ""),
        "seed": evidence.get("seed"),
        "seconds": evidence.get("seconds"),
        "budget": evidence.get("budget_s"),
        "recipe": json.dumps(evidence["chosen"].get("recipe", {}), indent=2)[:20_000],
        "cut": {"mistakes": max(0, len(evidence.get("mistakes", [])) - most_mistakes), "rows": most_rows},
    }
    return _template().render(context)


def _shortened(evidence: Mapping[str, Any], most: int) -> dict[str, Any]:
    """The evidence with its long lists cut, the best trials kept."""
    trials = sorted(
        evidence.get("trials", []),
        key=lambda t: -(t["validation"] if t.get("validation") is not None else float("-inf")),
    )
    lists = {k: list(evidence.get(k, []))[:most] for k in ("plan", "checks", "assumptions")}
    return {**evidence, **lists, "trials": trials[:most]}


@cache
def _template() -> Any:
    room = files("landbridge.report")
    style, script = (room.joinpath(n).read_text(encoding="utf-8") for n in ("page.css", "page.js"))
    sources = {"page.html": room.joinpath("page.html").read_text(encoding="utf-8")}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": words.number,
        "signed": words.signed,
        "range": words.interval,
        "percent": words.percent,
        "seconds": words.seconds,
        "amount": words.amount,
        "clip": words.clip,
        "answer": words.answer,
        "metric": words.metric_name,
    }
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {"style": Markup(style), "script": Markup(script), "script_sha256": Markup(digest)}
    return environment.get_template("page.html")
