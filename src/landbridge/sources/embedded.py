"""`embedded:` sources: models that come inside Python packages, so that nothing has to be fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from landbridge.core.errors import SourceError
from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.sources.embedded_model import find, models
from landbridge.sources.named import NamedBody

NAME_FILE = "embedded.json"


@part("embedded")
class Embedded:
    """`embedded:NAME`, such as `embedded:minilm`; weights are verified by their sha256 when opened."""

    def open(self, address: str, *, weights: bool = True, modality: str | None = None) -> Body:
        """The body of an embedded model; MissingExtra names the extra to install when its package is absent."""
        model = find(address)
        body = model.open(model.checked_folder(), f"embedded:{address}", weights)
        return _named(body, address)

    def rebuild(self, files: Mapping[str, bytes]) -> Body:
        """The architecture from `Body.files()`; the package need not be installed."""
        if NAME_FILE not in files:
            raise SourceError(f"embedded: {NAME_FILE} is missing from the saved source files")
        name = json.loads(files[NAME_FILE])["name"]
        return _named(find(name).rebuild(files, f"embedded:{name}"), name)

    def known(self) -> list[dict[str, Any]]:
        """Every embedded model that is here or can be installed."""
        return [
            {
                "address": f"embedded:{model.name}",
                "reads": model.reads,
                "parameters": model.parameters,
                "licence": model.licence,
                "note": model.note
                if model.folder()
                else f"{model.note}; needs pip install 'landbridge[{model.extra}]'",
            }
            for model in models().values()
            if model.offered
        ]

    @staticmethod
    def lacking() -> list[str]:
        """What this installation was made without, one line each."""
        return [f"embedded:{m.name}: no weights in this installation" for m in models().values() if not m.offered]


def _named(body: Body, name: str) -> Body:
    return NamedBody(body, address=f"embedded:{name}", files={NAME_FILE: json.dumps({"name": name}).encode()})
