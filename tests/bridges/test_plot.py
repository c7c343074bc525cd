"""Series reach an image source as pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from data_domains import domain
from torch import nn

from landbridge.bridges.plot import Plot
from landbridge.core.errors import DataError, UsageError
from landbridge.core.model import Model
from landbridge.core.registry import find
from landbridge.nn.series_image import angular_difference, angular_sum, line, recurrence, resampled


@pytest.fixture
def body():
    return find("sources", "scratch")().open("convnet")


def test_angular_fields_equal_their_trigonometry():
    unit = np.linspace(-1, 1, 17)
    angle = np.arccos(unit)
    np.testing.assert_allclose(angular_sum(unit), np.cos(angle[:, None] + angle[None]), atol=1e-7)
    np.testing.assert_allclose(angular_difference(unit), np.sin(angle[:, None] - angle[None]), atol=1e-7)


def test_recurrence_is_one_where_values_agree():
    plot = recurrence(np.array([0.0, 0.5, 0.0, -1.0]))
    assert plot[0, 2] == 1.0 and plot[0, 1] == 0.5 and plot[1, 3] == -0.5
    np.testing.assert_array_equal(plot, plot.T)


def test_a_line_has_ink_on_the_curve_and_ground_below():
    picture = line(np.linspace(-1, 1, 33))  # rises from bottom left to top right
    assert picture[32, 0] == 1.0 and picture[0, 32] == 1.0 and picture[16, 16] == 1.0
    assert picture[2, 4] == -1.0 and picture[30, 28] == 0.0


def test_resampling_is_linear_and_bridges_gaps():
    series = np.array([[0.0, np.nan, 2.0, 3.0], [np.nan] * 4])
    np.testing.assert_allclose(resampled(series, 7), [np.linspace(0, 3, 7), np.zeros(7)])


def test_the_range_of_each_channel_is_learnt_from_training_rows(body):
    generator = np.random.default_rng(0)
    cells = [generator.uniform((-1, 10), (3, 20), (50, 2)).T.astype(np.float32) for _ in range(20)]
    cells += [np.full((2, 50), 1e6, np.float32)] * 20
    facts = Plot().fit(body, domain("series", cells), np.arange(20))
    np.testing.assert_allclose(facts["low"], [-1, 10], atol=0.15)
    np.testing.assert_allclose(facts["high"], [3, 20], atol=0.15)
    assert json.loads(json.dumps(facts)) == facts


def test_constant_and_missing_channels_have_a_range(body):
    cells = [np.stack([np.full(9, 4.0), np.full(9, np.nan)]).astype(np.float32)] * 4
    facts = Plot().fit(body, domain("series", cells), np.arange(4))
    assert facts == {"low": [4.0, 0.0], "high": [5.0, 1.0]}


@pytest.mark.parametrize("kind", ["fields", "recurrence", "line"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_channel_has_its_own_square(body, kind, channels):
    facts = {"low": [0.0] * channels, "high": [1.0] * channels}
    connected = Plot(kind=kind, size=64).connect(body, facts)
    series = np.random.default_rng(1).uniform(0, 1, (channels, 40)).astype(np.float32)
    cells = connected.prepare(series)["cells"]
    edge = 64 if channels == 1 else 32
    alone = Plot(kind=kind, size=edge).connect(body, {"low": [0.0], "high": [1.0]})
    for c in range(channels):
        down, right = divmod(c, 2)
        square = cells[down * edge : (down + 1) * edge, right * edge : (right + 1) * edge]
        np.testing.assert_array_equal(square, alone.prepare(series[c : c + 1])["cells"])
    inputs = connected.prepare.collate([connected.prepare(series)] * 2)
    with torch.inference_mode():
        assert Model(connected, nn.Identity()).eval().features(inputs).shape == (2, body.width)
    assert connected.reads == "series" and connected.net is body.net
    json.dumps(connected.prepare.spec())


def test_a_text_source_cannot_look_at_pictures():
    text = find("sources", "embedded")().open("minilm", weights=False)
    with pytest.raises(UsageError, match="needs an image source"):
        Plot().connect(text, {"low": [0.0], "high": [1.0]})


@pytest.mark.parametrize(("learnt", "given"), [(1, 2), (2, 1), (3, 2)])
def test_other_channels_than_those_learnt_are_refused(body, learnt, given):
    prepare = Plot(size=64).connect(body, {"low": [0.0] * learnt, "high": [1.0] * learnt}).prepare
    with pytest.raises(DataError, match=f"a series has {given} channels where {learnt} are expected"):
        prepare(np.zeros((given, 20), np.float32))
