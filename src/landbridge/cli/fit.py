"""`landbridge fit`: exactly one recipe, held against the controls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from landbridge.cli import options as o
from landbridge.cli import show
from landbridge.core.cache import DEFAULT_SIZE, parse_size
from landbridge.core.errors import DataError, UsageError

_RECIPE = "The recipe (repeat --tuning for several stages)"
_STAGE = "one value for all stages or one for each."

Source = Annotated[str | None, typer.Option("--source", "-s", help="Such as embedded:minilm.", rich_help_panel=_RECIPE)]
Bridge = Annotated[
    str | None,
    typer.Option(help="How the data reaches the source; default the one that leads there.", rich_help_panel=_RECIPE),
]
Tunings = Annotated[list[str] | None, typer.Option("--tuning", help="Such as 'lora(rank=8)'.", rich_help_panel=_RECIPE)]
Objectives = Annotated[
    list[str] | None, typer.Option("--objective", help="Such as supervised; a+b for two.", rich_help_panel=_RECIPE)
]
Epochs = Annotated[
    list[int] | None, typer.Option("--epochs", help=f"0 is automatic; {_STAGE}", rich_help_panel=_RECIPE)
]
Rates = Annotated[list[float] | None, typer.Option("--lr", help=f"Peak rate; {_STAGE}", rich_help_panel=_RECIPE)]
Batches = Annotated[list[int] | None, typer.Option("--batch", help=f"Batch; {_STAGE}", rich_help_panel=_RECIPE)]
Decays = Annotated[list[float] | None, typer.Option("--decay", help=f"Weight decay; {_STAGE}", rich_help_panel=_RECIPE)]
Patiences = Annotated[
    list[int] | None, typer.Option("--patience", help=f"Evaluations without gain; {_STAGE}", rich_help_panel=_RECIPE)
]
Averages = Annotated[
    list[str] | None, typer.Option("--average", help=f"none, ema, swa or wise; {_STAGE}", rich_help_panel=_RECIPE)
]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="A recipe in TOML.", rich_help_panel=_RECIPE)]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    example = "Example: landbridge fit reviews.csv --source embedded:minilm --tuning probe --tuning 'lora(rank=8)'"
    app.command("fit", epilog=example)(fit)


def fit(
    data: o.Data,
    source: Source = None,
    bridge: Bridge = None,
    tuning: Tunings = None,
    objective: Objectives = None,
    epochs: Epochs = None,
    lr: Rates = None,
    batch: Batches = None,
    decay: Decays = None,
    patience: Patiences = None,
    average: Averages = None,
    recipe: RecipeFile = None,
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
    """Run exactly one recipe on DATA, hold it against the controls, and write the artifact."""
    clock, size = o.clock(budget), parse_size(cache_size)
    from landbridge.ahead import rehearse
    from landbridge.core.recipe import Recipe
    from landbridge.planning.opening import over_a_bridge
    from landbridge.road import fit as one_recipe

    if recipe is not None:
        chosen = read_recipe(recipe)
    else:
        lengths = {"epochs": epochs, "lr": lr, "batch": batch, "decay": decay, "patience": patience, "average": average}
        chosen = Recipe.from_json(spelled(source, bridge, tuning, objective, lengths))
    with show.progress(quiet=quiet or json) as progress:
        domain = o.read_domain(
            data, modality=modality, task=task, metric=metric, input=input, target=target, id=id, group=group,
            time=time, split=split, validation=validation, test=test, seed=seed, progress=progress,
        )  # fmt: skip
        if bridge is None and recipe is None:
            chosen = over_a_bridge(chosen, domain)
        if dry_run:
            found = rehearse(domain, [chosen], budget=clock, out=out, seed=seed, device=device, progress=progress)
            show.rehearsal(found, json=json, quiet=quiet)
            return
        result = one_recipe(
            domain, chosen, budget=clock, out=out, seed=seed, device=device, cache_size=size,
            progress=progress, command=show.command_line(),
        )  # fmt: skip
    show.result(result, json=json, quiet=quiet)


def read_recipe(path: Path) -> Any:
    """The recipe of a TOML file."""
    from landbridge.core.recipe import Recipe

    try:
        return Recipe.from_toml(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the recipe cannot be read ({error}); it must be a TOML text file") from error


def spelled(
    source: str | None,
    bridge: str | None,
    tunings: list[str] | None,
    objectives: list[str] | None,
    lengths: dict[str, list[Any] | None],
) -> dict[str, Any]:
    """The options as the JSON of a recipe: one value for all stages, or one for each."""
    if source is None:
        raise UsageError("fit needs --source, such as --source embedded:minilm, or --recipe FILE.toml")
    count = len(tunings or ["probe"])

    def each(name: str, values: list[Any]) -> list[Any]:
        if len(values) not in (1, count):
            raise UsageError(f"--{name} is given {len(values)} times for {count} stages; give it once or {count} times")
        return values if len(values) == count else values * count

    stages: list[dict[str, Any]] = [{"tuning": t} for t in tunings or ["probe"]]
    for stage, text in zip(stages, each("objective", objectives or ["supervised"]), strict=True):
        stage["objectives"] = text.split("+")
    for name, values in lengths.items():
        for stage, value in zip(stages, each(name, values) if values else (), strict=False):
            stage[name] = value
    stages = [] if source.startswith("rival:") else stages
    return {"source": o.check_source(source), "bridge": bridge or "native", "stages": stages}
