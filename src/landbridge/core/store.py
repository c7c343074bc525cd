"""Where an artifact's files lie, a folder or a `.zip` of it, read with suspicion: no links, no surprises, no bombs."""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from landbridge.core.errors import ArtifactError

LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # what file browsers leave behind; never read
MOST_FILES = 10_000
_UNREADABLE = (OSError, KeyError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class Store:
    """The regular files of an artifact: relative POSIX path to size in bytes, and how to read one of them."""

    name: str
    sizes: dict[str, int]
    fetch: Callable[[str, int], bytes]

    def read(self, relative: str, size: int) -> bytes:
        """Exactly `size` bytes of a file; ArtifactError when it is longer, shorter or unreadable."""
        try:
            data = self.fetch(relative, size + 1)
        except _UNREADABLE as error:
            raise ArtifactError(f"{self.name}/{relative}: cannot be read ({error}); copy the artifact again") from error
        if len(data) != size:
            raise ArtifactError(f"{self.name}/{relative}: has another size than the manifest says; copy it again")
        return data


def open_store(path: Path) -> Store:
    """The files of an artifact folder or of its `.zip`; ArtifactError when there is none or it holds links."""
    if path.is_dir():
        return _folder(path)
    if path.is_file() and zipfile.is_zipfile(path):
        return _archive(path)
    if path.exists():
        raise ArtifactError(f"{path}: is neither an artifact folder nor a .zip of one; give the folder `run` wrote")
    old = sorted(path.parent.glob(f".{path.name}.old.*")) if path.parent.is_dir() else []
    if old:  # the writer was killed after it set the old folder aside and before the new one took its name
        return _folder(old[-1])
    raise ArtifactError(f"{path}: there is no such artifact; give the folder that `landbridge run` wrote")


def check_name(store: str, relative: str) -> None:
    """Refuse a path that is not a plain relative POSIX path."""
    pure = PurePosixPath(relative)
    plain = relative == str(pure) and relative.isprintable() and not set(relative) & set('\\:*?"<>|')
    if not plain or pure.is_absolute() or ".." in pure.parts or not pure.parts or len(relative) > 240:
        raise ArtifactError(f"{store}: the file name {relative[:80]!r} is not a plain relative path; do not trust it")


def _folder(root: Path) -> Store:
    sizes: dict[str, int] = {}
    waiting = [root]
    try:
        while waiting:
            for entry in _listed(waiting.pop()):
                relative = Path(entry.path).relative_to(root).as_posix()
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(Path(entry.path))
                elif not stat.S_ISREG(status.st_mode):
                    raise ArtifactError(f"{root}/{relative}: is a link or a device; replace it by the file itself")
                elif entry.name not in LITTER:
                    sizes[relative] = status.st_size
                if len(sizes) + len(waiting) > MOST_FILES:
                    raise ArtifactError(f"{root}: holds more than {MOST_FILES} files; this is not an artifact")
    except OSError as error:
        raise ArtifactError(f"{root}: cannot be listed ({error}); check its permissions") from error

    def fetch(relative: str, limit: int) -> bytes:
        # no-follow: a file that became a link since the listing is refused by the system
        handle = os.open(root / relative, os.O_RDONLY | (os.O_NOFOLLOW if os.name == "posix" else 0))
        with os.fdopen(handle, "rb") as file:
            return file.read(limit)

    return Store(str(root), sizes, fetch)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _archive(path: Path) -> Store:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ArtifactError(f"{path}: cannot be read as a zip archive ({error}); copy it again") from error
    members = [m for m in archive.infolist() if not m.is_dir()]
    if len(members) > MOST_FILES:
        raise ArtifactError(f"{path}: holds more than {MOST_FILES} files; this is not an artifact")
    tops = {m.filename.split("/")[0] + "/" for m in members}
    prefix = tops.pop() if len(tops) == 1 and all("/" in m.filename for m in members) else ""
    inner: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        relative = member.filename.removeprefix(prefix)
        check_name(str(path), relative)
        if stat.S_ISLNK(member.external_attr >> 16) or relative in inner:
            raise ArtifactError(f"{path}/{relative}: is a link or comes twice in the archive; zip the folder anew")
        if member.file_size > 2**20 + 200 * member.compress_size:
            raise ArtifactError(f"{path}/{relative}: unpacks to {member.file_size} bytes; not trusted, refused")
        if PurePosixPath(relative).name not in LITTER:
            inner[relative] = member

    def fetch(relative: str, limit: int) -> bytes:
        with archive.open(inner[relative]) as file:
            return file.read(limit)  # never more than the manifest allows, whatever the archive claims

    return Store(str(path), {name: m.file_size for name, m in inner.items()}, fetch)
