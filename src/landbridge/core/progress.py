"""How long work tells what it is doing; a terminal draws it, a pipe stays silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One report: the stage, how far it is (0 to 1), what it is about now, the best score so far, seconds left."""

    stage: str
    done: float | None = None
    detail: str = ""
    best: float | None = None
    left: float | None = None


class Progress(Protocol):
    """Receives ticks; must be cheap, is called often."""

    def __call__(self, tick: Tick) -> None: ...


def silent(tick: Tick) -> None:
    """Progress that nobody watches."""
