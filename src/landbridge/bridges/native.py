"""The source already reads this kind of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from landbridge.bridges.rerouted import rerouted
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Body
from landbridge.core.parts import choice, part, whole
from landbridge.nn.image_prepare import ImagePrepare


@part("native")
class Native:
    """The source's own preparation; for images the way the whole picture is used and the resolution can be changed.

    crop "squash" shows the whole picture instead of its centre, which is better where the subject fills it; a smaller
    `size` trains faster. Both leave other modalities as they are.
    """

    crop: str = choice("source", "source", "center", "squash", help="use the centre or squeeze the whole picture")
    size: int = whole(0, 0, 1024, help="input resolution in pixels, 0 for the source's own")
    routes: ClassVar[tuple[tuple[str, str], ...]] = (("*", "*"),)

    def fit(self, body: Body, domain: Domain, rows: np.ndarray) -> dict[str, Any]:
        """Nothing to learn."""
        return {}

    def connect(self, body: Body, facts: Mapping[str, Any]) -> Body:
        """The body itself, or one that shares its weights and prepares pictures otherwise."""
        if self.crop == "source" and self.size == 0:
            return body
        if not isinstance(body.prepare, ImagePrepare):
            raise UsageError(f"native: crop and size are for image sources, {body.address} reads {body.reads}")
        old = body.prepare
        size = self.size or old.size
        crop = old.crop if self.crop == "source" else self.crop
        if crop == "squash":
            resize = size
        elif old.crop == "center":
            resize = round(old.resize * size / old.size)
        else:
            resize = size if self.crop == "source" else round(size * 256 / 224)
        prepare = replace(old, size=size, crop=crop, resize=resize)
        return rerouted(body, reads=body.reads, prepare=prepare, views=body.views)
