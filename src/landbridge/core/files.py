"""Files are written whole or not at all, and never outside the folder they belong to."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from landbridge.core.errors import DataError, ResourceError

WAYS_OUT = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder with --out",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder with --out",
    errno.EFBIG: "the file is larger than is allowed here; raise the limit or choose another folder with --out",
    errno.EACCES: "permission denied; choose a folder you may write to with --out",
    errno.EPERM: "permission denied; choose a folder you may write to with --out",
    errno.EROFS: "the file system is read-only; choose another folder with --out",
    errno.EEXIST: "a file stands where a folder is needed; choose another folder with --out",
    errno.ENOTDIR: "a file stands where a folder is needed; choose another folder with --out",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one with --out",
    errno.EIO: "the disk failed; choose a folder on another disk with --out",
}


@contextmanager
def resources(path: Path) -> Generator[None]:
    """Turn disk-full, no-permission and the like into a ResourceError that names the path and the way out."""
    try:
        yield
    except OSError as error:
        if error.errno not in WAYS_OUT:
            raise
        raise ResourceError(f"{path}: {WAYS_OUT[error.errno]}") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees the old one or the new one, never a part."""
    with resources(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: two-space indent, keys in order of insertion, no NaN (it is not JSON)."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """A folder that appears whole: fill the yielded one; it is renamed to `path` on success, removed on failure.

    An existing `path` is replaced only after the new one is complete.
    """
    with resources(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield draft
            draft.chmod(0o755)
            old = path.with_name(f".{path.name}.old.{os.getpid()}")
            if path.exists():
                path.rename(old)
            try:
                draft.rename(path)
            except OSError:
                if old.exists():
                    old.rename(path)
                raise
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def inside(root: Path, relative: str, *, where: str) -> Path:
    """`root / relative`, refused when it is absolute, climbs out, or follows a link out of `root`."""
    pure = PurePosixPath(relative.replace("\\", "/"))
    if pure.is_absolute() or PureWindowsPath(relative).drive or ".." in pure.parts or "\0" in relative:
        raise DataError(f"{where}: the path '{relative}' leaves the data folder; use paths relative to it")
    full = root / pure
    try:
        within = full.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError) as error:  # links that lead in a circle
        raise DataError(
            f"{where}: the path '{relative}' cannot be followed ({error}); put the file itself there"
        ) from error
    if not within:
        raise DataError(f"{where}: the path '{relative}' is a link out of the data folder; copy the file into it")
    return full
