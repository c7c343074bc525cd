"""Tables as Arrow: small ones in memory, large ones in a memory-mapped file of the cache folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from landbridge.core.cache import cache_folder
from landbridge.core.errors import DataError
from landbridge.core.files import resources

IN_MEMORY = 64 << 20  # bytes of source file up to which a table stays in memory
_VERSION = "1"  # of the conversion; another number makes old cache files useless


def key(path: Path, *more: str) -> str:
    """A name for the conversion of a file that changes when the file or the way of reading it does."""
    at = path.stat()
    text = "\0".join([_VERSION, str(path.resolve()), str(at.st_size), str(at.st_mtime_ns), *more])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def keep(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], cache: Path | None, *more: str) -> pa.Table:
    """A table of the batches that came from `path`, memory-mapped when the file is large; written once, then reused."""
    if path.stat().st_size <= IN_MEMORY:
        return pa.Table.from_batches(list(batches), schema=schema)
    home = cache_folder(cache) / "tables"
    target = home / f"{key(path, str(schema), *more)}.arrow"
    if not target.exists():
        _write(target, schema, batches)
    return mapped(target)


def mapped(path: Path) -> pa.Table:
    """An Arrow file or stream as a table whose columns stay on disk."""
    try:
        source = pa.memory_map(str(path))
        try:
            return pa.ipc.open_file(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_stream(source).read_all()
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise DataError(f"{path}: not a readable Arrow file ({first_line(error)}); save it again") from error


def first_line(error: BaseException) -> str:
    """The first line of a library's message, shortened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _write(target: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    with resources(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(handle)
        draft = Path(name)
        try:
            with pa.OSFile(str(draft), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
