"""`landbridge`: verbs, one file each; what a person did wrong is told in one line and an exit code."""

from __future__ import annotations

import json
import os
import sys

import click
import typer

from landbridge import __version__
from landbridge.cli import assess, compare, doctor, eval, fit, parts, predict, run, sources
from landbridge.core.errors import LandbridgeError, ResourceError

INTERRUPTED = 130

app = typer.Typer(
    name="landbridge",
    help="Carry knowledge from pretrained models to small data, and prove that the crossing paid.",
    epilog="Example: landbridge run photos/    Documentation: docs/cli.md. Exit codes: 0 done, 2 wrong option, 3 bad data, "
    "4 source, 5 artifact, 6 missing extra, 7 disk, memory or time, 130 interrupted.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (run, assess, fit, eval, predict, compare, sources, parts, doctor):
    verb.register(app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"landbridge {__version__}")
        raise typer.Exit


@app.callback()
def landbridge(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Carry knowledge from pretrained models to small data, and prove that the crossing paid."""


def main() -> None:
    """The console script. Unexpected errors are bugs and keep their traceback."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is ever downloaded behind a person's back
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except LandbridgeError as error:
        _say(str(error), error.exit_code)
    except click.exceptions.Abort:
        _say("stopped", INTERRUPTED)
    except KeyboardInterrupt:
        _say("stopped; what was finished is kept: run the same command again to go on", INTERRUPTED)
    except click.ClickException as error:
        _say(error.format_message(), error.exit_code)
    except MemoryError:
        _say("out of memory; close other programs or use fewer rows", ResourceError.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _say(message: str, code: int) -> None:
    """One line on stderr (JSON when --json was asked for), and out."""
    line = " ".join(message.split())
    print(json.dumps({"error": line, "exit_code": code}) if "--json" in sys.argv else f"error: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
