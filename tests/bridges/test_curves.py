"""Series reach a source that reads curves on two scales, the common one learnt from training rows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from data_domains import domain

from landbridge.bridges.curves import Curves
from landbridge.core.errors import DataError, UsageError
from landbridge.testing import toy_body


def test_level_and_spread_are_those_of_training_rows_each_series_counting_alike() -> None:
    cells = [np.array([[1.0, 3.0], [0.0, 0.0]]), np.array([[4.0] * 6, [0.0] * 6]), np.full((2, 4), 1e6)]
    facts = Curves().fit(toy_body("curves"), domain("series", cells), np.arange(2))
    assert facts["level"] == [3.0, 0.0]  # (2 + 4) / 2
    np.testing.assert_allclose(facts["spread"], [np.sqrt((2.0 + 1.0) / 2), 1.0])
    assert json.loads(json.dumps(facts)) == facts


def test_the_connected_body_shares_weights_and_reads_series() -> None:
    body = toy_body("curves")
    joined = Curves().connect(body, {"level": [1.0], "spread": [2.0]})
    assert joined.reads == "series" and joined.net is body.net and body.reads == "curves"
    np.testing.assert_allclose(joined.prepare(np.array([[1.0, 3.0]]))["common"][0, [0, -1]], [0, 1])
    with pytest.raises(DataError, match="3 channels where 1 are expected"):
        joined.prepare(np.zeros((3, 8)))


def test_another_source_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="curves: needs a source that reads curves") as raised:
        Curves().connect(toy_body("image"), {"level": [0.0], "spread": [1.0]})
    assert "\n" not in str(raised.value)
