"""Rows and series: normalised values, sketches, thumbnails and corruptions."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pytest

from landbridge.core.errors import DataError
from landbridge.modalities.series import Series
from landbridge.modalities.table import Table

TABLE, SERIES = Table(), Series()
ROW = {"age": 41.0, "income": 52_000.5, "city": "Oslo", "since": "2020-02-29", "note": None}


def distance(part: Table | Series, a: object, b: object) -> float:
    one, two = (v / np.linalg.norm(v) for v in (part.sketch(a), part.sketch(b)))
    return float(np.linalg.norm(one - two))


def test_rows_are_normalised() -> None:
    row = {"a": np.int64(3), "b": True, "c": Decimal("1.5"), "d": float("nan"), "e": datetime.date(2020, 2, 29)}
    row |= {"f": "x", "g": None, "h": np.float32(0.5), "i": datetime.datetime(2020, 1, 2, 3, 4)}
    want = {"a": 3.0, "b": "true", "c": 1.5, "d": None, "e": "2020-02-29", "f": "x", "g": None, "h": 0.5}
    assert TABLE.decode(row) == want | {"i": "2020-01-02T03:04:00"}
    with pytest.raises(DataError, match=r"column 'a'.*infinite"):
        TABLE.decode({"a": float("-inf")})
    with pytest.raises(DataError, match=r"column 'a'.*list"):
        TABLE.decode({"a": [1]})
    with pytest.raises(DataError, match="map columns"):
        TABLE.decode([1, 2])


def test_row_sketch_is_equal_for_equal_rows_only() -> None:
    assert distance(TABLE, ROW, dict(reversed(ROW.items()))) == 0
    assert distance(TABLE, ROW, ROW | {"income": 52_000.5000001}) == 0
    assert distance(TABLE, ROW, ROW | {"age": 42.0}) > TABLE.near
    wide = {f"c{i}": float(i) for i in range(500)}
    assert distance(TABLE, wide, wide | {"c7": -1.0}) > TABLE.near


def test_row_thumbnail() -> None:
    shown = TABLE.thumbnail({"<b>": "<i>", "x": 1.25, "y": None})
    assert "<tr><th>&lt;b&gt;</th><td>&lt;i&gt;</td></tr>" in shown and "<td>1.25</td>" in shown
    assert len(TABLE.thumbnail({f"c{i}" * 50: "&" * 1000 for i in range(200)})) < 20_000


def test_row_corruptions() -> None:
    row = {f"c{i}": float(i + 1) for i in range(400)} | {"name": "x"}
    lost = TABLE.perturb(row, "missing", 5, np.random.default_rng(0))
    assert 0.4 < sum(v is None for v in lost.values()) / len(lost) < 0.6
    noisy = TABLE.perturb(row, "noise", 2, np.random.default_rng(0))
    relative = np.array([noisy[k] / v - 1 for k, v in row.items() if k != "name"])
    assert noisy["name"] == "x" and relative.std() == pytest.approx(0.05, rel=0.2)


def test_series_are_filled_by_the_stated_rule() -> None:
    nan = np.nan
    filled = SERIES.decode([[nan, 1.0, nan, nan, 4.0, nan, nan], [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, nan]])
    assert filled.tolist() == [[1.0, 1.0, 2.0, 3.0, 4.0, 4.0], [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]]
    assert filled.dtype == np.float32
    assert SERIES.decode([1, 2, 3]).shape == (1, 3)
    assert SERIES.decode([[1.0, 2.0], [nan, nan]]).tolist() == [[1.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ([1.0, np.inf], "infinite at channel 0, step 1"),
        ([[1.0, 2.0], [1.0]], "grid of numbers"),
        (["a", "b"], "grid of numbers"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        ([np.nan, np.nan], "no values"),
        ([1.0, np.nan], "single step"),
        ([1.0, 1e300], "float32"),
    ],
)
def test_bad_series_are_refused(cell: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        SERIES.decode(cell)


def test_series_sketch() -> None:
    time = np.linspace(0, 1, 150)
    one = SERIES.decode([np.sin(9 * time), time**2])
    assert SERIES.sketch(one).shape == (2 * 66,)
    finer = np.linspace(0, 1, 400)
    assert distance(SERIES, one, SERIES.decode([np.sin(9 * finer).round(4), finer**2])) < SERIES.near
    assert distance(SERIES, one, SERIES.decode([np.sin(10 * time), time**2])) > SERIES.near
    assert distance(SERIES, one, 2 * one) > SERIES.near
    flat = [SERIES.decode(np.full(20, v)) for v in (1.0, 5.0)]
    assert np.isfinite(SERIES.sketch(flat[0])).all()


def test_series_thumbnail_and_corruptions() -> None:
    generator = np.random.default_rng(0)
    series = generator.standard_normal((9, 3000)).cumsum(1).astype(np.float32)
    shown = SERIES.thumbnail(series)
    assert shown.count("<polyline") == 6 and len(shown) < 20_000
    assert "nan" not in SERIES.thumbnail(np.ones((1, 2), np.float32))
    for kind in SERIES.corruptions:
        spoiled = [SERIES.perturb(series, kind, s, np.random.default_rng(1)) for s in (1, 5)]
        change = [np.abs(s - series).mean() for s in spoiled]
        assert spoiled[0].shape == series.shape and 0 < change[0] < change[1], kind
    noise = SERIES.perturb(series, "noise", 3, np.random.default_rng(1)) - series
    assert (noise.std(1) / series.std(1)).mean() == pytest.approx(0.2, rel=0.05)
