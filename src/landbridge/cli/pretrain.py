"""`landbridge pretrain`: let a source learn on without labels, and save it as a source."""

from __future__ import annotations

from typing import Annotated

import typer

from landbridge.cli import options as o
from landbridge.cli import show

_RECIPE = "How it learns (what is left out is chosen by the data)"

Unlabelled = Annotated[
    str, typer.Argument(help="Folder of files, .zip, .txt with a text a line, or table; labels are never used.")
]
Source = Annotated[str, typer.Option("--source", "-s", help="Such as embedded:minilm or scratch:convnet.")]
Objective = Annotated[str | None, typer.Option(help="Such as masked or simclr; a+b for two.", rich_help_panel=_RECIPE)]
Tuning = Annotated[str | None, typer.Option(help="Which weights move, such as full.", rich_help_panel=_RECIPE)]
Bridge = Annotated[str | None, typer.Option(help="How the data reaches the source.", rich_help_panel=_RECIPE)]
Epochs = Annotated[
    int, typer.Option(min=0, help="At most, as the budget allows; 0: automatic.", rich_help_panel=_RECIPE)
]
Rate = Annotated[float, typer.Option("--lr", min=0.0, help="Peak rate; 0: automatic.", rich_help_panel=_RECIPE)]
Batch = Annotated[int, typer.Option(min=0, help="Examples in a step; 0: automatic.", rich_help_panel=_RECIPE)]
Decay = Annotated[float, typer.Option(min=0.0, help="Weight decay; 0: automatic.", rich_help_panel=_RECIPE)]
Input = Annotated[str | None, typer.Option(help="Column that holds the text or the path.")]
Target = Annotated[str | None, typer.Option(help="Column of labels, which is left out; none keeps all columns.")]
Modality = Annotated[str | None, typer.Option(help="image, text, audio, table or series.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    example = "Example: landbridge pretrain photos/ --source scratch:convnet --objective simclr --out landscapes"
    app.command("pretrain", epilog=example)(pretrain)


def pretrain(
    unlabelled: Unlabelled,
    source: Source,
    objective: Objective = None,
    tuning: Tuning = None,
    bridge: Bridge = None,
    epochs: Epochs = 0,
    lr: Rate = 0.0,
    batch: Batch = 0,
    decay: Decay = 0.0,
    budget: o.BudgetText = "10m",
    out: o.Out = None,
    modality: Modality = None,
    input: Input = None,
    target: Target = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Let a source learn on from UNLABELLED data, and save it as the source `artifact:OUT` for other verbs."""
    clock, source = o.clock(budget), o.check_source(source)
    from landbridge.core.progress import Tick
    from landbridge.reading.unlabelled import read_unlabelled
    from landbridge.unlabelled_road import pretrain as learn_on

    with show.progress(quiet=quiet or json) as progress:
        progress(Tick(stage="read", detail=unlabelled))
        domain = read_unlabelled(o.resolve(unlabelled), modality=modality, input=input, target=target)
        found = learn_on(
            domain, source, objective=objective, tuning=tuning, bridge=bridge, epochs=epochs, lr=lr, batch=batch,
            decay=decay, budget=clock, out=out, seed=seed, device=device, progress=progress,
            command=show.command_line(),
        )  # fmt: skip
    show.pretrained(found, json=json, quiet=quiet)
