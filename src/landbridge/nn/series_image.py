"""Pictures of a time series: Gramian angular fields, recurrence plots and line drawings."""

from __future__ import annotations

import numpy as np


def resampled(series: np.ndarray, points: int) -> np.ndarray:
    """Channels x length to channels x points, linearly; missing values are bridged from their neighbours."""
    channels, length = series.shape
    place = np.linspace(0, length - 1, points)
    out = np.zeros((channels, points))
    for c in range(channels):
        known = np.flatnonzero(np.isfinite(series[c]))
        if len(known):
            out[c] = np.interp(place, known, series[c, known])
    return out


def angular_sum(unit: np.ndarray) -> np.ndarray:
    """Gramian angular summation field cos(a_i + a_j), a = arccos(x), x in [-1, 1] (Wang & Oates 2015, equation 5)."""
    sine = np.sqrt(np.clip(1 - unit**2, 0, 1))
    return np.outer(unit, unit) - np.outer(sine, sine)


def angular_difference(unit: np.ndarray) -> np.ndarray:
    """Gramian angular difference field sin(a_i - a_j) (Wang & Oates 2015, equation 7)."""
    sine = np.sqrt(np.clip(1 - unit**2, 0, 1))
    return np.outer(sine, unit) - np.outer(unit, sine)


def recurrence(unit: np.ndarray) -> np.ndarray:
    """Closeness of every two moments, 1 - |x_i - x_j| for x in [-1, 1] (Eckmann et al. 1987, without a threshold)."""
    return 1 - np.abs(unit[:, None] - unit[None, :])


def line(unit: np.ndarray) -> np.ndarray:
    """A curve drawn over its area: 1 on the curve, 0 below it, -1 above; points x points, high values on top."""
    points = len(unit)
    height = (1 - unit) / 2 * (points - 1)  # row of each value
    rows = np.arange(points)[:, None]
    before, after = np.roll(height, 1), np.roll(height, -1)
    before[0], after[-1] = height[0], height[-1]
    top = np.minimum(height, np.minimum((height + before) / 2, (height + after) / 2))
    bottom = np.maximum(height, np.maximum((height + before) / 2, (height + after) / 2))
    outside = np.maximum(top[None] - rows, rows - bottom[None])
    ink = np.clip(1.5 - outside, 0, 1)
    ground = np.where(rows > height[None], 0.0, -1.0)
    return ink + (1 - ink) * ground
