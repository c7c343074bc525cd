"""Series: numbers in time, one or more channels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from landbridge.core.errors import DataError
from landbridge.core.parts import part
from landbridge.modalities.media import check_severity

_POINTS = 64  # of the sketch, per channel
_DRAWN = 120  # points of a thumbnail's line
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")


@part("series")
class Series:
    """Series, decoded to float32 of shape (channels, length).

    `near` is the distance of L2-normalised sketches below which two series count as duplicates; rounding and moderate
    resampling stay below it. It is small because distinct series of one process are often nearly alike.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset()
    corruptions: ClassVar[tuple[str, ...]] = ("noise", "drift", "missing")
    near: ClassVar[float] = 0.02

    def decode(self, cell: Any) -> np.ndarray:
        """An array or nested list, (length,) or (channels, length), to float32 without gaps.

        Steps at the end that are NaN in every channel are padding and are cut. A NaN inside is interpolated linearly
        between its neighbours in time; before the first and after the last value it takes that value; a channel
        without any value becomes 0. Raises DataError for infinity, ragged channels, no values or one step only.
        """
        try:
            values = np.asarray(cell, np.float64)
        except (ValueError, TypeError) as error:
            raise DataError("the series is not a grid of numbers; give (length,) or (channels, length)") from error
        values = values[None, :] if values.ndim == 1 else values
        if values.ndim != 2:
            raise DataError(f"the series has shape {values.shape}; give (length,) or (channels, length)")
        if np.isinf(values).any():
            channel, step = np.argwhere(np.isinf(values))[0]
            raise DataError(f"the series is infinite at channel {channel}, step {step}; replace the value")
        known = ~np.isnan(values)
        if not known.any():
            raise DataError(f"the series of shape {values.shape} has no values; remove the row")
        values = values[:, : int(np.flatnonzero(known.any(0))[-1]) + 1]
        if values.shape[1] < 2:
            raise DataError("the series has a single step; remove the row or read it as a table")
        if np.abs(values[known[:, : values.shape[1]]]).max() > float(np.finfo(np.float32).max):
            raise DataError("the series holds a value beyond the range of float32; rescale it")
        return np.ascontiguousarray(np.stack([_filled(row) for row in values]), np.float32)

    def sketch(self, example: np.ndarray) -> np.ndarray:
        """Per channel up to 64 points over time, standardised, then its level and spread on a logarithmic scale."""
        channels, length = example.shape
        points = max(8, min(_POINTS, 512 // channels))
        at = np.linspace(0, length - 1, points)
        rows = np.stack([np.interp(at, np.arange(length), row) for row in example.astype(np.float64)])
        mean, spread = rows.mean(1, keepdims=True), rows.std(1, keepdims=True)
        shape = (rows - mean) / (spread + 1e-8 * (1.0 + np.abs(mean)))
        level = 2.0 * np.sign(mean) * np.log1p(np.abs(mean))
        return np.concatenate([shape, level, 2.0 * np.log1p(spread)], axis=1).astype(np.float32).ravel()

    def thumbnail(self, example: np.ndarray) -> str:
        """Lines in an inline SVG, at most six channels, each scaled to the whole range of the series."""
        low, high = float(example.min()), float(example.max())
        scale = 56.0 / ((high - low) or 1.0)
        length = example.shape[1]
        at = np.linspace(0, length - 1, min(_DRAWN, length))
        lines = []
        for row, colour in zip(example, _COLOURS, strict=False):
            heights = 58.0 - (np.interp(at, np.arange(length), row) - low) * scale
            marks = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(at * 198 / (length - 1) + 1, heights, strict=True))
            lines.append(f'<polyline points="{marks}" fill="none" stroke="{colour}"/>')
        title = f"<title>{example.shape[0]} x {length}, {low:.4g} to {high:.4g}</title>"
        return f'<svg viewBox="0 0 200 60" width="200" height="60" role="img">{title}{"".join(lines)}</svg>'

    def perturb(self, example: np.ndarray, kind: str, severity: int, generator: np.random.Generator) -> np.ndarray:
        """Noise and drift of 5 to 80 per cent of the channel's spread, or a gap of 5 to 50 per cent of the time.

        A gap is bridged by the straight line that `decode` would draw.
        """
        check_severity(kind, severity, self.corruptions)
        spread = example.std(1, keepdims=True)
        strength = (0.05, 0.1, 0.2, 0.4, 0.8)[severity - 1]
        if kind == "noise":
            return (example + strength * spread * generator.normal(size=example.shape)).astype(np.float32)
        length = example.shape[1]
        if kind == "drift":
            slope = generator.choice([-1.0, 1.0], size=(example.shape[0], 1)) * strength * spread
            return (example + 2.0 * slope * np.linspace(0.0, 1.0, length)).astype(np.float32)
        gap = min(length - 1, max(1, int((0.05, 0.1, 0.2, 0.35, 0.5)[severity - 1] * length)))
        start = int(generator.integers(0, length - gap + 1))
        out = example.astype(np.float64)
        out[:, start : start + gap] = np.nan
        return np.stack([_filled(row) for row in out]).astype(np.float32)


def _filled(row: np.ndarray) -> np.ndarray:
    """Linear interpolation over NaN, constant beyond the ends, 0 where nothing is known."""
    known = np.flatnonzero(~np.isnan(row))
    if len(known) == 0:
        return np.zeros_like(row)
    return np.interp(np.arange(len(row)), known, row[known])
