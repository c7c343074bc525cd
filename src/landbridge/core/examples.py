"""The examples that more than one room must agree on. Images are RGB `PIL.Image`, texts are `str`, rows are mappings
(column to float, text or None), series are float32 arrays (channels, length)."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landbridge.core.errors import DataError


class Sound(NamedTuple):
    """A mono sound: wave float32 in [-1, 1], shape (samples,); rate in Hz."""

    wave: np.ndarray
    rate: int


@dataclass(frozen=True)
class Blob:
    """The bytes of one file, on disk or inside a zip archive; read when asked for, never extracted."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """How messages and reports name it."""
        return f"{self.path.name}:{self.member}" if self.member else str(self.path)

    def read(self) -> bytes:
        """All bytes; DataError naming the file when it is empty or cannot be read."""
        try:
            if self.member:
                at = self.path.stat()
                data = _archive(self.path, at.st_mtime_ns, at.st_size, os.getpid()).read(self.member)
            else:
                data = self.path.read_bytes()
        except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            why = str(error)[:160]
            raise DataError(f"{self.name}: cannot be read ({why}); check the file and its permissions") from error
        if not data:
            raise DataError(f"{self.name}: the file is empty (0 bytes); remove or replace it")
        return data


@lru_cache(maxsize=8)
def _archive(path: Path, changed: int, size: int, process: int) -> zipfile.ZipFile:
    """An archive kept open, one for each process: reading its directory anew would cost more than most members."""
    return zipfile.ZipFile(path)
