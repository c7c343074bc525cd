"""Runs the command line in this process."""

from __future__ import annotations

import signal
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


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Said]]:
    """Run `landbridge ...`."""
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
