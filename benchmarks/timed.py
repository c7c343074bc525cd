"""Run a command in a process of its own and say what it took, for whichever side it plays."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Took:
    """What a command printed and cost. `peak_mb` is the largest resident set of it and of any one of its children."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    exit: int
    output: str
    error: str

    def cost(self) -> dict[str, float]:
        """The figures alone."""
        return {"wall_s": self.wall_s, "cpu_s": self.cpu_s, "peak_mb": self.peak_mb, "exit": self.exit}


def timed(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    most_seconds: float = float("inf"),
    most_gb: float = 0.0,
) -> Took:
    """Run to the end, or kill the command and its children after `most_seconds`; `most_gb` limits its data memory.

    The kernel counts the starting process's own resident set into the peak: call this from a script that is small.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env=env, start_new_session=True,
            preexec_fn=(lambda: _limit(most_gb)) if most_gb else None,
        )  # fmt: skip
        alarm = threading.Timer(min(most_seconds, threading.TIMEOUT_MAX), os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        out.seek(0), err.seek(0)
        return Took(
            wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss / 1024,
            exit=process.returncode, output=out.read(), error=err.read(),
        )  # fmt: skip


def _limit(gb: float) -> None:
    """In the child, before its program begins: from outside the limit could come after the memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(gb * 2**30),) * 2)
