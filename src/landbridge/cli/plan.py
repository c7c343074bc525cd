"""`landbridge plan`: which recipes are worth trying on the data within a budget, and why."""

from __future__ import annotations

import typer

from landbridge.cli import foresight, show
from landbridge.cli import options as o
from landbridge.core.cache import DEFAULT_SIZE, parse_size


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("plan", epilog="Example: landbridge plan photos/ --budget 5m")(plan)


def plan(
    data: o.Data,
    source: o.Sources = None,
    budget: o.BudgetText = "10m",
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
    """Rank the recipes for DATA by what they are expected to reach, with time, memory and reason; train none."""
    clock, size = o.clock(budget), parse_size(cache_size)
    from landbridge.ahead import plan as look_ahead

    sources = None if not source else [o.check_source(s) for s in source]
    with show.progress(quiet=quiet or json) as progress:
        domain = o.read_domain(
            data, modality=modality, task=task, metric=metric, input=input, target=target, id=id, group=group,
            time=time, split=split, validation=validation, test=test, seed=seed, progress=progress,
        )  # fmt: skip
        found = look_ahead(
            domain, sources=sources, budget=clock, seed=seed, device=device, cache_size=size, progress=progress
        )
    if json:
        show.print_json(found)
    elif not quiet:
        foresight.plan(found)
