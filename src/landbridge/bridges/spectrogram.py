"""A sound becomes a picture of its pitch over time, so that an image source can look at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import soxr
import torch
from torch.nn import functional

from landbridge.bridges.rerouted import rerouted
from landbridge.core.batch import Inputs
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.examples import Sound
from landbridge.core.model import Body
from landbridge.core.parts import part, real, whole
from landbridge.nn.image_prepare import ImagePrepare
from landbridge.nn.mel import log_mel, mel_filters
from landbridge.nn.views import MaskedShift

LOOKED_AT = 400  # training sounds from which durations and rates are learnt
SHORTEST = 0.25  # seconds


@dataclass(frozen=True, kw_only=True)
class SpectrogramPrepare:
    """A mono sound to a square log-mel picture, low pitch at the bottom, time to the right.

    Resampled to `rate` Hz; the middle `seconds` of a longer sound, silence around a shorter one; `bands` mel bands
    between 20 Hz and half the rate; decibels relative to the loudest cell, `floor` below it is black; scaled to `size`
    pixels, repeated for every channel, normalised as the source's own pictures are.
    """

    rate: int
    seconds: float
    size: int
    bands: int
    window: int
    hop: int
    floor: float
    image: ImagePrepare

    def __call__(self, example: Sound) -> dict[str, np.ndarray]:
        """One sound as `cells`, uint8 (size, size): 0 is `floor` decibels below the loudest cell, 255 that cell."""
        wave = np.asarray(example.wave, np.float32)
        if example.rate != self.rate:
            wave = soxr.resample(wave, example.rate, self.rate)
        wanted = round(self.seconds * self.rate)
        if len(wave) > wanted:
            begin = (len(wave) - wanted) // 2
            wave = wave[begin : begin + wanted]
        before = (wanted - len(wave)) // 2
        padded = functional.pad(torch.from_numpy(np.ascontiguousarray(wave)), (before, wanted - len(wave) - before))
        filters = mel_filters(self.bands, self.window, self.rate, 20.0, self.rate / 2)
        decibels = log_mel(padded, filters=filters, window=self.window, hop=self.hop, floor=self.floor)
        picture = (decibels / self.floor + 1).flip(0)[None, None]
        wanted_size = (self.size, self.size)
        picture = functional.interpolate(picture, wanted_size, mode="bilinear", align_corners=False, antialias=True)
        return {"cells": (picture[0, 0] * 255).round().to(torch.uint8).numpy()}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Pictures as `pixels`, float32 (B, channels, size, size), normalised."""
        stacked = torch.from_numpy(np.stack([row["cells"] for row in rows]))[:, None].float() / 255
        pixels = self.image.normalise(stacked.expand(-1, self.image.channels, -1, -1))
        return {"pixels": pixels.contiguous(memory_format=torch.channels_last)}

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {"kind": "spectrogram", **asdict(self), "image": self.image.spec()}


@part("spectrogram", paper="Palanisamy et al. 2020, Rethinking CNN Models for Audio Classification")
class Spectrogram:
    """Sounds as log-mel pictures for an image source.

    Rate and length are learnt from the training sounds: their usual rate, up to `rate`, and the length that 95 % of
    them do not exceed, up to `longest` seconds. Training views shift in time and mask bands (SpecAugment).
    """

    size: int = whole(128, 32, 1024, help="edge of the picture in pixels")
    bands: int = whole(64, 16, 256, help="mel bands")
    window: float = real(0.032, 0.005, 0.2, help="length of the analysis window in seconds")
    floor: float = real(50.0, 20.0, 120.0, help="decibels below the loudest cell that count as silence")
    rate: int = whole(22_050, 4000, 48_000, help="highest sampling rate in Hz that is looked at")
    longest: float = real(10.0, 0.25, 60.0, help="longest duration in seconds that is looked at")
    routes: ClassVar[tuple[tuple[str, str], ...]] = (("audio", "image"),)

    def fit(self, body: Body, domain: Domain, rows: np.ndarray) -> dict[str, Any]:
        """Sampling rate and duration of the training sounds; at most 400 of them are looked at, evenly spread."""
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
        sounds = [(len(sound.wave) / sound.rate, sound.rate) for sound in domain.examples(chosen)]
        seconds = float(np.quantile([length for length, _ in sounds], 0.95))
        usual = int(np.median([rate for _, rate in sounds]))
        return {
            "rate": max(4000, min(usual, self.rate)),
            "seconds": round(min(max(seconds, SHORTEST), self.longest), 3),
        }

    def connect(self, body: Body, facts: Mapping[str, Any]) -> Body:
        """The image body, reading sounds; shares its weights."""
        if not isinstance(body.prepare, ImagePrepare):
            raise UsageError(f"spectrogram: needs an image source, {body.address} reads {body.reads}")
        rate, seconds = int(facts["rate"]), float(facts["seconds"])
        window = 2 ** round(math.log2(self.window * rate))
        prepare = SpectrogramPrepare(
            rate=rate,
            seconds=seconds,
            size=self.size,
            bands=self.bands,
            window=window,
            hop=max(1, min(window // 4, round(seconds * rate / self.size))),
            floor=self.floor,
            image=body.prepare,
        )
        return rerouted(body, reads="audio", prepare=prepare, views=MaskedShift())
