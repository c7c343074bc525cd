"""Sounds, series, tables and events: frequencies, steps, graphs and captions are what the truth says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from landbridge.worlds import telling
from landbridge.worlds.causal import Causal
from landbridge.worlds.events import Events, hertz, onset
from landbridge.worlds.processes import lorenz_step
from landbridge.worlds.series import Series
from landbridge.worlds.sounds import FAMILIES, Sounds


def test_the_strongest_frequency_of_a_tone_is_its_truth() -> None:
    made = Sounds(classes=len(FAMILIES), noise=0.0).make(0, np.arange(0, 70, len(FAMILIES)))
    for sound, truth in zip(made.examples, made.truth, strict=True):
        assert truth["family"] == "tone"
        power = np.abs(np.fft.rfft(sound.wave * np.hanning(len(sound.wave))))
        assert power.argmax() * sound.rate / len(sound.wave) == pytest.approx(truth["hertz"], abs=1.5)
        assert np.flatnonzero(sound.wave)[0] / sound.rate == pytest.approx(truth["onset"], abs=0.002)


def test_echoes_are_where_they_are_said_to_be() -> None:
    dry = Sounds(noise=0.0).make(0, np.arange(3))
    wet = Sounds(noise=0.0, room=0.5).make(0, np.arange(3))
    for one, other, truth in zip(dry.examples, wet.examples, wet.truth, strict=True):
        by_hand = one.wave.astype(float).copy()
        for delay, gain in truth["echoes"]:
            by_hand[delay:] += gain * one.wave[:-delay]
        assert np.corrcoef(by_hand, other.wave)[0, 1] > 0.9999


def test_lorenz_follows_its_equations() -> None:
    x, y, z, rho = 1.0, 2.0, 15.0, 28.0
    by_hand = [x + 0.01 * 10 * (y - x), y + 0.01 * (x * (rho - z) - y), z + 0.01 * (x * y - 8 / 3 * z)]
    assert lorenz_step(np.array([[x, y, z]]), np.array([rho]))[0].tolist() == pytest.approx(by_hand)
    made = Series(classes=9, noise=0.0).make(0, np.array([5, 6]))
    assert [t["family"] for t in made.truth] == ["logistic", "seasons"]
    x = (made.examples[0, 0].astype(float) + 1) / 2
    r = 3.5 + 0.5 * made.truth[0]["numbers"][0]
    assert np.abs(x[1:] - r * x[:-1] * (1 - x[:-1])).max() < 1e-5


def test_clean_series_differ_from_noisy_ones_by_the_noise() -> None:
    made = Series(noise=0.1).make(0, np.arange(90))
    gap = made.examples[:, 0] - np.array([t["clean"] for t in made.truth])
    assert gap.std() == pytest.approx(0.1, rel=0.03)


def test_a_table_has_an_acyclic_graph_and_its_cells_are_the_values() -> None:
    world = Causal(classes=3, missing=0.2)
    made = world.make(7, np.arange(3000))
    graph: dict[str, Any] = made.truth[0]["graph"]
    place = {name: i for i, name in enumerate(made.truth[0]["values"])}
    assert all(place[cause] < place[effect] for cause, effect in graph["edges"])
    assert {e for _, e in graph["edges"]} | {"x00"} == set(place)
    cells = [(row[n], t["values"][n]) for row, t in zip(made.examples, made.truth, strict=True) for n in row]
    assert np.mean([c is None for c, _ in cells]) == pytest.approx(0.2, abs=0.01)
    assert all(abs(c - v) < 1e-6 for c, v in cells if isinstance(c, float))
    shares = np.unique(made.labels, return_counts=True)[1] / 3000
    assert (np.abs(shares - 1 / 3) < 0.06).all()
    values = np.array([list(t["values"].values()) for t in made.truth])
    assert np.abs(values.mean(0)).max() < 0.15
    other = world.make(8, np.arange(3)).truth[0]["graph"]
    assert other != graph


def test_captions_are_read_back_and_all_tellings_agree() -> None:
    made = Events().make(0, np.arange(100))
    assert len(set(made.views["text"])) > 95
    for i, truth in enumerate(made.truth):
        said = telling.read(made.views["text"][i])
        assert said.items() <= made.views["table"][i].items()
        facts = {(s, r): o for s, r, o in made.views["graph"][i]}
        assert facts["first", "kind"] == said["first_kind"] == made.labels[i]
        assert facts["first", said["where"]] == "second"
        assert np.array_equal(made.views["video"][i][0], made.examples[i])
        first, second = (telling.Thing(**t) for t in truth["things"])
        wave = made.views["audio"][i].wave
        start = min(onset(first), onset(second))
        assert np.flatnonzero(np.abs(wave) > 1e-3)[0] / 8000 == pytest.approx(start, abs=0.004)
        assert hertz(first) == (660 if first.size == "small" else 330)
    with pytest.raises(ValueError, match="grammar"):
        telling.read("a disc is there")


def test_things_move_as_told() -> None:
    made = Events(asks="motion", classes=5).make(3, np.arange(40))
    for video, truth in zip(made.views["video"], made.truth, strict=True):
        changed = np.abs(video[-1].astype(int) - video[0]).max() > 20
        still = {t["motion"] for t in truth["things"]} == {"stands still"}
        assert changed != still
