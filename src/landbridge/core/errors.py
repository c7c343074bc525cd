"""What can go wrong, each kind with its exit code, so that a script can tell a bad file from a missing extra."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class LandbridgeError(Exception):
    """A failure the person can mend; its text is one line: what is wrong, where, and what to do."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """One line whatever a file name or a cell holds: line ends and control characters become spaces."""
        return "".join(c if c.isprintable() else " " for c in super().__str__())


class DataError(LandbridgeError):
    """The data cannot be used as it is (names the file, row or column)."""

    exit_code = 3


class SourceError(LandbridgeError):
    """A pretrained source cannot be found, opened or trusted."""

    exit_code = 4


class ArtifactError(LandbridgeError):
    """An artifact is torn, changed or of another schema."""

    exit_code = 5


class MissingExtra(LandbridgeError):
    """An optional library is needed that is not installed (names the extra)."""

    exit_code = 6

    def __init__(self, library: str, extra: str, reason: str) -> None:
        super().__init__(f"{reason} needs {library}, which is not installed: pip install 'landbridge[{extra}]'")


class ResourceError(LandbridgeError):
    """The machine ran out of something: disk, memory, permissions or time."""

    exit_code = 7


class OutOfTimeError(ResourceError):
    """The time allowed is not enough for what was asked; `share` of it would have fitted."""

    def __init__(self, message: str, share: float = 0.0) -> None:
        super().__init__(message)
        self.share = share


class UsageError(LandbridgeError, ValueError):
    """An option or a part's field has a value it cannot have."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that nothing answers to; the nearest names are offered."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        offer = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {what} '{name}'; {offer}")
