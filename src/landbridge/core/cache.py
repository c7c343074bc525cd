"""The user's cache folder, and how much may lie in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from landbridge.core.errors import ResourceError, UsageError

DEFAULT_SIZE = "10G"  # of stored activations that runs share
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


def cache_folder(asked: Path | None = None) -> Path:
    """The folder as asked, else LANDBRIDGE_CACHE, else the user's cache folder by the XDG rules."""
    if asked is not None:
        return asked
    named = os.environ.get("LANDBRIDGE_CACHE")
    if named:
        return Path(named).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    if base.is_absolute():  # the XDG rules tell to ignore a relative one
        return base / "landbridge"
    try:
        return Path.home() / ".cache" / "landbridge"
    except RuntimeError as error:
        raise ResourceError("this user has no home folder for the cache; set LANDBRIDGE_CACHE to a folder") from error


def parse_size(value: str | int) -> int:
    """`500M`, `10G`, `1.5GiB` or a number of bytes to bytes, by powers of 1024; UsageError with examples otherwise."""
    text = str(value).strip().lower()
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text)
    if found is None or isinstance(value, bool):
        raise UsageError(
            f"cannot read '{value}' as a cache size; write 500M or 10G, or 0 to keep nothing after the run"
        )
    return int(float(found[1]) * (1 << _UNITS[found[2]]))
