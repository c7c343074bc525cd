"""A chunk: what was computed for some rows, in one file that never changes once it has its name.

The file is a first line, the length and checksum of a JSON index, the index, then raw arrays, each at a multiple of 64
bytes with a checksum of its own that is compared before the array is first used. Rows are named by digests of the
prepared arrays that the body read, so a chunk says nothing about where its rows came from.
"""

from __future__ import annotations

import json
import math
import struct
import weakref
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

FIRST = b"landbridge activations 1\n"
DIGEST = "S16"
_INDEX = struct.Struct("<QI")
_ALIGN = 64
_OPEN: weakref.WeakSet[Chunk] = weakref.WeakSet()


class Lost(Exception):
    """A chunk that can no longer be read: `damaged`, or evicted by another process."""

    def __init__(self, chunk: Chunk, *, damaged: bool) -> None:
        super().__init__(str(chunk.path))
        self.chunk = chunk
        self.damaged = damaged


class Chunk:
    """Arrays of some rows, memory-mapped when first asked for; or held in memory, when they have no file."""

    def __init__(self, path: Path | None, index: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.path = path
        self.index = index
        self._arrays = dict(arrays)
        self._bytes: np.ndarray | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the writer noted, as plain JSON."""
        return self.index["facts"]

    @property
    def digests(self) -> np.ndarray:
        """The names of the rows, in the order of their slots."""
        return self.array("rows")

    def array(self, name: str) -> np.ndarray:
        """One array, mapped and compared with its checksum the first time; Lost when that fails."""
        if name not in self._arrays:
            place = self.index["arrays"][name]
            try:
                raw = self._mapped()[place["start"] : place["start"] + place["size"]]
                if len(raw) != place["size"] or zlib.crc32(raw) != place["crc32"]:
                    raise Lost(self, damaged=True)
                self._arrays[name] = raw.view(np.dtype(place["dtype"])).reshape(place["shape"])
            except FileNotFoundError as error:
                raise Lost(self, damaged=False) from error
            except (OSError, ValueError, TypeError) as error:
                raise Lost(self, damaged=True) from error
        return self._arrays[name]

    def release(self) -> None:
        """Let go of a file that is mapped, so that its pages do not count as this process's memory."""
        if self.path is not None:
            self._arrays = {name: array for name, array in self._arrays.items() if name == "rows"}
            self._bytes = None
            _OPEN.discard(self)

    def _mapped(self) -> np.ndarray:
        if self._bytes is None:
            assert self.path is not None
            self._bytes = np.memmap(self.path, np.uint8, mode="r")
            _OPEN.add(self)
        return self._bytes


def open_paths() -> set[Path]:
    """The files that this process has mapped."""
    return {chunk.path for chunk in list(_OPEN) if chunk.path is not None}


def in_memory(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> Chunk:
    """A chunk without a file."""
    return Chunk(None, {"facts": facts}, arrays)


def read_chunk(path: Path) -> Chunk:
    """The chunk of a file, its index and the names of its rows read; Lost when it is not whole."""
    try:
        with path.open("rb") as file:
            head = file.read(len(FIRST) + _INDEX.size)
            length, checksum = _INDEX.unpack(head[len(FIRST) :])
            size = path.stat().st_size
            text = file.read(length) if length <= size else b""
            index = json.loads(text) if zlib.crc32(text) == checksum and head.startswith(FIRST) else {}
            place = index["arrays"]["rows"]
            file.seek(place["start"])
            names = file.read(place["size"])
    except FileNotFoundError as error:
        raise Lost(Chunk(path, {}, {}), damaged=False) from error
    except (OSError, ValueError, LookupError, struct.error) as error:
        raise Lost(Chunk(path, {}, {}), damaged=True) from error
    if index["size"] != size or zlib.crc32(names) != place["crc32"]:
        raise Lost(Chunk(path, {}, {}), damaged=True)
    return Chunk(path, index, {"rows": np.frombuffer(names, DIGEST)})


def layout(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> bytes:
    """The first bytes of a chunk's file, up to where its arrays begin; the index tells its whole size."""
    places: dict[str, dict[str, Any]] = {}
    start = 0
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        shape, dtype = list(array.shape), array.dtype.str
        places[name] = {"dtype": dtype, "shape": shape, "start": start, "size": len(raw), "crc32": zlib.crc32(raw)}
        start = _aligned(start + len(raw))
    before, room = -1, 0
    while room != before:  # offsets count from the file's first byte, and their digits are part of what comes before
        before = room
        moved = {n: {**p, "start": p["start"] + room} for n, p in places.items()}
        index = {"facts": dict(facts), "arrays": moved, "size": start + room}
        text = json.dumps(index, allow_nan=False).encode()
        room = _aligned(len(FIRST) + _INDEX.size + len(text))
    return (FIRST + _INDEX.pack(len(text), zlib.crc32(text)) + text).ljust(room, b"\0")


def write_chunk(file: BinaryIO, head: bytes, arrays: Mapping[str, np.ndarray]) -> None:
    """Write what `layout` laid out."""
    file.write(head)
    for array in arrays.values():
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        file.write(raw)
        file.write(bytes(_aligned(len(raw)) - len(raw)))
    file.flush()


def size_of(arrays: Mapping[str, np.ndarray], head: bytes) -> int:
    """Bytes of a chunk's file."""
    return len(head) + sum(_aligned(a.nbytes) for a in arrays.values())


def packed(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Floats as float16 after division by a power of two, and its exponent.

    float16 keeps 11 bits, bfloat16 8; what a body computed in bfloat16 loses nothing. The power of two brings the
    largest value near the top of float16's narrow range, so that none overflows and small ones keep their bits.
    """
    finite = np.abs(values[np.isfinite(values)])
    top = float(finite.max()) if finite.size else 0.0
    exponent = math.frexp(top)[1] - 15 if top > 0 else 0
    return np.ldexp(values, -exponent).astype(np.float16), exponent


def unpacked(values: np.ndarray, exponent: int) -> np.ndarray:
    """What `packed` made, as float32."""
    return np.ldexp(values.astype(np.float32), exponent)


def _aligned(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN
