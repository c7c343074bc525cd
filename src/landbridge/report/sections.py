"""From the evidence to what each part of the page shows: plain rows with their drawings, nothing computed anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from landbridge.report import figures
from landbridge.report.inert import inert
from landbridge.report.words import clip, interval, metric_name, number, percent, seconds, signed

Evidence = Mapping[str, Any]
Row = dict[str, Any]
MOST_STRIPS = 60  # rows with a drawing in one table; the others have their numbers
MOST_CURVES = 9
READABLE = 20  # classes that a confusion matrix can show


def verdict(evidence: Evidence) -> Row:
    """The tone of the page's first lines and the three big numbers."""
    gain, test = evidence.get("gain") or {}, evidence["test"]
    told = str(gain.get("verdict", ""))
    role = str(evidence["chosen"].get("role", "transfer"))
    tried = gain.get("controls") != {}  # empty where no source could read the data
    lost = tried and (told == "loss" or (role != "transfer" and told != "gain"))
    tone = "bad" if lost else "good" if told == "gain" else "plain"
    cards = [
        {
            "label": f"{metric_name(test['metric'])} on test",
            "value": number(test.get("value")),
            "range": interval(test.get("interval")),
            "tone": "",
        }
    ]
    if tried and gain.get("value") is not None:
        cards.append(
            {
                "label": f"gain over {clip(gain.get('against', 'the best control'), 40)}",
                "value": signed(gain["value"]),
                "range": interval(gain.get("interval")),
                "tone": tone,
            }
        )
    budget = evidence.get("budget_s")
    within = f"of {seconds(budget)} allowed" if budget else f"{len(evidence.get('trials', []))} trials"
    cards.append({"label": "whole run", "value": seconds(evidence.get("seconds")), "range": within, "tone": ""})
    doing = {"classify": "classification", "multilabel": "tagging", "regress": "regression"}
    task = str(evidence["domain"]["task"])
    kind = f"{clip(evidence['domain']['modality'], 40)} {doing.get(task, clip(task, 40))}"
    rival = str((evidence["chosen"].get("recipe") or {}).get("source", "")).startswith("rival:")
    banner = (
        "The model in this artifact is the control that won."
        if rival or role != "transfer"
        else "A control without transfer was better: use it instead, see the comparison."
    )
    return {
        "kind": kind,
        "banner": banner,
        "tone": tone,
        "headline": clip(evidence.get("headline") or "No headline was written.", 400),
        "cards": cards,
    }


def controls(evidence: Evidence) -> Row:
    """The chosen model, the best of transfer where a control was chosen, and every other control on the same test rows,
    best first."""
    test, transfer = evidence["test"], (evidence.get("gain") or {}).get("transfer") or {}
    rows = [{"name": evidence["chosen"]["name"], "tag": "chosen", **_measured(test)}]
    if transfer.get("name"):
        rows.append({"name": transfer["name"], "tag": "transfer", **_measured(transfer)})
    others = [c for c in evidence.get("controls", []) if c["name"] != evidence["chosen"].get("role")]
    rows += [{"name": c["name"], "tag": "control", **_measured(c)} for c in others]
    rows = [{**row, "chosen": row["tag"] == "chosen"} for row in rows]
    return _stripped(rows, mark=test.get("value"), title=metric_name(test["metric"]))


def trials(evidence: Evidence) -> Row:
    """Every recipe that was tried, by its validation score, with what it cost and why it ended."""
    chosen = evidence["chosen"]["name"]
    rows = []
    for runs in _runs(evidence):
        trial, scores = runs[0], [t["validation"] for t in runs if t.get("validation") is not None]
        mean = sum(scores) / len(scores) if scores else None
        bounds = trial.get("interval") if len(runs) == 1 else [min(scores), max(scores)] if len(scores) > 1 else None
        rows.append(
            {
                **_measured({"value": mean, "interval": bounds}),
                "name": trial["name"],
                "runs": len(runs),
                "chosen": trial["name"] == chosen,
                "role": trial.get("role", "candidate"),
                "seconds": sum(t.get("seconds", 0.0) for t in runs),
                "peak_mb": max(t.get("peak_mb", 0.0) for t in runs),
                "trainable": trial.get("trainable", 0),
                "total": trial.get("total", 0),
                "status": ", ".join(dict.fromkeys(t.get("status", "") for t in runs)),
                "reason": clip(trial.get("reason") or "", 200),
                "foretold": (foretold := _foretold(runs)),
                "predicted": None if foretold is None else foretold["seconds"],
            }
        )
    shown = _stripped(rows, title=metric_name(evidence["test"]["metric"]))
    shown["foretold"] = any(r["foretold"] for r in rows)
    spent = sorted(((r["name"], float(r["seconds"])) for r in rows), key=lambda pair: -pair[1])
    shown["bar"] = figures.shares(spent[:60]) if spent else ""
    return shown


def _foretold(runs: Sequence[Mapping[str, Any]]) -> Row | None:
    """What the plan expected of a recipe, the mean over folds; None where nothing was foretold."""
    told = [t["predicted"] for t in runs if t.get("predicted")]
    if not told:
        return None
    known = [t["seconds"] for t in told if t.get("seconds") is not None]
    return {
        "value": sum(t["value"] for t in told) / len(told),
        "interval": [sum(t["interval"][side] for t in told) / len(told) for side in (0, 1)],
        "seconds": sum(known) if len(known) == len(told) else None,
    }


