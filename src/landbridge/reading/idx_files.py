"""IDX, the format of MNIST and of sets made like it: pictures and labels as bare bytes in two files, gzipped or not.

`train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz` belong together, and to the `t10k` or `test` files beside
them (LeCun, Cortes & Burges, The MNIST database, 1998).
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from landbridge.core.errors import DataError
from landbridge.reading.material import split_name
from landbridge.reading.options import Options

_NAME = re.compile(r"^(?P<set>.*?)[-_.]?(?P<what>images|labels)[-_.]idx\d[-_]ubyte(?P<gz>\.gz)?$", re.IGNORECASE)
_SPLIT = re.compile(r"(?P<split>[a-z0-9]+)$", re.IGNORECASE)
_LARGEST = 4 << 30  # bytes of one array
_BYTES = 8  # type of the header's third byte that pictures and their labels have


def is_idx(name: str) -> bool:
    """Whether a file is named as such sets are."""
    return _NAME.match(name) is not None


def holds_idx(place: Path) -> bool:
    """Whether it is such a file, or a folder with one."""
    return any(is_idx(p.name) for p in place.iterdir()) if place.is_dir() else is_idx(place.name)


def idx_arrays(place: Path, options: Options | None = None) -> dict[str, np.ndarray]:
    """X and y, or X_train, y_train, X_test, y_test, of a folder of such files or of one of pictures and what belongs
    to it. Labels are left out where there are none. DataError in one line for what is torn or does not fit together.
    """
    files = sorted(p for p in (place if place.is_dir() else place.parent).iterdir() if p.is_file() and is_idx(p.name))
    if place.is_file():
        base, split = _set_of(place)
        partners = [p for p in files if _set_of(p)[0] == base and (split == "train" or _set_of(p)[1] == split)]
        files = partners if options is not None else [place]
    names = {_set_of(p)[0] for p in files}
    if len(names) > 1:
        raise DataError(f"{place}: holds {len(names)} data sets; name one file, such as {files[0].name}")
    found: dict[str, np.ndarray] = {}
    roles = {_set_of(p)[1] for p in files}
    for path in files:
        role = _set_of(path)[1] if len(roles) > 1 else ""
        name = ("y" if _what(path) == "labels" else "X") + (f"_{role}" if role else "")
        if name in found:
            raise DataError(f"{path}: there is another file of the same part beside it; keep one of them")
        found[name] = load_idx(path)
        if name[0] == "X" and options is not None and not any(_set_of(p) == _set_of(path) for p in files if p != path):
            wanted = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
            raise DataError(f"{path}: its labels are not beside it; add {wanted}")
    return _as_asked(found, options) if options is not None else found


def load_idx(path: Path) -> np.ndarray:
    """The array of one file; DataError where it is no IDX file of bytes, is cut off, or has bytes to spare."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _BYTES or not 1 <= head[3] <= 4:
                raise DataError(f"{path}: does not begin as an IDX file of bytes; download it again")
            lengths = file.read(4 * head[3])
            if len(lengths) < 4 * head[3]:
                raise DataError(f"{path}: the file ends within its header; download it again")
            shape = struct.unpack(f">{head[3]}I", lengths)
            size = math.prod(shape)
            if size > _LARGEST:
                raise DataError(f"{path}: the array {shape} is larger than {_LARGEST >> 30} GB; give class folders")
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, PermissionError):
            raise
        raise DataError(f"{path}: cannot be unpacked ({error}); download it again") from error
    if len(data) != size:
        told = "more" if len(data) > size else f"{len(data)}"
        raise DataError(f"{path}: the header promises {size} bytes {shape}, the file holds {told}; download it again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _as_asked(found: dict[str, np.ndarray], options: Options) -> dict[str, np.ndarray]:
    """The parts that the person named instead of those that lie there; `none` leaves a part out."""
    for role, asked in (("validation", options.validation), ("test", options.test)):
        if asked is None:
            continue
        found = {n: a for n, a in found.items() if not n.endswith(f"_{role}")}
        if str(asked).lower() == "none":
            continue
        if not asked.is_file() or not is_idx(asked.name):
            raise DataError(f"--{role} {asked}: is no IDX file of pictures; name one beside its labels")
        other = idx_arrays(asked, Options(test=Path("none"), validation=Path("none")))
        found = {("y_train" if n[0] == "y" else "X_train") if "_" not in n else n: a for n, a in found.items()}
        found |= {f"{n[0]}_{role}": a for n, a in other.items()}
    return found


def _set_of(path: Path) -> tuple[str, str]:
    """The set that a file belongs to and its part of it: `kmnist-t10k-images-...` to (`kmnist`, `test`)."""
    match = _NAME.match(path.name)
    assert match is not None
    word = _SPLIT.search(match["set"])
    split = {"t10k": "test"}.get(word["split"].lower(), split_name(word["split"])) if word else None
    return (match["set"][: word.start()].strip("-_.").lower(), split) if word and split else (match["set"].lower(), "")


def _what(path: Path) -> str:
    match = _NAME.match(path.name)
    assert match is not None
    return match["what"].lower()
