"""Where an artifact may go: checked before the work begins, so that hours are not lost and nothing else is replaced."""

from __future__ import annotations

import os
from pathlib import Path

from landbridge.core.artifact import MANIFEST
from landbridge.core.domain import Domain
from landbridge.core.errors import ResourceError, UsageError


def destination(domain: Domain, out: str | Path | None) -> Path:
    """Where the artifact of a run on this data goes, checked before any work is done."""
    folder = Path(out) if out is not None else Path("landbridge-runs") / domain.name
    check_destination(folder)
    return folder


def check_destination(folder: Path) -> None:
    """Refuse a destination that cannot be written, or that holds something which is no artifact.

    An earlier artifact and an empty folder may be replaced. Nothing is created by asking.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"--out {folder}: this is a file or a link; name a new folder")
    if folder.is_dir():
        try:
            names = {entry.name for entry in folder.iterdir()}
        except OSError as error:
            raise ResourceError(f"{folder}: permission denied; choose a folder you may write to with --out") from error
        if names and MANIFEST not in names:
            raise UsageError(f"--out {folder}: this folder holds other files ({min(names)}); name a new folder")
    parent = folder.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UsageError(f"--out {folder}: {parent} is a file; name a folder that does not lie below it")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ResourceError(f"{parent}: permission denied; choose a folder you may write to with --out")
