"""A folder of chunks that stays below its limit: the least recently used go first, and nothing half-written is read.

Any number of processes may share it. A chunk is written under a hidden name and renamed once it is whole, and never
changes after that; what a killed writer left is removed by the next process that opens the folder. A reader holds no
lock: a mapped file that another process evicts stays readable until it is closed, and one that is gone before it was
mapped counts as never written.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.core.cache import cache_folder, parse_size
from landbridge.core.errors import ResourceError
from landbridge.engine.chunk import Chunk, layout, open_paths, read_chunk, size_of, write_chunk
from landbridge.engine.claim import Claim, claim

SUFFIX, DRAFT = ".chunk", ".part"
LEFT = 60.0  # seconds after which a draft that nobody claims was left by a dead process
WAIT = 5.0  # seconds to wait for another process that makes room


class CacheFullError(OSError):
    """There is no room below the limit, as all of it is in use or it is too small for one chunk."""


class Cache:
    """Chunks under keys in one folder; without a limit it is the run's own and as large as the disk allows."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self.limit = limit
        self._said: set[str] = set()

    def open(self) -> Cache:
        """Make the folder, for this user alone, remove what dead processes left, and keep to the limit."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._sweep()
        self._make_room(0)
        return self

    def paths(self, key: str) -> list[Path]:
        """The whole chunks of a key."""
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            return [Path(e.path) for e in entries if e.name.startswith(key) and e.name.endswith(SUFFIX)]
        return []

    def write(self, key: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> Chunk:
        """A new chunk of a key; OSError when the disk or the limit has no room for it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        head = layout(arrays, facts)
        if not self._make_room(size_of(arrays, head)):
            raise CacheFullError(errno.EDQUOT, f"the limit of {self.limit} bytes leaves no room", str(self.folder))
        name = f"{key}-{os.urandom(6).hex()}"
        draft, path = self.folder / f".{name}{DRAFT}", self.folder / f"{name}{SUFFIX}"
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "wb") as file:
                write_chunk(file, head, arrays)
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        return read_chunk(path)

    def touch(self, path: Path) -> None:
        """Note that a chunk is used now."""
        with suppress(OSError):
            os.utime(path)

    def drop(self, path: Path) -> None:
        """Remove a chunk that is damaged, and say so the first time."""
        with suppress(OSError):
            path.unlink()
        self.warn("damage", f"{path}: stored activations are damaged; what is missing is computed anew")

    def warn(self, kind: str, told: str) -> None:
        """One line of warning, once for each kind."""
        if kind not in self._said:
            self._said.add(kind)
            warn(told)

    def claim(self, key: str) -> Claim | None:
        """The right to be the first that computes for a key; None when another process has it."""
        if self.limit is None:
            return Claim(None)
        with suppress(OSError):
            return claim(self.folder / f"{key}.claim")
        return None

    def _make_room(self, size: int) -> bool:
        """Evict what was used least recently until `size` bytes fit; nothing where they cannot."""
        if self.limit is None:
            return True
        held = claim(self.folder / "evict.claim", WAIT)  # without it two processes may evict more than they need
        try:
            found, mapped = sorted(self._files()), open_paths()
            excess = sum(bytes_ for _, bytes_, _ in found) + size - self.limit
            loose = [(path, bytes_) for _, bytes_, path in found if path.suffix == SUFFIX and path not in mapped]
            if size and sum(bytes_ for _, bytes_ in loose) < excess:
                return False
            for path, bytes_ in loose:
                if excess <= 0:
                    break
                with suppress(OSError):
                    path.unlink()
                    excess -= bytes_
            return excess <= 0
        finally:
            if held is not None:
                held.release()

    def _files(self) -> list[tuple[int, int, Path]]:
        """When each chunk or draft was last used, its size and its path."""
        found: list[tuple[int, int, Path]] = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process was quicker
                    if entry.name.endswith((SUFFIX, DRAFT)):
                        at = entry.stat()
                        found.append((at.st_mtime_ns, at.st_size, Path(entry.path)))
        return found

    def _sweep(self) -> None:
        """Remove drafts and claims that no living process uses."""
        for path in [*self.folder.glob(f".*{DRAFT}"), *self.folder.glob("*.claim")]:
            with suppress(OSError):
                old = time.time() - path.stat().st_mtime > LEFT
                mine = claim(path) if old and path.suffix == ".claim" else None
                if old and (mine is not None or path.suffix == DRAFT):
                    path.unlink()
                if mine is not None:
                    mine.release()


def shared_cache(size: str | int) -> Cache | None:
    """The cache that this user's runs share; None for size 0, or, with a warning of one line, where it cannot be."""
    limit = parse_size(size)
    if not limit:
        return None
    try:
        folder = cache_folder() / "activations"
        return Cache(folder, limit).open()
    except ResourceError as error:
        why = str(error)
    except OSError as error:
        why = reason(error, folder)
    warn(f"the cache cannot be used ({why}); what is computed is kept for this run only")
    return None


def reason(error: OSError, folder: Path) -> str:
    """What an error says, and of which file."""
    return f"{error.filename or folder}: {error.strerror or error}"


def warn(told: str) -> None:
    """One line of warning."""
    logging.getLogger("landbridge").warning("%s", ResourceError(told))
