"""From a sound to the wave a speech network reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from landbridge.core.examples import Sound

Inputs = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class WavePrepare:
    """Resampled to `rate` Hz, zero mean and unit variance if `normalise`, cut after `longest` seconds."""

    rate: int = 16_000
    normalise: bool = True
    longest: float = 20.0
    shortest: float = 0.1

    def __call__(self, example: Sound) -> dict[str, np.ndarray]:
        """One sound as `wave`, float32 (samples,); very short ones are followed by silence up to `shortest` seconds."""
        wave = example.wave[: int(self.longest * example.rate) + 1]
        if example.rate != self.rate:
            wave = soxr.resample(wave, example.rate, self.rate)
        wave = np.asarray(wave[: int(self.longest * self.rate)], np.float32)
        if self.normalise:
            wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
        missing = int(self.shortest * self.rate) - len(wave)
        return {"wave": np.pad(wave, (0, max(0, missing))).astype(np.float32)}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Sounds as `wave` BxS padded with zeros, and `wave_mask` BxS."""
        longest = max(len(row["wave"]) for row in rows)
        wave, mask = np.zeros((len(rows), longest), np.float32), np.zeros((len(rows), longest), np.int64)
        for i, row in enumerate(rows):
            wave[i, : len(row["wave"])] = row["wave"]
            mask[i, : len(row["wave"])] = 1
        return {"wave": torch.from_numpy(wave), "wave_mask": torch.from_numpy(mask)}

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {"kind": "wave", **asdict(self)}
