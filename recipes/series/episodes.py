"""Small tasks on generated series: a few classes, and all that a class may differ in or vary by.

An episode is N series of one length with the class of each. What its classes differ in is drawn: a shape at its place
(half of the episodes), a figure anywhere, trend, level and rhythm, the process behind it, the spectrum. Then what they
do not differ in: warped time, slow drift, strength, level, noise; and whether they are standardised as archives often
have them. All is drawn from numpy's generator, so one seed gives one stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from landbridge.worlds.draws import Draws
from landbridge.worlds.series import FAMILIES

Generator = np.random.Generator
LENGTHS = 32, 512  # steps
CLASSES = (2, 2, 2, 3, 3, 4, 5, 6, 8, 10)
MOST = 110  # series of an episode


@dataclass(frozen=True)
class Episode:
    """Series NxL, the class of each, and how many rows from the front are labelled (as many of each class)."""

    series: np.ndarray
    classes: np.ndarray
    labelled: int


def episode(g: Generator) -> Episode:
    """One task."""
    count = int(g.choice(CLASSES))
    asked = int(np.clip(MOST // count - g.integers(3, 13), 3, 20))
    shown = max(2, min(int(g.integers(3, 13)), MOST // count - asked))
    classes = np.tile(np.arange(count), shown + asked)
    length = int(np.exp(g.uniform(*np.log(LENGTHS))))
    kind = KINDS[g.choice(len(KINDS), p=SHARES)]
    return Episode(_seen(g, kind(g, count, classes, length), classes), classes, count * shown)


def _seen(g: Generator, x: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """What classes do not differ in, and at times strength and level, in which they do."""
    n, count = len(x), int(classes.max()) + 1
    x = x + np.exp(g.uniform(np.log(0.01), np.log(0.6))) * _noise(g, *x.shape) * x.std()
    if g.random() < 0.5:
        x = x * np.exp(g.uniform(0, 0.4) * g.normal(size=(n, 1))) + g.uniform(0, 1) * g.normal(size=(n, 1)) * x.std()
    if g.random() < 0.15:
        strength, level = g.uniform(0, 0.5) * g.normal(size=count), g.uniform(0, 1) * g.normal(size=count)
        x = x * np.exp(strength[classes][:, None]) + level[classes][:, None] * x.std()
    if g.random() < 0.6:
        x = _standard(x)
    return (-x if g.random() < 0.1 else x).astype(np.float32)


def _shape(g: Generator, count: int, classes: np.ndarray, length: int) -> np.ndarray:
    """A course that differs a little, or wholly, between classes; time is warped, and a slow drift is added."""
    n = len(classes)
    if g.random() < 0.3:
        course = _curve(g, count, length)
    else:
        apart = (
            _bumps(g, count, length, g.integers(1, 4))
            if g.random() < 0.6
            else _smooth(g, count, length, np.exp(g.uniform(0, np.log(10))))
        )
        apart /= np.sqrt((apart**2).mean(1, keepdims=True).max()) + 1e-6
        course = _curve(g, 1, length) + np.exp(g.uniform(np.log(0.15), np.log(1.5))) * apart
    modes = int(g.choice((1, 1, 2, 3)))
    x = course[classes] + g.uniform(0, 0.6) * _curve(g, modes, length)[g.integers(modes, size=n)]
    x = x + g.uniform(0, 0.5) * _smooth(g, n, length, np.exp(g.uniform(np.log(0.5), np.log(6))))
    x = _warped(g, x, float(g.choice((0, 0.01, 0.03, 0.08))))
    if g.random() < 0.15:
        x = np.stack([np.roll(row, by) for row, by in zip(x, g.integers(length, size=n), strict=True)])
    return x


def _figure(g: Generator, count: int, classes: np.ndarray, length: int) -> np.ndarray:
    """A figure of the class at any place and of any width, over a slow drift."""
    wide = int(g.integers(max(4, length // 10), max(5, int(length * 0.6))))
    figure = _curve(g, count, wide) * np.exp(g.uniform(np.log(0.4), np.log(1.5)))
    figure = figure + (_curve(g, 1, wide) if g.random() < 0.5 else 0)
    figure = figure - g.choice((0, 1)) * figure[:, :1]
    x, strength = np.zeros((len(classes), length)), np.exp(g.uniform(0, np.log(5)))
    for row, kind in zip(x, classes, strict=True):
        own = int(np.clip(wide * g.uniform(0.7, 1.4), 4, length - 1))
        start = g.integers(0, length - own)
        row[start : start + own] += strength * np.interp(np.linspace(0, wide - 1, own), np.arange(wide), figure[kind])
    return x + 0.5 * g.random() * _smooth(g, len(x), length, g.uniform(0.5, 4))


def _trend(g: Generator, count: int, classes: np.ndarray, length: int) -> np.ndarray:
    """A slope, a jump, a cycle and a roughness for each class; not all of them always."""
    n, t = len(classes), np.linspace(-1, 1, length)
    slope = g.normal(size=count) * g.uniform(0, 1.5)
    jump = g.normal(size=count) * g.uniform(0, 2.5) * (g.random(count) < 0.6)
    rhythm = np.exp(g.uniform(0, np.log(15)) + g.normal(size=count) * 0.5 * g.random())
    swing = np.abs(g.normal(size=count)) * g.uniform(0, 1.5) * (g.random(count) < 0.7)
    rough = np.exp(g.normal(size=count) * 0.7 * g.random())

    def each(values: np.ndarray, vary: float = 0.0) -> np.ndarray:
        return values[classes][:, None] * g.uniform(1 - vary, 1 + vary, (n, 1))

    turn = np.pi * each(rhythm) * np.exp(0.05 * g.normal(size=(n, 1))) * t + g.uniform(0, 2 * np.pi, (n, 1))
    steps = each(slope, 0.4) * t + each(jump, 0.4) * (t > g.uniform(-0.6, 0.6, (n, 1)))
    return steps + each(swing) * np.sin(turn) + 0.5 * each(rough) * _noise(g, n, length)


def _process(g: Generator, count: int, classes: np.ndarray, length: int) -> np.ndarray:
    """Processes of the series world: of one family with other numbers, or of any."""
    seed, names = int(g.integers(1 << 30)), list(FAMILIES)
    families = [str(g.choice(names))] * count if g.random() < 0.6 else [str(n) for n in g.choice(names, count)]
    x = np.empty((len(classes), length))
    for kind, family in enumerate(families):
        rows = np.flatnonzero(classes == kind)
        of_class, own = (Draws(seed, "series", i) for i in (np.full(len(rows), kind), rows + 5000))
        x[rows] = FAMILIES[family](of_class, own, length)
    return x / (x.std() + 1e-6)


def _spectrum(g: Generator, count: int, classes: np.ndarray, length: int) -> np.ndarray:
    """Noise with a spectrum of the class."""
    bins = length // 2 + 1
    falling = np.maximum(np.arange(bins), 1) ** (-g.uniform(0, 1.5))
    common = np.exp(_smooth(g, 1, bins, g.uniform(0.5, 6))) * falling
    strength = common * np.exp(_smooth(g, count, bins, g.uniform(1, 8)) * g.uniform(0.2, 1.2))
    drawn = (g.normal(size=(len(classes), bins)) + 1j * g.normal(size=(len(classes), bins))) * strength[classes]
    drawn[:, 0] = 0
    return _standard(np.fft.irfft(drawn, length, axis=1)) * np.exp(0.1 * g.normal(size=(len(classes), 1)))


KINDS: tuple[Callable[[Generator, int, np.ndarray, int], np.ndarray], ...] = (
    _shape, _figure, _trend, _process, _spectrum,
)  # fmt: skip
SHARES = (0.5, 0.14, 0.12, 0.12, 0.12)


def _curve(g: Generator, n: int, length: int) -> np.ndarray:
    """Courses of one sort: smooth, with bumps, a walk, or steps; standardised."""
    sort = g.random()
    if sort < 0.4:
        return _standard(_smooth(g, n, length, np.exp(g.uniform(np.log(0.7), np.log(12)))))
    if sort < 0.7:
        return _standard(_bumps(g, n, length, g.integers(1, 7)) + 0.3 * _smooth(g, n, length, 1.0))
    if sort < 0.85:
        return _standard(np.cumsum(_standard(_smooth(g, n, length, np.exp(g.uniform(np.log(3), np.log(30))))), 1))
    levels = int(g.integers(2, 12))
    return _standard(np.repeat(g.normal(size=(n, levels)), -(-length // levels), 1)[:, :length])


def _smooth(g: Generator, n: int, length: int, cycles: float) -> np.ndarray:
    """Gaussian processes by 16 random Fourier features."""
    t, m = np.arange(length) / length, 16
    rate, phase = g.normal(size=(n, m, 1)) * cycles, g.uniform(0, 2 * np.pi, (n, m, 1))
    return np.einsum("nm,nml->nl", g.normal(size=(n, m)) * np.sqrt(2 / m), np.cos(2 * np.pi * rate * t + phase))


def _bumps(g: Generator, n: int, length: int, count: int) -> np.ndarray:
    """Bells, boxes and falling ramps."""
    t, x = np.arange(length) / length, np.zeros((n, length))
    for _ in range(count):
        centre, sort = g.uniform(0.05, 0.95, (n, 1)), g.integers(3, size=(n, 1))
        z = (t - centre) / np.exp(g.uniform(np.log(0.01), np.log(0.15), (n, 1)))
        ramp = np.where((z > 0) & (z < 2), 1 - z / 2, 0)
        x += g.normal(size=(n, 1)) * np.where(sort == 0, np.exp(-z * z / 2), np.where(sort == 1, np.abs(z) < 1, ramp))
    return x


def _warped(g: Generator, x: np.ndarray, strength: float) -> np.ndarray:
    """Each series read at moments that lie up to about `strength` of the length off."""
    n, length = x.shape
    t = np.arange(length) / length
    off = sum(g.normal(size=(n, 1)) * np.sin(np.pi * k * t) / k for k in (1, 2, 3)) * strength
    at = np.clip(t + off, 0, 1 - 1e-6) * (length - 1)
    low = at.astype(int)
    high, part = np.minimum(low + 1, length - 1), at - low
    return np.take_along_axis(x, low, 1) * (1 - part) + np.take_along_axis(x, high, 1) * part


def _noise(g: Generator, n: int, length: int) -> np.ndarray:
    """White, or with a memory of one step."""
    memory, chance = g.uniform(0, 0.95), g.normal(size=(n, length))
    return chance if g.random() < 0.5 else lfilter([np.sqrt(1 - memory**2)], [1, -memory], chance, axis=1)


def _standard(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + 1e-6)
