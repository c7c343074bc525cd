"""What a zip archive holds, looked at without extracting anything, and refused where it is unsafe."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from landbridge.core.errors import DataError

MAX_ENTRIES = 1_000_000
MAX_TOTAL = 1 << 40  # bytes of all members unpacked; members are read one at a time
MAX_RATIO, RATIO_FROM = 100, 10 << 20  # a member above 10 MB that shrank more than 100 times is a bomb


def members(path: Path) -> list[str]:
    """The files of an archive in natural order, hidden ones included.

    Raises DataError when the archive is no zip, is encrypted, or has members that leave it, are links, or unpack to
    far more than they weigh.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: not a readable zip archive ({error}); make it again") from error
    except (NotImplementedError, ValueError) as error:
        raise DataError(f"{path}: the zip archive is of a kind that cannot be read ({error}); make it again") from error
    if len(entries) > MAX_ENTRIES:
        raise DataError(f"{path}: {len(entries)} files are more than {MAX_ENTRIES}; unpack it and name the folder")
    if sum(e.file_size for e in entries) > MAX_TOTAL:
        raise DataError(f"{path}: unpacks to more than {MAX_TOTAL >> 30} GB; unpack it and name the folder")
    for entry in entries:
        _check(path, entry)
    names = [e.filename for e in entries]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"{path}: the member '{twice}' is in the archive twice; make the archive again")
    return names


def _check(path: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or PureWindowsPath(name).drive or ".." in pure.parts or "\0" in name:
        raise DataError(f"{path}: the member '{name}' leaves the archive's folder; make the archive again without it")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise DataError(f"{path}: the member '{name}' is a link; make the archive again with the file itself")
    if entry.flag_bits & 0x1:
        raise DataError(f"{path}: the member '{name}' is protected by a password; unpack it and zip it without one")
    if entry.file_size > RATIO_FROM and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        raise DataError(
            f"{path}: the member '{name}' unpacks to {entry.file_size >> 20} MB from {entry.compress_size} bytes, "
            "like a decompression bomb; remove it or unpack it yourself"
        )
