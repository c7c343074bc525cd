"""What the worlds of pictures share: the grid, colours, painting, and how arrays become examples and records.

Shapes: N pictures, S pixels a side, K stops of a palette. Pictures are computed in float32 with exact operations only
and rounded to bytes last, so that they are the same on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from landbridge.core.contracts import Made
from landbridge.worlds.draws import Draws

Pictures = tuple[np.ndarray, Mapping[str, Any]]


@cache
def grid(size: int) -> np.ndarray:
    """The centres of S pixels between -1 and 1."""
    return ((np.arange(size) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)


def in_chunks(make: Callable[[np.ndarray], Pictures], indices: np.ndarray, size: int, chunk: int) -> Pictures:
    """Pictures NxSxSx3 and truth of all indices, made in chunks that fit a processor's cache."""
    pictures = np.empty((len(indices), size, size, 3), np.uint8)
    columns: dict[str, list[Any]] = {}
    for start in range(0, len(indices), chunk):
        part = indices[start : start + chunk]
        pictures[start : start + chunk], truth = make(part)
        for name, values in truth.items():
            columns.setdefault(name, []).extend(values.tolist() if isinstance(values, np.ndarray) else values)
    return pictures, columns


def records(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """One mapping for each row of a mapping of columns."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def made(pictures: Pictures, label: str = "class") -> Made:
    """Examples whose label is a column of the truth."""
    images, columns = pictures
    return Made(examples=images, labels=list(columns.get(label, ())), truth=records(columns))


def class_names(world: str, classes_N: np.ndarray) -> list[str]:
    """`fractals 12` as `fractals_0012`: the names sort as the numbers do."""
    return [f"{world}_{c:04d}" for c in classes_N.tolist()]


def rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Colours (..., 3) in [0, 1] from hue in turns, saturation and value: straight pieces, no trigonometry."""
    distance = np.abs((hue[..., None] + np.array([0.0, 2 / 3, 1 / 3])) % 1.0 - 0.5) * 6.0 - 1.0
    return (value[..., None] * (1.0 + saturation[..., None] * (np.clip(distance, 0.0, 1.0) - 1.0))).astype(np.float32)


def palettes(draws: Draws, name: str, stops: int) -> np.ndarray:
    """NxKx3 colours that go from dark to light or back, through hues that lie near each other or across."""
    n = len(draws.rows)
    span = draws.number(f"{name} span", -0.45, 0.45)
    along = np.linspace(0.0, 1.0, stops)
    hue = (
        draws.number(f"{name} hue")[:, None] + span[:, None] * along + draws.uniform(f"{name} off", stops, -0.06, 0.06)
    )
    low, high = draws.number(f"{name} low", 0.0, 0.35), draws.number(f"{name} high", 0.7, 1.0)
    rising = np.where(draws.whole(f"{name} side", 1, 2) == 1, along, 1.0 - along)
    value = low[:, None] + (high - low)[:, None] * rising
    return rgb(hue, np.broadcast_to(draws.number(f"{name} strength", 0.1, 0.95)[:, None], (n, stops)), value)


def painted(tone_NSS: np.ndarray, palette_NK3: np.ndarray) -> np.ndarray:
    """Bytes NxSxSx3: the tone in [0, 1] looked up in each picture's own palette, straight between its stops."""
    n, stops = palette_NK3.shape[:2]
    at = np.arange(256, dtype=np.float32) * np.float32((stops - 1) / 255.0)
    left = np.minimum(at.astype(np.int64), stops - 2)
    share = (at - left)[None, :, None]
    table = palette_NK3[:, left] + share * (palette_NK3[:, left + 1] - palette_NK3[:, left])
    packed = np.zeros((n, 256, 4), np.uint8)
    packed[..., :3] = to_bytes(table)
    at_NSS = to_bytes(tone_NSS).astype(np.int32) + (np.arange(n, dtype=np.int32) * 256)[:, None, None]
    return packed.view(np.uint32).ravel()[at_NSS].view(np.uint8).reshape(*tone_NSS.shape, 4)[..., :3]


def to_bytes(unit: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1] as bytes, rounded; what lies outside is cut."""
    return np.rint(np.clip(unit, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)
