"""Loudness by pitch and time: the control for sound."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np
import soxr

from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.examples import Sound
from landbridge.core.parts import part, whole
from landbridge.rivals.featured import Featured, stack
from landbridge.rivals.inner import Goal, folds
from landbridge.rivals.linear import Linear, fit_dense

RATE, WINDOW, HOP, SIZE = 16_000, 400, 160, 512  # 25 ms windows every 10 ms, as speech recognition has it
LOW, HIGH = 20.0, 7_600.0  # Hz
FLOOR = 1e-10


@cache
def mel_filters(bands: int) -> np.ndarray:
    """Triangles on the mel scale (HTK: 2595 log10(1 + f / 700)), bands x 257, peak 1."""
    edges = np.linspace(2595 * np.log10(1 + LOW / 700), 2595 * np.log10(1 + HIGH / 700), bands + 2)
    hertz = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(SIZE, 1.0 / RATE)
    rising = (bins - hertz[:-2, None]) / (hertz[1:-1] - hertz[:-2])[:, None]
    falling = (hertz[2:, None] - bins) / (hertz[2:] - hertz[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def log_mel(wave: np.ndarray, bands: int) -> np.ndarray:
    """Natural log of mel energies, frames x bands; a 16 kHz wave shorter than a window is padded with silence."""
    padded = np.pad(wave.astype(np.float32), (0, max(0, WINDOW - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, SIZE, axis=1)) ** 2
    return np.log(power.astype(np.float32) @ mel_filters(bands).T + FLOOR)


def mel_statistics(sound: Sound, bands: int, segments: int) -> np.ndarray:
    """Mean and spread of each band over the whole sound, of its change, and means over equal stretches of time.

    bands * (4 + segments) + 2 numbers; the loudest band sets the level at which silence is cut off (80 dB below), the
    last two are the log of the length in seconds and the mean level.
    """
    wave = sound.wave if sound.rate == RATE else soxr.resample(sound.wave, sound.rate, RATE)
    mel = log_mel(wave, bands)
    mel = np.maximum(mel, mel.max() - 8.0 * np.log(10.0))
    level = float(mel.mean())
    mel = mel - level
    change = np.diff(mel, axis=0) if len(mel) > 1 else np.zeros_like(mel)
    edges = np.linspace(0, len(mel), segments + 1)
    stretches = [mel[int(a) : max(int(a) + 1, int(np.ceil(b)))].mean(0) for a, b in itertools.pairwise(edges)]
    whole_sound = [mel.mean(0), mel.std(0), change.std(0), np.abs(change).mean(0)]
    tail = np.array([np.log(len(wave) / RATE + 1e-3), level], np.float32)
    return np.concatenate([*whole_sound, *stretches, tail]).astype(np.float32)


@part("melstats", paper="Davis & Mermelstein 1980; Tzanetakis & Cook 2002")
class MelStats:
    """Logistic or ridge regression on statistics of the log-mel spectrogram."""

    modalities: ClassVar[tuple[str, ...]] = ("audio",)
    bands: int = whole(40, 8, 128, help="mel bands from 20 to 7600 Hz")
    segments: int = whole(8, 1, 64, help="equal stretches of time that are averaged on their own")

    def fit(self, domain: Domain, rows: np.ndarray, seed: int, deadline: float | None = None) -> Featured:
        """The penalty is chosen on four inner folds."""
        goal = Goal.of(domain.task, domain.targets[rows])
        describe = partial(mel_statistics, bands=self.bands, segments=self.segments)
        features = stack([describe(sound) for sound in domain.examples(rows)])
        linear, _ = fit_dense(features, goal, folds(domain, rows, 4, seed), deadline)
        return _predictor(self.bands, self.segments, linear)

    def rebuild(self, task: Task, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Featured:
        """The predictor that `state` wrote."""
        return _predictor(int(facts["bands"]), int(facts["segments"]), Linear.from_arrays(arrays))


def _predictor(bands: int, segments: int, linear: Linear) -> Featured:
    describe = partial(mel_statistics, bands=bands, segments=segments)
    return Featured(describe, {"bands": bands, "segments": segments}, linear)