def _runs(evidence: Evidence) -> list[list[Mapping[str, Any]]]:
    """Trials of one recipe in one role over folds and repeated splits, together."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for trial in evidence.get("trials", []):
        found.setdefault((trial["name"], trial.get("role", "")), []).append(trial)
    return list(found.values())


def plan(evidence: Evidence) -> list[Mapping[str, Any]]:
    """Each planned recipe once, with the reason that put it on the list."""
    found = {p["name"]: p for p in reversed(evidence.get("plan", [])) if p.get("reason")}
    return list(reversed(found.values()))


def curves(evidence: Evidence) -> list[Row]:
    """Learning curves of the trials that took steps, the best first, all on one scale."""
    found = [t for t in evidence.get("trials", []) if len(t.get("curve") or []) > 1]
    found.sort(key=lambda t: -(t["validation"] if t.get("validation") is not None else float("-inf")))
    drawn = found[:MOST_CURVES]
    scale = figures.spanning((p.get("validation") for t in drawn for p in t["curve"]), 92, 20)
    return [
        {
            "name": t["name"],
            "status": t.get("status", ""),
            "svg": figures.curves(t["curve"], scale, clip(t["name"], 80)),
        }
        for t in drawn
    ]


def mistakes(evidence: Evidence, most: int) -> list[Row]:
    """The worst mistakes, each shown."""
    return [
        {
            "label": m.get("label", ""),
            "truth": m.get("truth", ""),
            "predicted": m.get("predicted", ""),
            "confidence": percent(m["confidence"]) if m.get("confidence") is not None else "",
            "residual": number(m.get("residual")) if m.get("residual") is not None else "",
            "html": inert(str(m.get("html", ""))),
        }
        for m in evidence.get("mistakes", [])[:most]
    ]


def classes(evidence: Evidence, most: int) -> Row:
    """F1 of each class with precision, recall and support, the lowest first."""
    rows = []
    for finding in _starting(evidence, "classes."):
        data = finding.get("data") or {}
        numbers = {key: number(data.get(key)) for key in ("precision", "recall")}
        ranges = {f"{key}_range": interval(data.get(f"{key}_interval")) for key in ("precision", "recall")}
        name = data.get("class", finding["name"].removeprefix("classes."))
        rows.append({**_part(finding), **numbers, **ranges, "name": name, "support": data.get("support")})
    return _listed(rows, most, "F1")


def slices(evidence: Evidence, most: int) -> Row:
    """The primary metric in each part of the data, and its gap to all other rows, the widest gap first."""
    rows = []
    for finding in _starting(evidence, "slices."):
        data = finding.get("data") or {}
        gap = {"gap": signed(data.get("gap")), "gap_range": interval(data.get("gap_interval"))}
        name = finding["name"].removeprefix("slices.")
        rows.append({**_part(finding), **gap, "name": name, "support": data.get("rows")})
    return _listed(rows, most, metric_name(evidence["test"]["metric"]))


def metrics(evidence: Evidence) -> list[Row]:
    """Every metric of the chosen model on the test rows."""
    found = [f for f in evidence.get("findings", []) if f["name"].startswith("test.")]
    return [
        {"name": metric_name(f["name"].removeprefix("test.")), **_measured(f), "how": f.get("how", "")} for f in found
    ]


def finding(evidence: Evidence, name: str) -> Mapping[str, Any] | None:
    """The finding of exactly this name."""
    return next((f for f in evidence.get("findings", []) if f["name"] == name), None)


def others(evidence: Evidence) -> list[Mapping[str, Any]]:
    """Findings that no other part of the page shows."""
    known = ("test.", "control.", "classes.", "slices.", "calibration.ece")
    named = {"gain", "confusion", "mistakes"}
    return [f for f in evidence.get("findings", []) if f["name"] not in named and not f["name"].startswith(known)][:60]


def _starting(evidence: Evidence, prefix: str) -> list[Mapping[str, Any]]:
    return [f for f in evidence.get("findings", []) if f["name"].startswith(prefix) and f.get("value") is not None]


def _part(finding: Mapping[str, Any]) -> Row:
    detail = clip(finding.get("detail", ""), 200)
    return {**_measured(finding), "severity": finding.get("severity", "note"), "detail": detail, "chosen": False}


def _listed(rows: list[Row], most: int, title: str) -> Row:
    rows.sort(key=lambda r: r["value"])
    shown = _stripped(rows[:most], best_first=False, title=title)
    return {**shown, "left_out": max(0, len(rows) - most)}


def _measured(entry: Mapping[str, Any]) -> Row:
    bounds = entry.get("interval")
    return {
        "value": entry.get("value"),
        "interval": bounds,
        "shown": number(entry.get("value")),
        "range": interval(bounds),
    }


def _stripped(rows: Sequence[Row], *, mark: float | None = None, best_first: bool = True, title: str = "") -> Row:
    """Rows with a strip each on one scale, sorted by value, rows without a value last."""
    order = sorted(
        rows, key=lambda r: (r["value"] is None, -(r["value"] or 0.0) if best_first else (r["value"] or 0.0))
    )
    scale = figures.strip_scale([(r["value"], r["interval"]) for r in order])
    drawn = [
        {
            **row,
            "strip": figures.strip(
                row["value"], row["interval"], scale, tone="chosen" if row["chosen"] else "", mark=mark
            )
            if position < MOST_STRIPS
            else "",
        }
        for position, row in enumerate(order)
    ]
    return {"rows": drawn, "axis": figures.axis(scale), "title": title}
