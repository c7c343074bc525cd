"""Sounds: wav, flac, ogg and mp3 at any rate, to one channel of float samples."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import soundfile
import soxr

from landbridge.core.errors import DataError
from landbridge.core.examples import Sound
from landbridge.core.parts import part
from landbridge.modalities.media import check_severity, data_uri, payload

LONGEST = 600.0  # seconds; a longer file is an input of another kind and would fill the memory
_BANDS, _FRAMES, _TOP = 16, 16, 3800.0  # of the sketch; 3800 Hz is inside every rate from 8 kHz on
_HEARD = 1.5  # seconds of a thumbnail


@part("audio")
class Audio:
    """Sounds, decoded to `core.examples.Sound` (mono float32 in [-1, 1] and its rate).

    `near` is the distance of L2-normalised sketches below which two sounds count as duplicates: another level, rate
    or codec stays below it, another utterance of the same word by the same speaker above.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset({".wav", ".flac", ".ogg", ".oga", ".mp3"})
    corruptions: ClassVar[tuple[str, ...]] = ("noise", "gain", "clip", "shift")
    near: ClassVar[float] = 0.12

    def decode(self, cell: Any) -> Sound:
        """A blob, bytes, `{"bytes", "path"}`, `{"array", "sampling_rate"}` or `Sound` to a mono `Sound`.

        Channels are averaged; samples beyond 1 scale the whole sound down. Raises DataError naming the file when it is
        empty, cut off, not finite, longer than 600 s, or no sound.
        """
        if isinstance(cell, Sound):
            return _checked("the sound", np.asarray(cell.wave), cell.rate)
        if isinstance(cell, Mapping) and cell.get("array") is not None:
            rate = cell.get("sampling_rate")
            return _checked(str(cell.get("path") or "the sound"), np.asarray(cell["array"]), rate)
        name, data = payload(cell, "sound")
        _whole_wav(name, data)
        try:
            with soundfile.SoundFile(io.BytesIO(data)) as file:
                _short_enough(name, file.frames, file.samplerate)
                wave = file.read(dtype="float32", always_2d=True)
                if len(wave) < file.frames * (0.5 if file.format in ("MP3", "MPEG") else 1.0):
                    missing = f"{len(wave)} of {file.frames} samples"
                    raise DataError(f"{name}: the sound is cut off ({missing}); remove or replace it")
                rate = file.samplerate
        except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
            raise DataError(f"{name}: not a readable sound ({_short(error)}); use wav, flac, ogg or mp3") from error
        return _checked(name, wave.T, rate)

    def sketch(self, example: Sound) -> np.ndarray:
        """256 numbers: log energy of 16 bands up to 3.8 kHz over 16 stretches of time, minus its mean."""
        size = max(16, int(example.rate * 0.032))
        wave = np.pad(example.wave, (0, max(0, size * 2 - len(example.wave))))
        starts = np.linspace(0, len(wave) - size, 4 * _FRAMES).astype(np.int64)
        frames = wave[starts[:, None] + np.arange(size)] * np.hanning(size).astype(np.float32)
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        hertz = np.fft.rfftfreq(size, 1.0 / example.rate)
        band = np.clip((_mel(hertz) / _mel(np.array(_TOP)) * _BANDS).astype(np.int64), 0, _BANDS)
        member = np.eye(_BANDS + 1, dtype=np.float64)[band][:, :_BANDS]
        energy = (power @ member / np.maximum(member.sum(0), 1.0)).reshape(_FRAMES, 4, _BANDS).mean(1)
        log = np.log(energy + 1e-4 * energy.mean() + 1e-20)  # the floor keeps codec noise in silence from mattering
        return (log - log.mean()).astype(np.float32).ravel()

    def thumbnail(self, example: Sound) -> str:
        """A drawn envelope of the whole sound, and a player of its loudest 1.5 s at 8 kHz and 8 bits."""
        seconds = len(example.wave) / example.rate
        return f"{_envelope(example.wave, seconds)}{_player(example)}"

    def perturb(self, example: Sound, kind: str, severity: int, generator: np.random.Generator) -> Sound:
        """White noise at 30 to 5 dB signal-to-noise, a gain of 3 to 20 dB, clipped peaks, or a shift in time."""
        check_severity(kind, severity, self.corruptions)
        level, wave = severity - 1, example.wave
        if kind == "noise":
            power = float(np.sqrt(np.mean(wave**2))) * 10 ** (-(30.0, 24.0, 18.0, 12.0, 5.0)[level] / 20)
            wave = wave + generator.normal(0.0, 1.0, len(wave)).astype(np.float32) * power
        elif kind == "gain":
            sign = 1.0 if generator.random() < 0.5 else -1.0
            wave = wave * 10 ** (sign * (3.0, 6.0, 10.0, 15.0, 20.0)[level] / 20)
        elif kind == "clip":
            limit = float(np.max(np.abs(wave))) * (0.8, 0.6, 0.4, 0.25, 0.12)[level]
            wave = np.clip(wave, -limit, limit)
        else:
            most = (0.02, 0.05, 0.1, 0.15, 0.25)[level]
            wave = _shifted(wave, int(generator.uniform(-most, most) * len(wave)))
        return Sound(np.clip(wave, -1.0, 1.0).astype(np.float32), example.rate)


