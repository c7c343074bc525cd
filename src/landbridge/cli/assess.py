"""`landbridge assess`: look at the data and at how near each source is, without training or opening the test set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli import foresight, show
from landbridge.cli import options as o
from landbridge.core.cache import DEFAULT_SIZE, parse_size

Near = Annotated[
    list[str] | None,
    typer.Option("--near", help="Artifact of an earlier run: how near DATA is to its target; repeat for several."),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for assess.html, a page with the pictures.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("assess", epilog="Example: landbridge assess reviews.csv --target stars")(assess)


def assess(
    data: o.Data,
    source: o.Sources = None,
    near: Near = None,
    out: Out = None,
    modality: o.Modality = None,
    task: o.Task = None,
    metric: o.Metric = None,
    input: o.Input = None,
    target: o.Target = None,
    id: o.Id = None,
    group: o.Group = None,
    time: o.Time = None,
    split: o.Split = None,
    validation: o.Validation = None,
    test: o.Test = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    cache_size: o.CacheSize = DEFAULT_SIZE,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Say what DATA is, how near sources and earlier targets are, which layer is best, what more labels would bring."""
    size = parse_size(cache_size)
    from landbridge.ahead import assess as look

    sources = None if not source else [o.check_source(s) for s in source]
    with show.progress(quiet=quiet or json) as progress:
        domain = o.read_domain(
            data, modality=modality, task=task, metric=metric, input=input, target=target, id=id, group=group,
            time=time, split=split, validation=validation, test=test, seed=seed, progress=progress,
        )  # fmt: skip
        found = look(
            domain, sources=sources, near=near or (), out=out, seed=seed, device=device, cache_size=size,
            progress=progress,
        )  # fmt: skip
    if json:
        show.print_json(found)
    elif not quiet:
        foresight.assessment(found)
        if out is not None:
            print(f"\npage     {out}/assess.html")
