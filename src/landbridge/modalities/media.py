"""The cells that hold a whole file: a blob on disk, raw bytes, or the mapping that Hugging Face `datasets` stores."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landbridge.core.errors import DataError
from landbridge.core.examples import Blob


def payload(cell: Any, what: str) -> tuple[str, bytes]:
    """Name and bytes of a stored file; `what` names the kind ("image", "sound") in errors.

    Raises DataError when the cell is empty, missing, or holds something that is not a file.
    """
    if isinstance(cell, Path):
        cell = Blob(cell)
    if isinstance(cell, Blob):
        return cell.name, cell.read()
    if isinstance(cell, Mapping):
        path, data = cell.get("path"), cell.get("bytes")
        if data is None and path:
            return payload(Path(str(path)), what)
        return payload_of_bytes(data, str(path) if path else f"the {what}", what)
    return payload_of_bytes(cell, f"the {what}", what)


def payload_of_bytes(data: Any, name: str, what: str) -> tuple[str, bytes]:
    """Check raw bytes; DataError naming `name` when they are none or empty."""
    if data is None:
        raise DataError(f"{name}: the {what} is missing; remove the row or give a file")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DataError(f"{name}: expected the bytes of a {what} file, got {type(data).__name__}; store files or bytes")
    if len(data) == 0:
        raise DataError(f"{name}: the file is empty (0 bytes); remove or replace it")
    return name, bytes(data)


def data_uri(kind: str, data: bytes) -> str:
    """Bytes as a `data:` address of media type `kind`, for use inside a page that opens offline."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def check_severity(kind: str, severity: int, corruptions: tuple[str, ...]) -> None:
    """Raise DataError when a corruption is unknown or its severity is not 1 to 5."""
    if kind not in corruptions:
        raise DataError(f"unknown corruption '{kind}'; choose one of {', '.join(corruptions)}")
    if not 1 <= severity <= 5:
        raise DataError(f"corruption {kind}: severity must be from 1 to 5, got {severity}")
