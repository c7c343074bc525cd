"""Log-mel spectrograms against a direct discrete Fourier transform."""

from __future__ import annotations

import numpy as np
import torch

from landbridge.nn.mel import log_mel, mel_filters


def test_filters_are_triangles_that_peak_at_their_mel_centres():
    filters = mel_filters(40, 1024, 16_000, 20.0, 8000.0).numpy()
    assert filters.shape == (40, 513)
    mel = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 8000 / 700), 42)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(513) * 16_000 / 1024
    for i in (0, 7, 25, 39):
        low, centre, high = hertz[i : i + 3]
        wanted = [max(0.0, min((f - low) / (centre - low), (high - f) / (high - centre))) for f in bins]
        np.testing.assert_allclose(filters[i], wanted, atol=1e-6)


def test_no_band_is_empty_even_when_bands_are_narrower_than_bins():
    assert (mel_filters(128, 256, 8000, 20.0, 4000.0).sum(1) > 0).all()


def test_log_mel_equals_a_direct_transform():
    generator = np.random.default_rng(0)
    wave = generator.normal(size=700).astype(np.float32)
    window, hop = 128, 48
    filters = mel_filters(12, window, 8000, 20.0, 4000.0)
    got = log_mel(torch.from_numpy(wave), filters=filters, window=window, hop=hop, floor=60.0).numpy()

    padded = np.pad(wave.astype(np.float64), window // 2)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    basis = np.exp(-2j * np.pi * np.outer(np.arange(window // 2 + 1), np.arange(window)) / window)
    frames = [padded[s : s + window] * taper for s in range(0, 700 // hop * hop + 1, hop)]
    power = np.stack([filters.numpy() @ np.abs(basis @ frame) ** 2 for frame in frames], 1)
    decibels = 10 * np.log10(power)
    wanted = np.maximum(decibels - decibels.max(), -60.0)
    assert got.shape == (12, 700 // hop + 1)
    np.testing.assert_allclose(got, wanted, atol=2e-3)


def test_a_pure_tone_is_loudest_in_the_band_around_it_and_silence_is_flat():
    time = torch.arange(8000) / 8000
    filters = mel_filters(32, 512, 8000, 20.0, 4000.0)
    tone = log_mel(torch.sin(2 * torch.pi * 1000 * time), filters=filters, window=512, hop=128)
    band = int(filters[:, round(1000 * 512 / 8000)].argmax())
    assert int(tone[:, 20].argmax()) == band
    assert torch.equal(log_mel(torch.zeros(8000), filters=filters, window=512, hop=128), torch.zeros(32, 63))
