"""A claim on a file: one process at a time has it, and it ends with the process however that ends.

The system's own lock on an open file (flock) where there is one. Elsewhere, and on file systems that refuse it, a file
that exists only while the claim does; after `STALE` seconds such a file is taken for a dead process's.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None

STALE = 600.0  # seconds
_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_PAUSE = 0.02  # seconds between tries


class Claim:
    """Held until `release`, or until the process is gone."""

    def __init__(self, handle: int | None, file: Path | None = None) -> None:
        self._handle = handle
        self._file = file

    def release(self) -> None:
        """Let the next one have it."""
        if self._handle is not None:
            os.close(self._handle)
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()
        self._handle = self._file = None


def claim(path: Path, wait: float = 0.0) -> Claim | None:
    """The claim on `path`, or None when another has had it for `wait` seconds: nobody ever waits without end."""
    ends = time.monotonic() + wait
    while True:
        found = _locked(path) if fcntl is not None else _made(path)
        if found is not None or time.monotonic() >= ends:
            return found
        time.sleep(_PAUSE)


def _locked(path: Path) -> Claim | None:
    assert fcntl is not None
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        return None if error.errno in _BUSY else _made(path)
    return Claim(handle)


def _made(path: Path) -> Claim | None:
    file = path.with_name(f"{path.name}.held")
    with suppress(OSError):
        if time.time() - file.stat().st_mtime > STALE:
            file.unlink()
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return None
    return Claim(None, file)
