"""The page of an assessment: one HTML file that opens offline, in the report's own style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.files import resources, write_bytes
from landbridge.evidence.outcome import class_names, correct, truth
from landbridge.planning.layers import Reading
from landbridge.planning.nearness.targets import Seen
from landbridge.planning.scores.rows import kind_of
from landbridge.report import charts, targets, words
from landbridge.report.embedding import embed, neighbours, worth_showing
from landbridge.report.inert import inert

NAME = "assess.html"
LEGEND = charts.COLOURS * charts.SHAPES  # classes that a map can tell apart
TABLE = 12  # rows of a table of classes


def page_for(out: str | Path) -> Path:
    """Where the page goes, checked before any work is done; the folder is made."""
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder}: this is a file; name a folder for {NAME}")
    with resources(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / NAME


def write_page(
    path: Path, found: Mapping[str, Any], domain: Domain, reading: Reading | None, seed: int, seen: Sequence[Seen] = ()
) -> None:
    """Draw what was found; the map and the neighbours come from the best reading, `seen` by earlier artifacts."""
    pictures = drawn(domain, reading, found, seed) | {"targets": targets.drawn(found["targets"], seen)}
    with resources(path):
        write_bytes(path, page(found, pictures).encode())


def page(found: Mapping[str, Any], pictures: Mapping[str, Any]) -> str:
    """The assessment as HTML."""
    room = files("landbridge.report")
    style = "".join(room.joinpath(n).read_text(encoding="utf-8") for n in ("page.css", "assess.css"))
    sources = {NAME: room.joinpath(NAME).read_text(encoding="utf-8")}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": words.number, "signed": words.signed, "range": words.interval, "percent": words.percent,
        "amount": words.amount, "clip": words.clip, "metric": words.metric_name, "short": words.source_name,
    }  # fmt: skip
    environment.globals |= {"style": Markup(style), "key": charts.key}
    labels = found.get("labels")
    return environment.get_template(NAME).render(
        found=found, pictures=pictures, most=TABLE,
        layers=charts.layers(found["sources"]) if found["sources"] else "",
        learning=charts.learning(labels) if labels else "",
    )  # fmt: skip


def drawn(domain: Domain, reading: Reading | None, found: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The map with its legend, and rows beside their nearest neighbours."""
    if reading is None:
        return {"map": "", "legend": [], "neighbours": []}
    labels = domain.targets[reading.rows]
    kind = kind_of(labels)
    right = correct(reading.output, labels) if kind != "values" else np.ones(len(labels), bool)
    made = embed(reading.features, seed)
    told = truth(domain.task, labels)
    group = _groups(labels, found, domain) if kind == "classes" else np.full(len(labels), 0)
    tips = [_tip(domain, int(r), t) for r, t in zip(reading.rows, told, strict=True)]
    at = made.positions
    legend = []
    if kind == "classes":
        names = class_names(domain.task)
        legend = [{"name": names[c], "number": int(group[labels == c][0])} for c in np.unique(labels)]
        legend = [entry for entry in legend if entry["number"] >= 0]
    return {
        "map": charts.scatter(made.places, group[at].tolist(), [tips[i] for i in at], (~right[at]).tolist()),
        "legend": sorted(legend, key=lambda e: e["number"]),
        "neighbours": _beside(domain, reading, labels, right, seed),
    }


def _groups(labels: np.ndarray, found: Mapping[str, Any], domain: Domain) -> np.ndarray:
    """The mark of each row: one for each class where a map can tell them apart, else for the most confused ones."""
    names = class_names(domain.task)
    if len(names) <= LEGEND:
        return labels.astype(int)
    chosen = list(dict.fromkeys(n for pair in found["confused"] for n in pair["classes"]))[: charts.COLOURS]
    mark = {names.index(n): i for i, n in enumerate(chosen)}
    return np.array([mark.get(int(c), -1) for c in labels])


def _beside(domain: Domain, reading: Reading, labels: np.ndarray, right: np.ndarray, seed: int) -> list[dict[str, Any]]:
    if len(labels) < 2:
        return []
    marks = np.zeros(len(labels), np.int64) if labels.ndim > 1 or kind_of(labels) == "values" else labels
    asked = worth_showing(right, marks, seed)
    told, guessed = truth(domain.task, labels), domain.task.decode(reading.output)
    return [
        {
            **_shown(domain, int(reading.rows[row]), told[row]),
            "guess": "" if right[row] else words.answer(guessed[row]),
            "near": [_shown(domain, int(reading.rows[k]), told[k]) for k in near],
        }
        for row, near in zip(asked, neighbours(reading.features, asked).tolist(), strict=True)
    ]


def _shown(domain: Domain, row: int, label: Any) -> dict[str, Any]:
    return {"html": inert(domain.modality.thumbnail(domain.example(row))), "label": words.answer(label)}


def _tip(domain: Domain, row: int, label: Any) -> str:
    name = str(domain.labels[row]) if len(domain.labels) else f"row {row}"
    return f"{words.answer(label)}: {name}"
