"""What people see: progress on a terminal, silence in a pipe, a summary at the end."""

from __future__ import annotations

import json
import math
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from landbridge.core.progress import Progress, Tick, silent

if TYPE_CHECKING:
    from landbridge.road import Result
    from landbridge.unlabelled_road import Pretrained


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """A live line on stderr: stage, what it is about, best validation so far, time left; none when piped or quiet."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.fields[stage]:<9}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[best]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]} [dim]{task.description}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("", total=1.0, stage="start", best="", left="")
        ends = math.inf
        best = -math.inf

        def tick(report: Tick) -> None:
            nonlocal ends, best
            ends = ends if report.left is None else time.monotonic() + report.left
            best = best if report.best is None else report.best
            bar.update(
                line,
                refresh=report.stage != bar.tasks[line].fields["stage"],  # every stage is seen, however short
                completed=report.done or 0.0,
                description=report.detail[:60],
                stage=report.stage,
                best=f"best {best:.3f}" if math.isfinite(best) else "",
                left=f"{max(0.0, ends - time.monotonic()):.0f} s left" if math.isfinite(ends) else "",
            )

        yield tick


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def result(found: Result, *, json: bool, quiet: bool) -> None:
    """The end of a run: its evidence as JSON, or what was assumed and the summary, or nothing."""
    if json:
        print_json(found.evidence)
    elif not quiet:
        assumptions(found.evidence["assumptions"])
        summary(found.evidence, str(found.path))


def pretrained(found: Pretrained, *, json: bool, quiet: bool) -> None:
    """The end of a pretraining: its evidence as JSON, or what was assumed and how to use the source, or nothing."""
    evidence = found.evidence
    if json:
        print_json(evidence)
    elif not quiet:
        assumptions(evidence["assumptions"])
        loss, domain = evidence["loss"], evidence["domain"]
        print(
            f"{evidence['recipe_name']}: {domain['rows']} {domain['modality']} examples, {evidence['epochs']:g} epochs"
        )
        again = ", going on from an interrupted run" if evidence["resumed"] else ""
        print(f"loss {loss['first']:.4g} to {loss['last']:.4g} in {evidence['seconds']:.0f} s{again}")
        print(f"run      landbridge run DATA --source {shlex.quote(found.address)}")


def rehearsal(found: Mapping[str, Any], *, json: bool, quiet: bool) -> None:
    """What a run would do, as JSON or in words."""
    if json:
        print_json(found)
    elif not quiet:
        domain(found)
        print("\nwould be tried, nothing was trained:")
        for entry in found["plan"]:
            print(f"  {entry['name']}  ({entry['role']}: {entry['reason']})")
        limit = "no limit of time" if found["budget_s"] is None else f"within {found['budget_s']:.0f} s"
        print(f"{limit}; the artifact would go to {found['out']}")


def command_line() -> str:
    """The command as it was typed, for the report."""
    return shlex.join(["landbridge", *sys.argv[1:]])


def summary(evidence: Mapping[str, Any], folder: str) -> None:
    """The verdict, the comparison and where everything lies."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    colour = {"gain": "green", "no difference": "yellow", "loss": "red"}[evidence["gain"]["verdict"]]
    console.print(f"\n[bold {colour}]{safe(evidence['headline'])}[/]\n")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("tried", "validation", "seconds", "moved", "status"):
        table.add_column(heading, justify="left" if heading in ("tried", "status") else "right")
    shown, folded = _folded(_merged(evidence["trials"]), evidence["chosen"]["name"])
    for trial in shown:
        score = "" if trial["validation"] is None else f"{trial['validation']:.3f}"
        mark = "bold" if trial["name"] == evidence["chosen"]["name"] else ""
        role = "" if trial["role"] == "candidate" else f" [dim]({trial['role']})[/]"
        cells = (score, f"{trial['seconds']:.1f}", f"{trial['trainable']:,}", trial["status"])
        table.add_row(f"[{mark}]{safe(trial['name'])}[/]{role}" if mark else f"{safe(trial['name'])}{role}", *cells)
        if near := folded.get(trial["name"]):
            table.add_row(*(f"[dim]{safe(cell)}[/]" for cell in _neighbours(near)))
    console.print(table)
    for check in evidence["checks"]:
        if check["found"]:
            console.print(f"[yellow]{safe(check['name'])}: {check['found']}[/] {safe(check['detail'])}")
    if evidence.get("resumed"):
        console.print(f"{evidence['resumed']} attempts of an interrupted run were taken over")
    console.print(f"\nreport   {folder}/report.html\npredict  landbridge predict {shlex.quote(folder)} INPUT")


def assumptions(items: Sequence[Mapping[str, str]]) -> None:
    """What was guessed about the data, on stderr, with the option that overrules each guess."""
    for item in items:
        print(f"assumed {item['what']} ({item['because']}; {item['option']} overrules)", file=sys.stderr)


def _merged(trials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line per recipe: the mean over folds."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        lines.setdefault(trial["name"], []).append(trial)
    merged = []
    for same in lines.values():
        scores = [t["validation"] for t in same if t["validation"] is not None]
        mean = sum(scores) / len(scores) if scores else None
        merged.append({**same[0], "validation": mean, "seconds": sum(t["seconds"] for t in same)})
    return merged


def _folded(
    trials: Sequence[Mapping[str, Any]], chosen: str
) -> tuple[list[Mapping[str, Any]], dict[str, list[Mapping[str, Any]]]]:
    """Trials with a line of their own, and the others by the trial that they are neighbours of: a search around the
    best may take a dozen steps, and only the one that was chosen is looked for in the table."""
    folded: dict[str, list[Mapping[str, Any]]] = {}
    shown = []
    for trial in trials:
        if trial.get("near") and trial["name"] != chosen:
            folded.setdefault(trial["near"], []).append(trial)
        else:
            shown.append(trial)
    return shown, folded


def _neighbours(trials: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """One line for several neighbours: how many, the best of their scores, their seconds together."""
    scores = [t["validation"] for t in trials if t["validation"] is not None]
    told = f"  {len(trials)} next to it, the best" if len(trials) > 1 else "  one next to it"
    seconds = sum(t["seconds"] for t in trials)
    return told, f"{max(scores):.3f}" if scores else "", f"{seconds:.1f}", "", ""


def safe(text: str) -> str:
    """Rich markup in names stays text."""
    return str(text).replace("[", "\\[")


def domain(found: Mapping[str, Any]) -> None:
    """Kind, sizes and checks of the data; what was assumed goes to stderr."""
    about = found["domain"]
    classes = f", {about['classes']} classes" if about["classes"] else ""
    print(
        f"{found['name']}: {about['modality']}, {about['task']}{classes}, {about['rows']} rows "
        f"({about['train']} train, {about['validation']} validation, {about['test']} test)"
    )
    assumptions(found["assumptions"])
    for check in found["checks"]:
        print(f"{check['name']:<16} {check['found']:>5}  {check['detail']}")
