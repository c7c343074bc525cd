"""Options that several verbs share, each with the same name, meaning and help everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.core.clock import STARTED, Budget, parse_duration
from landbridge.core.errors import UsageError

if TYPE_CHECKING:
    from landbridge.core.domain import Domain
    from landbridge.core.progress import Progress

_DATA = "What the data is (each of these is guessed, and the guess is printed)"

Data = Annotated[
    str,
    typer.Argument(help="Folder, .zip, table or series file, or `demo:letters` (`digits`, `docs`, `wine`)."),
]
Modality = Annotated[str | None, typer.Option(help="image, text, audio, table or series.", rich_help_panel=_DATA)]
Task = Annotated[str | None, typer.Option(help="classify, multilabel or regress.", rich_help_panel=_DATA)]
Metric = Annotated[str | None, typer.Option(help="Primary metric, such as balanced_accuracy.", rich_help_panel=_DATA)]
Input = Annotated[str | None, typer.Option(help="Column that holds the text or the path.", rich_help_panel=_DATA)]
Target = Annotated[str | None, typer.Option(help="Column to predict.", rich_help_panel=_DATA)]
Id = Annotated[str | None, typer.Option("--id", help="Column that names rows.", rich_help_panel=_DATA)]
Group = Annotated[
    str | None,
    typer.Option(
        help="Column no value of which may be in two splits, or name:REGEX on file names.", rich_help_panel=_DATA
    ),
]
Time = Annotated[str | None, typer.Option("--time", help="Column to split by time.", rich_help_panel=_DATA)]
Split = Annotated[str | None, typer.Option(help="Column that says train, validation or test.", rich_help_panel=_DATA)]
Validation = Annotated[Path | None, typer.Option(help="Separate validation data.", rich_help_panel=_DATA)]
Test = Annotated[Path | None, typer.Option(help="Separate test data.", rich_help_panel=_DATA)]

Sources = Annotated[
    list[str] | None,
    typer.Option("--source", "-s", help="Source such as embedded:minilm or transformers:FOLDER; repeat for several."),
]
BudgetText = Annotated[str, typer.Option("--budget", "-b", help="Wall-clock time: 90s, 10m, 1h, or none.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where the artifact goes.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random choice.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
CacheSize = Annotated[
    str, typer.Option("--cache-size", help="Disk for activations that later runs reuse, such as 500M; 0 keeps none.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read, check and open everything, say the plan, train nothing.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]


def read_domain(
    data: str,
    *,
    modality: str | None,
    task: str | None,
    metric: str | None,
    input: str | None,
    target: str | None,
    id: str | None,
    group: str | None,
    time: str | None,
    split: str | None,
    validation: Path | None,
    test: Path | None,
    seed: int,
    progress: Progress,
) -> Domain:
    """The domain that the shared options describe."""
    from landbridge.core.progress import Tick
    from landbridge.reading.read import read

    progress(Tick(stage="read", detail=data))
    return read(
        resolve(data),
        modality=modality,
        task=task,
        metric=metric,
        input=input,
        target=target,
        id=id,
        group=group,
        time=time,
        split=split,
        validation=validation,
        test=test,
        seed=seed,
    )


def resolve(data: str) -> str:
    """`demo:NAME` becomes a folder of real data made from installed libraries; everything else stays."""
    if not data.startswith("demo:"):
        return data
    from landbridge.demo import write

    return str(write(data.removeprefix("demo:")))


def clock(budget: str) -> Budget:
    """A budget that runs since the process began, so that loading libraries and reading data count."""
    return Budget(began=STARTED) if budget == "none" else Budget(seconds=parse_duration(budget), began=STARTED)


def check_source(text: str) -> str:
    """A source as scheme:name; UsageError otherwise."""
    if ":" not in text:
        raise UsageError(f"a source is written scheme:name, such as embedded:minilm, got '{text}'")
    return text
