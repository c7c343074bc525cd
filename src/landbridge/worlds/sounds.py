"""Sounds of seven families, in a room or not, a sound for each class.

Shapes: N sounds, T samples, H partials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.examples import Sound
from landbridge.core.parts import flag, part, real, whole
from landbridge.worlds import voices
from landbridge.worlds.canvas import class_names, records
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import between, exp

Voice = Callable[[Draws, Draws, np.ndarray, np.ndarray], np.ndarray]
FAMILIES: dict[str, Voice] = {
    "tone": voices.tone,
    "noise": voices.noise,
    "chirp": voices.chirp,
    "impact": voices.impact,
    "tremolo": voices.tremolo,
    "vibrato": voices.vibrato,
    "speech": voices.speech,
}
_ECHOES = 48


@part("sounds", paper="Engel et al. 2020 (DDSP), arXiv:2001.04643; Rodet 1984 (FOF); Polack 1988 (reverberation)")
class Sounds:
    """Tones, noises, chirps, impacts, tremolo, vibrato and vowel-like voices; the class is one of them with its timbre.

    Class c is of family c modulo 7; instances differ in pitch (by `spread`, in octaves), onset, level and noise. With
    `mixed` a second class sounds more softly beside it; `room` adds echoes at random delays whose strength falls by
    60 dB in that many seconds. The reference synthesises from learnt controls; here they are drawn.
    """

    classes: int = whole(14, 2, 1000, help="sounds; class 7 is the same one however many there are")
    rate: int = whole(8000, 4000, 48_000, help="samples a second")
    seconds: float = real(1.0, 0.25, 10.0, help="length")
    spread: float = real(0.15, 0.0, 1.0, help="how far pitches of a class lie apart, octaves to both sides")
    noise: float = real(0.003, 0.0, 0.3, help="deviation of added noise, of full scale")
    room: float = real(0.0, 0.0, 3.0, help="seconds until echoes are 60 dB down; 0 for none")
    mixed: bool = flag(False, help="a second, softer class beside the labelled one")
    modality: ClassVar[str] = "audio"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The sounds with these numbers; truth holds family, base frequency in Hz, onset in seconds and echoes."""
        waves, columns = [], dict[str, list[object]]()
        for start in range(0, len(indices), 32):
            rows_N = indices[start : start + 32]
            wave, truth = self._heard(Draws(seed, "sounds", rows_N), rows_N % self.classes)
            waves += [Sound(w, self.rate) for w in wave]
            for name, values in truth.items():
                columns.setdefault(name, []).extend(values)
        labels = [str(c) for c in columns.get("class", [])]
        return Made(examples=waves, labels=labels, truth=records(columns))

    def _heard(self, draws: Draws, class_N: np.ndarray) -> tuple[np.ndarray, dict[str, list[object]]]:
        """Waves NxT in 1/32768 steps within [-1, 1), as 16-bit files hold them, and their truth."""
        length = round(self.rate * self.seconds)
        onset = np.floor(draws.number("onset", 0.0, 0.15) * length).astype(np.int64)
        wave, hertz = self._voiced(draws, class_N, "first", length)
        truth: dict[str, list[object]] = {
            "class": list(class_names("sounds", class_N)),
            "family": [list(FAMILIES)[c % len(FAMILIES)] for c in class_N.tolist()],
            "hertz": hertz.tolist(),
            "onset": (onset / self.rate).tolist(),
        }
        wave *= _envelope(length, self.rate)
        if self.mixed:
            other = (class_N + 1 + draws.whole("other", 1, self.classes - 1)[:, 0]) % self.classes
            wave = 0.75 * wave + 0.25 * self._voiced(draws, other, "second", length)[0]
            truth["beside"] = list(class_names("sounds", other))
        wave = np.stack([np.concatenate([np.zeros(o), w[: length - o]]) for w, o in zip(wave, onset, strict=True)])
        if self.room:
            delay, gain = self._echoes(draws, length)
            wave = _echoed(wave, delay, gain)
            truth["echoes"] = [list(zip(d, g, strict=True)) for d, g in zip(delay.tolist(), gain.tolist(), strict=True)]
        peak = np.maximum(np.abs(wave).max(1, keepdims=True), 1e-3)
        wave = wave / peak * draws.uniform("level", 1, 0.3, 0.9)
        if self.noise:
            wave = wave + self.noise * draws.normal("noise", length)
        return (np.rint(wave * 32768.0).clip(-32768, 32767) / 32768.0).astype(np.float32), truth

    def _voiced(self, draws: Draws, class_N: np.ndarray, use: str, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Waves NxT of their classes from the first sample on, and their base frequencies."""
        here, kind = Draws(draws.seed, f"sounds {use}", draws.rows), draws.at(class_N)
        hertz = between(kind.number("pitch"), 110.0, 880.0)
        hertz = hertz * between(here.number("pitch"), 2.0**-self.spread, 2.0**self.spread) if self.spread else hertz
        seconds = np.arange(length) / self.rate
        wave = np.empty((len(class_N), length))
        for number in np.unique(class_N % len(FAMILIES)).tolist():
            rows = np.flatnonzero(class_N % len(FAMILIES) == number)
            voice = FAMILIES[list(FAMILIES)[number]]
            wave[rows] = voice(draws.at(class_N[rows]), here.at(draws.rows[rows]), hertz[rows], seconds)
        return wave, hertz

    def _echoes(self, draws: Draws, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Delays in samples, and signed strengths, of each sound's echoes."""
        late = draws.uniform("delay", _ECHOES)
        delay = 1 + np.floor(late * min(length - 2, self.rate * self.room)).astype(np.int64)
        fall = exp(delay * (-6.907755278982137 / (self.rate * self.room)))
        return delay, 0.4 * fall * (1.0 - 2.0 * draws.whole("sign", _ECHOES, 2))


def _envelope(length: int, rate: int) -> np.ndarray:
    """A rise and a fall of 10 ms, so that nothing clicks."""
    ramp = max(1, rate // 100)
    at = np.arange(length)
    return np.minimum(1.0, np.minimum((at + 1) / ramp, (length - at) / ramp))


def _echoed(wave_NT: np.ndarray, delay: np.ndarray, gain: np.ndarray) -> np.ndarray:
    out = wave_NT.copy()
    for row in range(len(wave_NT)):
        for late, strength in zip(delay[row].tolist(), gain[row].tolist(), strict=True):
            out[row, late:] += strength * wave_NT[row, :-late]
    return out
