"""`landbridge`: verbs, one file each; what a person did wrong is told in one line and an exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType

import typer

from landbridge import __version__
from landbridge.cli import assess, compare, doctor, fit, parts, plan, predict, pretrain, run, sources, world
from landbridge.cli import eval as measure
from landbridge.core.errors import LandbridgeError, ResourceError
from landbridge.core.files import WAYS_OUT

ClickException = typer.BadParameter.__mro__[2]  # click's own, or the copy that newer versions of Typer bring along
STOPS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A person or the system asked the program to end, and every room cleans up on its way out: code 128 + signal."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number


app = typer.Typer(
    name="landbridge",
    help="Carry knowledge from pretrained models to small data, and prove that the crossing paid.",
    epilog="Example: landbridge run photos/    Documentation: docs/cli.md. Exit codes: 0 done, 2 wrong option, "
    "3 bad data, 4 source, 5 artifact, 6 missing extra, 7 disk, memory or time, 130 interrupted, 143 terminated.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (run, plan, assess, fit, pretrain, measure, predict, compare, sources, parts, doctor, world):
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
    # Threads that wait by spinning starve each other as soon as another such program runs: a training step took ten
    # times as long and more. A short spin costs nothing that was measurable on an idle machine.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    for number in STOPS:
        signal.signal(number, _stop)
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except LandbridgeError as error:
        _say(str(error), error.exit_code)
    except Stopped as stop:
        _say("stopped; what was finished is kept: run the same command again to go on", stop.exit_code)
    except typer.Abort:
        _say("stopped", 128 + signal.SIGINT)
    except ClickException as error:
        _say(error.format_message(), error.exit_code)
    except MemoryError:
        _say("out of memory; close other programs or use fewer rows", ResourceError.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in WAYS_OUT:
            raise
        _say(f"{error.filename or 'this machine'}: {WAYS_OUT[error.errno]}", ResourceError.exit_code)


def _stop(number: int, frame: FrameType | None) -> None:
    """The first signal ends the program in order; a second one ends it at once."""
    for each in STOPS:
        signal.signal(each, signal.SIG_DFL)
    raise Stopped(number)


def _say(message: str, code: int) -> None:
    """One line on stderr (JSON when --json was asked for), and out."""
    line = " ".join(message.split())
    print(json.dumps({"error": line, "exit_code": code}) if "--json" in sys.argv else f"error: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
