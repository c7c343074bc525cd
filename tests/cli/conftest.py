"""Keeps converted tables out of the user's cache, and runs the command line as a new process or in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from landbridge.cli import main as command_line


class Said(NamedTuple):
    """What a command ended with and said."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDBRIDGE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Run `landbridge ...` in this process."""
    kept = {number: signal.getsignal(number) for number in command_line.STOPS}

    def call(*words: object) -> Said:
        monkeypatch.setattr("landbridge.cli.options.STARTED", time.monotonic())  # as in a process of its own
        monkeypatch.setattr(sys, "argv", ["landbridge", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        out, err = capfd.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    yield call
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `landbridge ...` as a process of its own; what still runs at the end of the test is killed."""
    running: list[subprocess.Popen[str]] = []

    def call(*words: object) -> subprocess.Popen[str]:
        code = "from landbridge.cli.main import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        running.append(process)
        return process

    yield call
    for process in running:
        process.kill()
        process.communicate()
