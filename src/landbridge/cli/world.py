"""`landbridge world`: write generated data with its exact ground truth."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli import options as o
from landbridge.cli import show
from landbridge.core.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("world", epilog="Example: landbridge world 'fractals(classes=20)' --n 2000 --out fractals/")(world)


Name = Annotated[str | None, typer.Argument(help="World, such as shapes or 'causal(classes=2, columns=12)'.")]
Count = Annotated[int, typer.Option("--n", min=6, max=100_000_000, help="How many examples.")]
To = Annotated[Path | None, typer.Option("--out", "-o", help="New or empty folder for the data.")]
Classes = Annotated[int | None, typer.Option(help="The world's field `classes`.")]
Listed = Annotated[bool, typer.Option("--list", help="Say which worlds there are, and write nothing.")]


def world(
    name: Name = None,
    n: Count = 1000,
    out: To = None,
    seed: o.Seed = 0,
    classes: Classes = None,
    list_: Listed = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Write examples of a generated world as a data set that `run` reads, with truth and a card."""
    if list_:
        from landbridge.cli.parts import parts

        parts("worlds", json=json)
        return
    if name is None:
        raise UsageError("name a world, such as shapes; landbridge world --list shows them")
    if out is None:
        raise UsageError(f"say where the data goes, such as --out {name.split('(')[0]}/")
    from landbridge.core import codec

    chosen = codec.parse("worlds", name)
    if classes is not None:
        if "classes" not in codec.to_json(chosen):
            raise UsageError(f"--classes {classes}: the world {name} has no field classes")
        chosen = dataclasses.replace(chosen, classes=classes)
    from landbridge.worlds.written import write

    facts = write(chosen, n, out, seed=seed)
    if json:
        show.print_json(facts | {"out": str(out)})
    elif not quiet:
        what = f"{facts['classes']} classes" if facts["classes"] else "a number for each"
        print(f"{n} examples of {facts['world']} ({facts['modality']}, {what}) in {out}")
        each = n / (facts["classes"] or 1)
        few = f"{each:.3g} examples a class are few for `run`; give a larger --n or fewer --classes"
        print(few if facts["classes"] and each < 6 else f"landbridge run {out}")
