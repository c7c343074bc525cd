"""Sounds: every codec comes out mono and finite; torn files are refused by name."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from landbridge.core.errors import DataError
from landbridge.core.examples import Blob, Sound
from landbridge.modalities.audio import Audio

AUDIO = Audio()


def chirp(seed: int = 0, rate: int = 8000, seconds: float = 0.6) -> np.ndarray:
    """A few gliding tones under an envelope."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(rate * seconds)) / rate
    wave = np.zeros_like(time)
    for low, high in generator.uniform(200, 3000, (3, 2)):
        wave += np.sin(2 * np.pi * (low * time + (high - low) * time**2 / (2 * seconds)))
    return (wave / 4 * np.hanning(len(time))).astype(np.float32)


def encoded(wave: np.ndarray, rate: int, kind: str, subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def distance(a: Sound, b: Sound) -> float:
    one, two = (v / np.linalg.norm(v) for v in (AUDIO.sketch(a), AUDIO.sketch(b)))
    return float(np.linalg.norm(one - two))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_codecs(kind: str, tmp_path: Path) -> None:
    wave = chirp(rate=16000)
    (tmp_path / "a").write_bytes(encoded(wave, 16000, kind))
    sound = AUDIO.decode(Blob(tmp_path / "a"))
    assert sound.rate == 16000 and sound.wave.dtype == np.float32 and sound.wave.ndim == 1
    assert abs(len(sound.wave) - len(wave)) < 3000  # mp3 pads
    if kind in ("WAV", "FLAC"):
        assert np.abs(sound.wave - wave).max() < 1e-4


def test_stereo_is_averaged_and_loud_is_scaled() -> None:
    left, right = chirp(1), chirp(2)
    sound = AUDIO.decode(encoded(np.stack([left, right], 1), 8000, "WAV", "FLOAT"))
    assert np.allclose(sound.wave, (left + right) / 2, atol=1e-7)
    loud = AUDIO.decode(encoded(4 * left, 8000, "WAV", "FLOAT"))
    assert np.abs(loud.wave).max() == pytest.approx(1.0)
    assert np.allclose(loud.wave, left / np.abs(left).max(), atol=1e-6)


def test_mappings_and_sounds() -> None:
    wave = chirp(3)
    from_array = AUDIO.decode({"array": wave.tolist(), "sampling_rate": 8000, "path": None})
    assert np.allclose(from_array.wave, wave)
    whole = AUDIO.decode(Sound((wave * 32767).astype(np.int16), 8000))
    assert np.allclose(whole.wave, wave, atol=1e-4)
    assert len(AUDIO.decode({"bytes": encoded(wave, 8000, "FLAC"), "path": "x.flac"}).wave) == len(wave)
    with pytest.raises(DataError, match="sampling rate"):
        AUDIO.decode({"array": wave, "sampling_rate": None})


def test_bad_files_are_named(tmp_path: Path) -> None:
    wave = chirp(4)
    spoiled = wave.copy()
    spoiled[100] = np.nan
    wav, flac = encoded(wave, 8000, "WAV"), encoded(chirp(4, seconds=3.0), 8000, "FLAC")
    cases = {
        "empty.wav": b"",
        "text.wav": b"not a sound at all",
        "cut.wav": wav[: len(wav) // 2],
        "head.wav": wav[:20],
        "cut.flac": flac[: len(flac) // 2],
        "nan.wav": encoded(spoiled, 8000, "WAV", "FLOAT"),
        "none.wav": encoded(wave[:0], 8000, "WAV"),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            AUDIO.decode(Blob(tmp_path / name))


def test_a_streamed_wav_without_length_is_read() -> None:
    wav = bytearray(encoded(chirp(5), 8000, "WAV"))
    at = wav.index(b"data") + 4
    wav[at : at + 4] = b"\xff\xff\xff\xff"
    assert len(AUDIO.decode(bytes(wav)).wave) == len(chirp(5))


def test_too_long_is_refused_without_reading() -> None:
    with pytest.raises(DataError, match="more than 600 s"):
        AUDIO.decode(encoded(np.zeros(601 * 100, np.float32), 100, "FLAC"))


def test_sketch() -> None:
    one = Sound(chirp(6), 8000)
    again = AUDIO.decode(encoded(soxr.resample(one.wave, 8000, 22050) * 0.3, 22050, "OGG"))
    assert AUDIO.sketch(one).shape == (256,)
    assert distance(one, again) < AUDIO.near
    assert distance(one, Sound(chirp(7), 8000)) > 3 * AUDIO.near
    assert np.isfinite(AUDIO.sketch(Sound(np.zeros(3, np.float32), 8000))).all()


def test_thumbnail_plays() -> None:
    long = Sound(np.tile(chirp(8, rate=44100), 20), 44100)
    for sound in (long, Sound(np.zeros(1, np.float32), 8000), Sound(chirp(8), 8000)):
        shown = AUDIO.thumbnail(sound)
        assert len(shown) < 20_000 and "<svg" in shown
        data = base64.b64decode(re.search(r"base64,([^\"]+)", shown).group(1))
        wave, rate = soundfile.read(io.BytesIO(data))
        assert rate == 8000 and 1 <= len(wave) <= 12_000


def test_corruptions() -> None:
    sound = Sound(chirp(9), 8000)
    noisy = AUDIO.perturb(sound, "noise", 2, np.random.default_rng(0)).wave - sound.wave
    ratio = 10 * np.log10(np.mean(sound.wave**2) / np.mean(noisy**2))
    assert ratio == pytest.approx(24.0, abs=0.5)
    for kind in AUDIO.corruptions:
        change = []
        for severity in (1, 5):
            spoiled = AUDIO.perturb(sound, kind, severity, np.random.default_rng(2))
            assert len(spoiled.wave) == len(sound.wave) and np.abs(spoiled.wave).max() <= 1
            change.append(np.abs(spoiled.wave - sound.wave).mean())
        assert 0 < change[0] < change[1], kind
