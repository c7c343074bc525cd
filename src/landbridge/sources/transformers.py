"""`transformers:` sources: models in Hugging Face's layout, from a folder, a file or the local hub cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.sources.hub_address import cached, locate
from landbridge.sources.hub_folder import open_place, rebuild


@part("transformers", paper="Wolf et al. 2020, Transformers: State-of-the-Art Natural Language Processing")
class Transformers:
    """`transformers:FOLDER`, `transformers:FOLDER/model.safetensors` or `transformers:OWNER/NAME` from the local cache.

    Nothing is downloaded, no code of a model folder is run, no pickle is read. The task head of the checkpoint is left
    out; what remains gives the library's own hidden states.
    """

    def open(self, address: str, *, weights: bool = True, modality: str | None = None) -> Body:
        """The body behind an address; SourceError says what is missing and how to get it."""
        return open_place(locate(address, "transformers"), address=f"transformers:{address}", weights=weights)

    def rebuild(self, files: Mapping[str, bytes]) -> Body:
        """The architecture from `Body.files()`, weights random."""
        return rebuild(files, "transformers:saved")

    def known(self) -> list[dict[str, Any]]:
        """What lies in the local hub cache."""
        return cached("transformers")
