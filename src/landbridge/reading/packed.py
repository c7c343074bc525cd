"""Tables that are packed, by gzip, bzip2 or xz or in a zip archive: unpacked once into the cache."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from landbridge.core.cache import cache_folder
from landbridge.core.errors import DataError
from landbridge.reading.archive import MAX_RATIO, RATIO_FROM
from landbridge.reading.store import first_line, key

PACKED: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
TEXTS = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".ts", ".txt"})
_BLOCK = 4 << 20


def ending(path: str | Path) -> str:
    """By what a file is read, in lower case: `.csv` of `rows.csv` and of `rows.csv.gz`, but `.gz` of `rows.gz`."""
    inside, last = Path(Path(path).stem).suffix.lower(), Path(path).suffix.lower()
    return inside if last in PACKED and inside in TEXTS else last


def stem(path: Path) -> str:
    """The name without what `ending` tells: `rows` of both `rows.csv` and `rows.csv.gz`."""
    return path.stem if ending(path) == path.suffix.lower() else Path(path.stem).stem


def unpacked(path: Path, cache: Path | None = None) -> Path:
    """The file itself, or of a packed one its copy in the cache folder, made by the first who asks.

    DataError where it is damaged, unpacks to far more than it weighs, or the copy cannot be written.
    """
    if ending(path) == path.suffix.lower():
        return path
    target = cache_folder(cache) / "tables" / f"{key(path)}{ending(path)}"
    if not target.exists():
        with PACKED[path.suffix.lower()](path, "rb") as source, _room(path, target):
            _write(_blocks(source, path), target)
    return target


@contextmanager
def extracted(path: Path, names: Sequence[str], cache: Path | None = None) -> Generator[Path]:
    """Members of an archive side by side in a folder of the cache, made by the first who asks; one alone is a file.

    DataError where they lie in several folders, or as for `unpacked`; of errors about them inside the context, too, the
    text names the archive.
    """
    homes = sorted({str(PurePosixPath(name).parent) for name in names})
    if len(homes) > 1:
        raise DataError(f"{path}: holds tables in several folders ({', '.join(homes[:3])}); unpack it and name a file")
    target = cache_folder(cache) / "tables" / key(path, *names)
    if not target.exists():
        with _room(path, target):
            _extract(path, names, target)
    try:
        yield target / PurePosixPath(names[0]).name if len(names) == 1 else target
    except DataError as error:
        raise DataError(str(error).replace(f"{target}/", f"{path}:").replace(str(target), str(path))) from error


def _extract(path: Path, names: Sequence[str], target: Path) -> None:
    """All members or none, as for one file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                with archive.open(name) as source:
                    _write(_blocks(source, path), draft / PurePosixPath(name).name)
        if not target.exists():  # another process may have been first
            draft.rename(target)
    except (NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: packed in a way that cannot be read ({error}); make the archive again") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _room(path: Path, target: Path) -> Generator[None]:
    """A copy that cannot be written is an error of one line."""
    try:
        yield
    except OSError as error:
        told = f"cannot be unpacked into {target.parent} ({error.strerror})"
        raise DataError(f"{path}: {told}; unpack it yourself, or set LANDBRIDGE_CACHE to a folder") from error


def _blocks(source: IO[Any], path: Path) -> Iterator[bytes]:
    """What is in the file, no more than a file of its weight may hold."""
    weight, written = path.stat().st_size, 0
    while True:
        try:
            block = source.read(_BLOCK)
        except (EOFError, OSError, lzma.LZMAError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: packed, but cut off or damaged ({first_line(error)}); fetch it again") from error
        if not block:
            return
        written += len(block)
        if written > RATIO_FROM and written > MAX_RATIO * weight:
            told = f"unpacks to more than {written >> 20} MB from {weight} bytes, like a decompression bomb"
            raise DataError(f"{path}: {told}; unpack it yourself")
        yield block


def _write(blocks: Iterator[bytes], target: Path) -> None:
    """Write beside the target and rename, so that nobody ever sees a half."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as sink:
            sink.writelines(blocks)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
