"""Sounds reach an image source as log-mel pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soxr
import torch
from data_domains import domain
from torch import nn

from landbridge.bridges.spectrogram import Spectrogram
from landbridge.core.errors import UsageError
from landbridge.core.examples import Sound
from landbridge.core.model import Model
from landbridge.core.registry import find


def tone(hertz: float, seconds: float, rate: int = 8000) -> Sound:
    time = np.arange(round(seconds * rate)) / rate
    return Sound((0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate)


@pytest.fixture
def body():
    return find("sources", "scratch")().open("convnet")


def test_rate_and_duration_are_learnt_from_training_rows_only(body):
    sounds = [tone(440, 0.3 + 0.01 * i) for i in range(50)] + [tone(440, 30.0, 16_000)] * 50
    facts = Spectrogram().fit(body, domain("audio", sounds), np.arange(50))
    assert facts == {"rate": 8000, "seconds": pytest.approx(np.quantile(0.3 + 0.01 * np.arange(50), 0.95), abs=2e-3)}
    assert Spectrogram(rate=6000, longest=0.5).fit(body, domain("audio", sounds), np.arange(100)) == {
        "rate": 6000,
        "seconds": 0.5,
    }
    assert json.loads(json.dumps(facts)) == facts


def test_a_tone_is_one_bright_line_at_its_pitch(body):
    prepare = Spectrogram(size=64).connect(body, {"rate": 8000, "seconds": 1.0}).prepare
    rows = {hertz: prepare(tone(hertz, 1.0))["cells"] for hertz in (300, 1000, 3000)}
    brightest = {hertz: int(cells[:, 32].argmax()) for hertz, cells in rows.items()}
    mel = {hertz: 2595 * np.log10(1 + hertz / 700) for hertz in (20, 4000, *rows)}
    for hertz, row in brightest.items():
        wanted = 63 - 63 * (mel[hertz] - mel[20]) / (mel[4000] - mel[20])
        assert abs(row - wanted) <= 2  # high pitch is at the top
    assert rows[1000].dtype == np.uint8 and rows[1000].shape == (64, 64)


def test_short_sounds_stand_in_the_middle_of_silence_and_long_ones_lose_their_ends(body):
    prepare = Spectrogram(size=64).connect(body, {"rate": 8000, "seconds": 1.0}).prepare
    short = prepare(tone(1000, 0.25))["cells"]
    loud = np.flatnonzero(short.max(0) > 200)
    assert short[:, :16].max() == 0 and short[:, -16:].max() == 0
    assert abs(loud.mean() - 31.5) < 2
    quiet, middle = np.zeros(8000, np.float32), tone(1000, 1.0).wave
    long = Sound(np.concatenate([quiet, middle, quiet]), 8000)
    np.testing.assert_array_equal(prepare(long)["cells"], prepare(Sound(middle, 8000))["cells"])


def test_other_rates_are_resampled_and_loudness_does_not_matter(body):
    prepare = Spectrogram(size=64).connect(body, {"rate": 8000, "seconds": 0.5}).prepare
    high = tone(700, 0.5, 22_050)
    by_hand = Sound(soxr.resample(high.wave, 22_050, 8000).astype(np.float32), 8000)
    np.testing.assert_array_equal(prepare(high)["cells"], prepare(by_hand)["cells"])
    loud, soft = prepare(by_hand)["cells"], prepare(Sound(by_hand.wave * np.float32(0.125), 8000))["cells"]
    assert np.abs(loud.astype(int) - soft.astype(int)).max() <= 1


@pytest.mark.parametrize("wave", [np.zeros(4000, np.float32), np.ones(1, np.float32), np.zeros(0, np.float32)])
def test_silence_and_almost_nothing_give_finite_pictures(body, wave):
    connected = Spectrogram(size=32).connect(body, {"rate": 8000, "seconds": 0.25})
    pixels = connected.prepare.collate([connected.prepare(Sound(wave, 8000))])["pixels"]
    assert pixels.shape == (1, 3, 32, 32) and torch.isfinite(pixels).all()


def test_the_body_answers_sounds_with_shared_weights_and_the_sources_normalisation(body):
    connected = Spectrogram(size=64).connect(body, {"rate": 8000, "seconds": 0.5})
    assert (connected.reads, body.reads) == ("audio", "image") and connected.net is body.net
    rows = [connected.prepare(tone(h, 0.4)) for h in (300, 2000)]
    inputs = connected.prepare.collate(rows)
    wanted = (rows[0]["cells"].astype(np.float32) / 255 - 0.5) / 0.5
    for channel in inputs["pixels"][0].numpy():
        np.testing.assert_allclose(channel, wanted, atol=1e-6)
    with torch.inference_mode():
        assert Model(connected, nn.Identity()).eval().features(inputs).shape == (2, body.width)
    seen = connected.views(inputs, torch.Generator().manual_seed(0))
    assert seen["pixels"].shape == inputs["pixels"].shape
    json.dumps(connected.prepare.spec())


def test_a_text_source_cannot_look_at_pictures():
    text = find("sources", "embedded")().open("minilm", weights=False)
    with pytest.raises(UsageError, match="needs an image source"):
        Spectrogram().connect(text, {"rate": 8000, "seconds": 1.0})
