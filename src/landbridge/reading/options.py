"""What a person may say about the data instead of leaving it to detection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from landbridge.core import registry
from landbridge.core.errors import UnknownName


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything that overrules a guess; None leaves it to detection, "none" switches the detection off."""

    modality: str | None = None
    task: str | None = None
    metric: str | None = None
    input: str | None = None
    target: str | None = None
    id: str | None = None
    group: str | None = None
    time: str | None = None
    split: str | None = None
    validation: Path | None = None
    test: Path | None = None
    seed: int = 0
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.modality is not None and self.modality not in registry.names("modalities"):
            raise UnknownName("modality", self.modality, registry.names("modalities"))
        if self.task is not None and self.task not in registry.names("tasks"):
            raise UnknownName("task", self.task, registry.names("tasks"))

    def with_modality(self, modality: str) -> Options:
        """The same with the modality settled."""
        return replace(self, modality=modality)


def off(value: str | None) -> bool:
    """Whether an option says that there is no such column."""
    return value is not None and value.lower() == "none"
