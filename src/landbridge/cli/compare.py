"""`landbridge compare`: several recipes, or the default set, beside each other and the controls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli import options as o
from landbridge.cli import show
from landbridge.cli.fit import read_recipe
from landbridge.core.cache import DEFAULT_SIZE, parse_size
from landbridge.core.errors import UsageError

Recipes = Annotated[
    list[Path] | None, typer.Option("--recipe", help="A recipe in TOML; repeat. Default: what run tries.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("compare", epilog="Example: landbridge compare photos/ --recipe lp-ft.toml --recipe lora.toml")(compare)


def compare(
    data: o.Data,
    recipe: Recipes = None,
    source: o.Sources = None,
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
    """Compare recipes on DATA with each other and with the controls, on the same rows."""
    clock, size = o.clock(budget), parse_size(cache_size)
    recipes = [read_recipe(r) for r in recipe] if recipe else None
    sources = None if not source else [o.check_source(s) for s in source]
    if recipes and sources:
        raise UsageError("--recipe names its own source; leave --source out, or leave --recipe out")
    from landbridge.ahead import rehearse
    from landbridge.road import compare as beside

    with show.progress(quiet=quiet or json) as progress:
        domain = o.read_domain(
            data, modality=modality, task=task, metric=metric, input=input, target=target, id=id, group=group,
            time=time, split=split, validation=validation, test=test, seed=seed, progress=progress,
        )  # fmt: skip
        if dry_run:
            found = rehearse(
                domain, recipes, sources=sources, budget=clock, out=out, seed=seed, device=device, progress=progress
            )
            show.rehearsal(found, json=json, quiet=quiet)
            return
        result = beside(
            domain, recipes, sources=sources, budget=clock, out=out, seed=seed, device=device, cache_size=size,
            progress=progress, command=show.command_line(),
        )  # fmt: skip
    show.result(result, json=json, quiet=quiet)
