"""What it takes to ship a source: one small file in `embedded_models/` with a value `MODEL`."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from landbridge.core.errors import MissingExtra, SourceError, UnknownName
from landbridge.core.model import Body
from landbridge.sources import embedded_models
from landbridge.sources.weights_file import sha256


@dataclass(frozen=True, kw_only=True)
class EmbeddedModel:
    """A model that comes inside a Python package.

    folder: where it lies, None when the package is not installed; must not import the package. open: the body of the
    folder, with weights or without; rebuild: the body from `Body.files()`. `library` and `extra` say how to get it; a
    model without an extra comes with landbridge itself, and is offered only where its weights have been put.
    """

    name: str
    reads: str
    parameters: int
    licence: str
    note: str
    library: str
    extra: str
    weights: str
    sha256: str
    folder: Callable[[], Path | None]
    open: Callable[[Path, str, bool], Body]
    rebuild: Callable[[Mapping[str, bytes], str], Body]

    @property
    def offered(self) -> bool:
        """Whether it is here or can be installed."""
        return bool(self.extra) or self.folder() is not None

    def checked_folder(self) -> Path:
        """The model folder, its weights verified by hash; MissingExtra or SourceError otherwise."""
        folder = self.folder()
        if folder is None and not self.extra:
            raise SourceError(f"embedded:{self.name}: this installation holds no weights for it; choose another source")
        if folder is None:
            raise MissingExtra(self.library, self.extra, f"the source embedded:{self.name}")
        file = folder / self.weights
        if not file.is_file():
            raise SourceError(f"embedded:{self.name}: {file} is missing; reinstall {self.library}")
        if sha256(file) != self.sha256:
            raise SourceError(
                f"embedded:{self.name}: {file} is not the file it should be (sha256 {sha256(file)[:12]}..., expected "
                f"{self.sha256[:12]}...); reinstall {self.library}"
            )
        return folder


@cache
def models() -> dict[str, EmbeddedModel]:
    """Every model that a file in `embedded_models/` describes, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(embedded_models.__path__))
    found = [import_module(f"{embedded_models.__name__}.{name}").MODEL for name in names]
    return {model.name: model for model in found}


def find(name: str) -> EmbeddedModel:
    """One model by name; UnknownName offers the nearest."""
    if name not in models():
        raise UnknownName("embedded source", name, models())
    return models()[name]
