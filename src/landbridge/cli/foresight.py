"""What `assess` and `plan` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from landbridge.cli import show
from landbridge.delivery.predict import printable

SHOWN = 5  # confused pairs


def assessment(found: Mapping[str, Any]) -> None:
    """What the data is, how near each source is, and what more labels would bring."""
    show.domain(found)
    print("\nvalidation score of frozen features and controls")
    for probe in found["probes"]:
        score = "-" if probe["validation"] is None else f"{probe['validation']:.3f}"
        print(f"{score:>7}  {probe['name']}  ({probe['role']}, {probe['seconds']:.1f} s)")
    for source in found["sources"]:
        via = "" if source["bridge"] == "native" else f" via {source['bridge']}"
        print(f"\n{source['source']}{via}")
        last = "" if source["best"] == "end" else f"; the last layer {source['last']:.3f}"
        print(f"  best layer  {_layer(source['best'])}: {source['value']:.3f}{_range(source['interval'])}{last}")
        if source["near"]:
            print(f"  nearness    {source['near']['sentence']}")
            _alike(source["near"]["classes"])
    if found["targets"]:
        targets(found["targets"])
    if found["confused"]:
        print("\nconfused in the features already")
        for pair in found["confused"][:SHOWN]:
            print(f"{pair['rows']:>7}  {' and '.join(pair['classes'])}  ({pair['share']:.1%} of both)")
    print(f"\n{labels(found['labels'])}")


def targets(found: Mapping[str, Any]) -> None:
    """How near the data is to what earlier artifacts were adapted to, the nearest first."""
    print("\nearlier targets")
    for entry in found["artifacts"]:
        value = "-" if entry["value"] is None else f"{entry['value']:.3f}"
        print(f"{value:>7}  {printable(entry['artifact'])}: {printable(entry['sentence'])}")
        for each in entry["classes"][:SHOWN]:
            first, *others = (f"{printable(n['name'])} ({n['value']:.2f})" for n in each["near"])
            then = f", then {others[0]}" if others else ""
            print(f"           {printable(each['class'])} is nearest to {first}{then}")
    if found["sentence"]:
        print(f"         {printable(found['sentence'])}")


def labels(found: Mapping[str, Any] | None) -> str:
    """The two answers about more labels in a sentence."""
    if found is None:
        return "more labels: too few rows for a learning curve"
    twice, flat = found["twice"], found["flat"]
    told = f"more labels: twice as many would bring {twice['gain']:+.3f}{_range(twice['interval'])} to a probe"
    low, high = flat["interval"]
    if flat["reached"]:
        return f"{told}; the curve is flat already"
    return f"{told}; it flattens at about {flat['rows']:,.0f} labels ({low:,.0f} to {high:,.0f})"


def plan(found: Mapping[str, Any]) -> None:
    """The ranked recipes in a table, and the reason of each."""
    from rich.console import Console
    from rich.table import Table

    show.domain(found)
    console, table = Console(), Table(box=None, pad_edge=False, header_style="dim")
    metric = found["metric"].replace("_", " ")
    for heading in ("", "recipe", metric, "expected", "time", "memory", "turn"):
        table.add_column(heading, justify="left" if heading in ("", "recipe") else "right", overflow="fold")
    for entry in found["recipes"]:
        table.add_row(
            str(entry["rank"]), show.safe(entry["name"]), *_cells(entry), style="dim" if entry["against"] else ""
        )
    console.print()
    console.print(table)
    console.print()
    for entry in found["recipes"]:
        against = f" [yellow]({show.safe(entry['against'])})[/]" if entry["against"] else ""
        console.print(f"{entry['rank']}. {show.safe(entry['reason'])}{against}", highlight=False)
    limit = "no limit of time" if found["budget_s"] is None else f"a budget of {found['budget_s']:.0f} s"
    console.print(f"\n[dim]for {limit}; figures of probes are measured on validation rows, all others foretold[/]")


def _cells(entry: Mapping[str, Any]) -> Sequence[str]:
    told = entry["predicted"]
    if told is None:
        return "", "", "", "", str(entry["turn"])
    low, high = told["interval"]
    return (
        f"{told['value']:.3f}" + (" *" if entry["measured"] else ""),
        f"{low:.2f} to {high:.2f}",
        "" if told["seconds"] is None else f"{told['seconds']:.0f} s",
        "" if told["peak_mb"] is None else f"{told['peak_mb'] / 1024:.1f} GB",
        str(entry["turn"]),
    )


def _alike(classes: Mapping[str, Any] | None) -> None:
    for entry in (classes or {}).get("alike", [])[:SHOWN]:
        like = ", ".join(f"{s['name']} {s['share']:.0%}" for s in entry["source"])
        print(f"              {entry['class']} looks like {like}")


def _layer(name: str) -> str:
    return "the last one" if name == "end" else name


def _range(bounds: Sequence[float] | None) -> str:
    return f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else ""
