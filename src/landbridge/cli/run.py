"""`landbridge run`: from data to a proven, saved, explained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli import options as o
from landbridge.cli import show
from landbridge.core.cache import DEFAULT_SIZE, parse_size

Unlabelled = Annotated[
    Path | None,
    typer.Option(help="More examples without labels; the first source learns on from them."),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("run", epilog="Example: landbridge run photos/ --source transformers:models/mobilenet --budget 5m")(run)


def run(
    data: o.Data,
    source: o.Sources = None,
    unlabelled: Unlabelled = None,
    budget: o.BudgetText = "10m",
    out: o.Out = None,
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
    dry_run: o.DryRun = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Adapt the best source to DATA within a time budget, prove the gain, and write an artifact with a report."""
    clock, size = o.clock(budget), parse_size(cache_size)
    sources = None if not source else [o.check_source(s) for s in source]
    from landbridge.ahead import rehearse
    from landbridge.reading.unlabelled import pooled
    from landbridge.road import run as main_road

    with show.progress(quiet=quiet or json) as progress:
        domain = o.read_domain(
            data, modality=modality, task=task, metric=metric, input=input, target=target, id=id, group=group,
            time=time, split=split, validation=validation, test=test, seed=seed, progress=progress,
        )  # fmt: skip
        if dry_run:
            if unlabelled is not None:
                pooled(domain, unlabelled)
            found = rehearse(
                domain, sources=sources, budget=clock, out=out, seed=seed, device=device, progress=progress
            )
            show.rehearsal(found, json=json, quiet=quiet)
            return
        result = main_road(
            domain, sources=sources, unlabelled=unlabelled, budget=clock, out=out, seed=seed, device=device,
            cache_size=size, progress=progress, command=show.command_line(),
        )  # fmt: skip
    show.result(result, json=json, quiet=quiet)
