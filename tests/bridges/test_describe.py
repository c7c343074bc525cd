"""Rows of a table reach a text source as sentences."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from data_domains import domain

from landbridge.bridges.describe import Describe
from landbridge.core.errors import UsageError
from landbridge.core.registry import find

ROWS = [{"age": float(i), "job_kind": "clerk" if i % 2 else "cook", "flag": float(i % 2)} for i in range(100)]
READING = {"columns": {"age": "number", "job_kind": "category", "flag": "number"}}


@pytest.fixture(scope="module")
def body():
    return find("sources", "embedded")().open("minilm", weights=False)


def test_levels_are_quintiles_of_the_training_rows(body):
    facts = Describe().fit(body, domain("table", ROWS, READING), np.arange(50))
    assert facts["columns"] == ["age", "job_kind", "flag"]
    np.testing.assert_allclose(facts["cuts"]["age"], np.quantile(np.arange(50), (0.2, 0.4, 0.6, 0.8)))
    assert "flag" not in facts["cuts"]  # two values have no quintiles
    assert json.loads(json.dumps(facts)) == facts


def test_a_row_reads_as_a_sentence(body):
    facts = Describe().fit(body, domain("table", ROWS, READING), np.arange(100))
    prepare = Describe().connect(body, facts).prepare
    assert prepare.sentence(ROWS[3]) == "age is very low (3); job kind is clerk; flag is 1"
    assert prepare.sentence(ROWS[99]) == "age is very high (99); job kind is clerk; flag is 1"
    assert prepare.sentence({"age": math.nan, "job_kind": None}) == (
        "age is unknown; job kind is unknown; flag is unknown"
    )
    assert prepare.sentence({"age": 123456.7, "job_kind": "x", "flag": 0.5}) == (
        "age is very high (123457); job kind is x; flag is 0.5"
    )


def test_plain_numbers_have_no_levels(body):
    bridge = Describe(numbers="plain")
    facts = bridge.fit(body, domain("table", ROWS, READING), np.arange(100))
    assert bridge.connect(body, facts).prepare.sentence(ROWS[2]) == "age is 2; job kind is cook; flag is 0"


def test_the_sentence_is_prepared_as_the_source_prepares_any_text(body):
    connected = Describe().connect(body, {"columns": ["age"], "cuts": {}})
    got, wanted = connected.prepare({"age": 7.0}), body.prepare("age is 7")
    assert got.keys() == wanted.keys() and all((got[k] == wanted[k]).all() for k in got)
    assert connected.reads == "table" and connected.net is body.net
    batch = connected.prepare.collate([got, got])
    assert batch["input_ids"].shape == (2, len(got["input_ids"]))


def test_an_image_source_cannot_read():
    image = find("sources", "scratch")().open("convnet")
    with pytest.raises(UsageError, match="needs a text source"):
        Describe().connect(image, {"columns": [], "cuts": {}})