def _checked(name: str, wave: np.ndarray, rate: Any) -> Sound:
    """Mono, finite, within [-1, 1]; `wave` is (samples,) or (channels, samples)."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.integer)) or not 1 <= rate <= 1_000_000:
        raise DataError(f"{name}: the sampling rate is {rate!r}; it must be from 1 to 1000000 Hz")
    if wave.ndim not in (1, 2) or wave.dtype.kind not in "fiu":
        raise DataError(f"{name}: samples of shape {wave.shape} and type {wave.dtype}; give (samples,) numbers")
    if wave.dtype.kind in "iu":
        wave = wave.astype(np.float32) / float(np.iinfo(wave.dtype).max)
    mono = np.asarray(wave.mean(0) if wave.ndim == 2 else wave, np.float32)
    if mono.size == 0:
        raise DataError(f"{name}: the sound has no samples; remove or replace it")
    _short_enough(name, mono.size, int(rate))
    finite = np.isfinite(mono)
    if not finite.all():
        raise DataError(f"{name}: sample {int(np.argmin(finite))} is NaN or infinite; remove or repair the file")
    peak = float(np.max(np.abs(mono)))
    return Sound(np.ascontiguousarray(mono / peak if peak > 1.0 else mono), int(rate))


def _short_enough(name: str, samples: int, rate: int) -> None:
    if samples > LONGEST * rate:
        raise DataError(
            f"{name}: the sound lasts {samples / rate:.0f} s, more than {LONGEST:.0f} s; cut it into pieces"
        )


def _whole_wav(name: str, data: bytes) -> None:
    """Compare the length that a wav's data chunk announces with what is there; libsndfile would take what it finds."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"data":
            there = len(data) - at - 8
            if size not in (0, 0xFFFFFFFF) and there < size:  # a stream writes 0 or the largest number as its length
                raise DataError(f"{name}: the sound is cut off ({there} of {size} bytes); remove or replace it")
            return
        at += 8 + size + size % 2
    raise DataError(f"{name}: the wav file has no samples (no data chunk); remove or replace it")


def _mel(hertz: np.ndarray) -> np.ndarray:
    return 2595.0 * np.log10(1.0 + hertz / 700.0)


def _shifted(wave: np.ndarray, by: int) -> np.ndarray:
    """Move samples by `by` places, silence at the free end."""
    moved = np.zeros_like(wave)
    if by >= 0:
        moved[by:] = wave[: len(wave) - by]
    else:
        moved[:by] = wave[-by:]
    return moved


def _envelope(wave: np.ndarray, seconds: float) -> str:
    """An SVG of 100 bars, each as high as the loudest sample of its stretch."""
    edges = np.linspace(0, len(wave), 101).astype(np.int64)
    peaks = [float(np.max(np.abs(wave[a : max(a + 1, b)]))) for a, b in itertools.pairwise(edges)]
    top = max(max(peaks), 1e-9)
    bars = "".join(f"M{2 * i + 1} {20 - 19 * p / top:.1f}V{20 + 19 * p / top:.1f}" for i, p in enumerate(peaks))
    return (
        '<svg viewBox="0 0 200 40" width="200" height="40" role="img">'
        f'<title>{seconds:.2f} s</title><path d="{bars}" stroke="currentColor" fill="none"/></svg>'
    )


def _player(example: Sound) -> str:
    wave = soxr.resample(example.wave, example.rate, 8000) if example.rate != 8000 else example.wave
    length = int(_HEARD * 8000)
    if len(wave) > length:
        energy = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
        start = int(np.argmax(energy[length:] - energy[:-length]))
        wave = wave[start : start + length]
    wave = wave / max(float(np.max(np.abs(wave), initial=0.0)), 1e-9) * 0.9
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, 8000, subtype="PCM_U8", format="WAV")
    return f'<audio controls preload="none" src="{data_uri("audio/wav", buffer.getvalue())}"></audio>'


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
