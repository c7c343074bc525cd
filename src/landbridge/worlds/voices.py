"""Voices: each makes waves NxT from a base frequency. `kind` draws what makes a class, `here` what instances vary.

Shapes: N sounds, T samples, H partials. Partials above 0.45 of the sampling rate are left out.
"""

from __future__ import annotations

import numpy as np

from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import between, exp, sine

_PARTIALS = 8
_LOGARITHMS = np.array([0.0, 0.693147, 1.098612, 1.386294, 1.609438, 1.791759, 1.945910, 2.079442])  # of 1 to 8
_VOWELS = np.array([[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410.0]])
# of a, i, u, e, o for men: Peterson and Barney 1952


def _sung(turns_NT: np.ndarray, strength_NH: np.ndarray, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Harmonics of a phase in turns."""
    top = 0.45 / (seconds[1] - seconds[0])
    wave = np.zeros_like(turns_NT)
    for h in range(strength_NH.shape[1]):
        audible = (h + 1) * hertz < top
        wave += (strength_NH[:, h] * audible)[:, None] * sine(turns_NT * (h + 1))
    return wave


def _timbre(kind: Draws) -> np.ndarray:
    """Strengths NxH that fall with the number of the partial, some left out."""
    steep = kind.number("steep", 0.6, 2.0)[:, None]
    number = np.arange(1, _PARTIALS + 1)
    kept = kind.uniform("kept", _PARTIALS, 0.1, 1.0) * (number > 1) + (number == 1)
    return kept * exp(-steep * _LOGARITHMS)


def tone(kind: Draws, here: Draws, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """A steady tone with harmonics."""
    return _sung(hertz[:, None] * seconds + here.uniform("phase", 1), _timbre(kind), hertz, seconds)


def noise(kind: Draws, here: Draws, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """A band of noise around twice the base frequency: slow noise times a carrier."""
    length = len(seconds)
    steps = np.rint(here.normal("noise", length + 256) * 1000).astype(np.int64).cumsum(1)
    wide = 8 + kind.whole("wide", 1, 56)[:, 0]
    slow = np.stack([s[w : w + length] - s[:length] for s, w in zip(steps, wide.tolist(), strict=True)])
    return slow * sine(2 * hertz[:, None] * seconds + here.uniform("phase", 1))


def chirp(kind: Draws, here: Draws, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """A glide up or down by up to two octaves, straight in frequency."""
    reach = between(kind.number("reach"), 1.5, 4.0)
    rising = kind.whole("rising", 1, 2)[:, 0] == 1
    start = np.where(rising, hertz, hertz * reach)
    slope = np.where(rising, 1.0, -1.0) * hertz * (reach - 1) / (seconds[-1] + seconds[1])
    turns = start[:, None] * seconds + 0.5 * slope[:, None] * seconds**2 + here.uniform("phase", 1)
    return _sung(turns, _timbre(kind)[:, :3], hertz * reach, seconds)


def impact(kind: Draws, here: Draws, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Inharmonic modes that die away, the higher the faster."""
    ratio = 1.0 + kind.uniform("ratio", _PARTIALS, 0.0, 6.0) * (np.arange(_PARTIALS) > 0)
    strength = kind.uniform("strength", _PARTIALS, 0.2, 1.0) * here.uniform("strength", _PARTIALS, 0.6, 1.0)
    fall = between(kind.number("fall"), 4.0, 30.0)
    top = 0.45 / (seconds[1] - seconds[0])
    wave = np.zeros((len(hertz), len(seconds)))
    for h in range(_PARTIALS):
        mode = hertz * ratio[:, h]
        dies = exp(-(fall * (0.5 + 0.5 * ratio[:, h]))[:, None] * seconds)
        wave += (strength[:, h] * (mode < top))[:, None] * dies * sine(mode[:, None] * seconds)
    return wave


def tremolo(kind: Draws, here: Draws, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """A tone whose loudness swings (amplitude modulation)."""
    swing = between(kind.number("swing"), 3.0, 30.0)
    depth = kind.uniform("depth", 1, 0.4, 0.95)
    level = 1.0 + depth * sine(swing[:, None] * seconds + here.uniform("swing phase", 1))
    return level * tone(kind, here, hertz, seconds)


def vibrato(kind: Draws, here: Draws, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Frequency modulation: from a swaying pitch to bells, by the ratio of modulator to carrier."""
    slow = kind.whole("slow", 1, 2)[:, 0] == 1
    modulator = np.where(slow, kind.number("sway", 4.0, 9.0), hertz * kind.number("ratio", 0.5, 2.5))
    index = np.where(slow, 0.04 * hertz / modulator, kind.number("index", 0.2, 0.9))
    turns = hertz[:, None] * seconds + index[:, None] * sine(modulator[:, None] * seconds)
    return sine(turns + here.uniform("phase", 1)).astype(np.float64)


def speech(kind: Draws, here: Draws, hertz: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Two vowels one after the other: at every pulse of the voice each formant rings and dies (Rodet's FOF)."""
    pitch = hertz * 0.4
    since = (pitch[:, None] * seconds) % 1.0 / pitch[:, None]  # seconds since the last pulse
    pair = kind.whole("vowels", 2, len(_VOWELS))
    share = np.clip((seconds - 0.4 * seconds[-1]) / (0.2 * seconds[-1]), 0.0, 1.0)
    long_, top = here.uniform("throat", 1, 0.9, 1.1), 0.45 / (seconds[1] - seconds[0])
    wave = np.zeros((len(hertz), len(seconds)))
    for f in range(3):
        first, second = _VOWELS[pair[:, 0], f, None], _VOWELS[pair[:, 1], f, None]
        formant = np.minimum((first + share * (second - first)) * long_, top)
        wave += (1.0, 0.6, 0.36)[f] * exp(-250.0 * (1 + f) * since) * sine(formant * since)
    return wave
