"""The model card: what a stranger must know before using the model, filled from the evidence alone (Mitchell 2019)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from landbridge.core.recipe import Recipe

_PIPELINES = {
    ("image", "classify"): "image-classification",
    ("text", "classify"): "text-classification",
    ("audio", "classify"): "audio-classification",
    ("table", "classify"): "tabular-classification",
    ("table", "regress"): "tabular-regression",
}
_MOST_ROWS = 40  # classes or slices in a table; the report has all


def render(evidence: Mapping[str, Any], recipe: Recipe) -> str:
    """The card as Markdown with the front matter that model hubs read; a pure function of evidence and recipe."""
    sections = [
        _front(evidence),
        f"# {_safe(evidence.get('name', 'adapted model'))}\n\n{_safe(evidence.get('headline', ''))}",
        _use(evidence),
        _data(evidence),
        _source(evidence, recipe),
        _results(evidence),
        _parts(evidence, "classes.", "Per class (F1)"),
        _parts(evidence, "slices.", "Per slice"),
        _limits(evidence),
        _reproduce(evidence, recipe),
    ]
    return "\n\n".join(s for s in sections if s) + "\n"


def _front(evidence: Mapping[str, Any]) -> str:
    domain = evidence["domain"]
    lines = ["library_name: landbridge", "tags:", "- transfer-learning", f"- {_word(domain['modality'])}"]
    pipeline = _PIPELINES.get((domain["modality"], domain["task"]))
    lines += [f"pipeline_tag: {pipeline}"] if pipeline else []
    licence = evidence.get("source", {}).get("licence")
    lines += [f"license: {_word(str(licence).lower())}"] if licence else []
    return "\n".join(["---", *lines, "---"])


def _use(evidence: Mapping[str, Any]) -> str:
    domain = evidence["domain"]
    what = {"classify": "one class", "multilabel": "any number of labels", "regress": "a number"}.get(
        domain["task"], "the target"
    )
    many = f" out of {domain['classes']}" if domain.get("classes") else ""
    return (
        "## Intended use\n\n"
        f"Predicts {what}{many} for one {domain['modality']} example of the kind it was adapted on. It was judged on "
        f"{domain['test']} held-out examples and on nothing else: for data from another place, time or device, judge "
        "it again with `landbridge eval ARTIFACT DATA` before use."
    )


def _data(evidence: Mapping[str, Any]) -> str:
    domain = evidence["domain"]
    rows = [("train", domain["train"]), ("validation", domain["validation"]), ("test", domain["test"])]
    text = "## Data\n\n" + _table(("split", "examples"), rows)
    found = [c for c in evidence.get("checks", []) if c.get("found")]
    if found:
        text += "\n\nFound in the data:\n\n" + "\n".join(
            f"- {_safe(c['name'])}: {c['found']} ({_safe(c['detail'])})" for c in found
        )
    assumed = evidence.get("assumptions", [])
    if assumed:
        text += "\n\nAssumed:\n\n" + "\n".join(
            f"- {_safe(a['what'])}, because {_safe(a['because'])} (`{_code(a['option'])}` overrules it)"
            for a in assumed
        )
    return text


def _source(evidence: Mapping[str, Any], recipe: Recipe) -> str:
    source = evidence.get("source", {})
    rows = [("recipe", f"`{_code(recipe.name)}`"), ("source", f"`{_code(recipe.source)}`")]
    chosen = evidence.get("chosen", {})
    if members := chosen.get("members"):
        rows.insert(
            0, (f"{chosen.get('mean', 'weights')}: the mean of {len(members)} models", f"`{_code(chosen['name'])}`")
        )
        rows[1] = ("recipe of the first", rows[1][1])
    names = {"licence": "licence of the source", "sha256": "sha256 of the source's weights", "origin": "origin"}
    rows += [(label, _safe(source[key])) for key, label in names.items() if source.get(key)]
    return "## Recipe and source\n\n" + _table(("", ""), rows)


def _results(evidence: Mapping[str, Any]) -> str:
    test, gain = evidence["test"], evidence.get("gain") or {}
    rows: list[tuple[Any, ...]] = [("this model", number(test["value"]), interval(test.get("interval")))]
    rows += [(c["name"], number(c["value"]), interval(c.get("interval"))) for c in evidence.get("controls", [])]
    text = (
        f"## Results\n\nMetric: {_safe(test['metric'])}, on the test split, opened {test.get('opened', 1)} time(s).\n\n"
    )
    text += _table(("", "value", "95 % interval"), rows)
    if gain.get("value") is not None:
        text += (
            f"\n\nGain over the best control ({_safe(gain['against'])}): {gain['value']:+.4f} "
            f"({interval(gain.get('interval'))}), verdict: **{_safe(gain['verdict'])}**."
        )
    return text


def _parts(evidence: Mapping[str, Any], prefix: str, title: str) -> str:
    found = [f for f in evidence.get("findings", []) if f["name"].startswith(prefix) and f.get("value") is not None]
    if not found:
        return ""
    worst = sorted(found, key=lambda f: f["value"])[:_MOST_ROWS]
    more = f"\n\nThe {_MOST_ROWS} lowest of {len(found)}; the report has all." if len(found) > len(worst) else ""
    rows = [(f["name"].removeprefix(prefix), number(f["value"]), interval(f.get("interval"))) for f in worst]
    return f"## {title}\n\n" + _table(("", "value", "95 % interval"), rows) + more


def _limits(evidence: Mapping[str, Any]) -> str:
    bad = [f for f in evidence.get("findings", []) if f.get("severity") in ("bad", "warning") and f.get("detail")]
    lines = [f"- {_safe(f['detail'])}" for f in bad[:20]]
    if (evidence.get("gain") or {}).get("verdict") == "loss":
        lines.insert(0, "- Transfer did not pay on this data: a control without it was better.")
    if evidence.get("held_rows"):
        lines.append(
            f"- The artifact holds {evidence['held_rows']} training rows: their labels, and their columns as scaled "
            "numbers, from which the values can nearly be read back. Pass it on only where those rows may go."
        )
    if evidence.get("held_features"):
        lines.append(
            f"- The head compares new inputs with the features of {evidence['held_features']} training examples, which "
            "the artifact holds: not the examples, but enough to recognise one of them. Pass it on with that in mind."
        )
    if rows := (evidence.get("remembered") or {}).get("rows"):
        lines.append(
            f"- The artifact remembers averages of the features of {rows} training examples, also class by class, so "
            "that other data can be held against them. No example can be read off them."
        )
    lines.append(
        "- An input of another kind than the training data still gets an answer; probabilities do not warn of it."
    )
    lines.append("- Intervals cover the choice of test examples, not a change of the world they come from.")
    return "## Limits\n\n" + "\n".join(lines)


def _reproduce(evidence: Mapping[str, Any], recipe: Recipe) -> str:
    command = evidence.get("command") or f"landbridge fit DATA {recipe.command}"
    versions = ", ".join(f"{k} {v}" for k, v in sorted(evidence.get("environment", {}).items()))
    use = _block("landbridge predict ARTIFACT INPUT...", "sh")
    text = f"## Reproduce\n\n{_block(str(command), 'sh')}\n\nUse it:\n\n{use}"
    parity = evidence.get("parity") or {}
    if parity.get("rows"):
        text += (
            f"\n\nThe written model was loaded again and compared on {parity['rows']} real rows: "
            f"largest difference {parity['max_difference']:.1e}."
        )
    return text + (f"\n\nMade with {_safe(versions)}, seed {evidence.get('seed', 0)}." if versions else "")


def number(value: float | None) -> str:
    """Four decimals for shares, four digits otherwise."""
    if value is None:
        return "n/a"
    return f"{value:.4f}" if abs(value) <= 1 else f"{value:.4g}"


def interval(bounds: Any) -> str:
    """Low to high, or nothing."""
    return f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""


def _table(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *[[_cell(c) for c in row] for row in rows]]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = str(value)
    return text if text.startswith("`") or isinstance(value, (int, float)) else _safe(text)


def _safe(value: Any) -> str:
    """Text of the data made inert in Markdown and in the HTML it becomes: one line, no markup, no links."""
    flat = " ".join(html.unescape(str(value)).split())
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", html.escape(flat, quote=False)).replace("://", ":&#47;&#47;")


def _code(value: Any) -> str:
    return " ".join(str(value).replace("`", "'").replace("|", "/").split())


def _block(text: str, language: str) -> str:
    fence = "`" * (max([2, *map(len, re.findall(r"`+", text))]) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _word(value: Any) -> str:
    """A scalar that YAML takes as text."""
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z][\w.+-]*", text) else json.dumps(text)
