"""The recipe of the network for series: its tasks repeat, its map is the root that it claims to be, and it helps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from landbridge.nn.curve_net import CurveNet
from landbridge.sources.curve_folder import open_curves
from landbridge.sources.embedded import Embedded

SHAPE = {"points": 64, "spans": (1, 4), "own": 1, "common": 1, "windows": 2, "width": 24}


@pytest.fixture(scope="module")
def made(series_recipe):
    """A small network that forty tasks have taught."""
    _, settle = series_recipe
    torch.manual_seed(0)
    net = CurveNet(**SHAPE).eval()
    settle.set_thresholds(net, 5)
    settle.settle(net, 5, 40)
    return net


def test_a_seed_gives_the_same_tasks_and_each_is_whole(series_recipe) -> None:
    episodes, settle = series_recipe
    kinds = set()
    for one, other in zip(settle.stream(3, "a", 60), settle.stream(3, "a", 60), strict=True):
        np.testing.assert_array_equal(one.series, other.series)
        count = one.classes.max() + 1
        kinds.add(int(count))
        assert np.isfinite(one.series).all() and one.series.std() > 0 and len(one.series) == len(one.classes)
        assert 2 * count <= one.labelled < len(one.series) <= episodes.MOST
        assert len(set(np.bincount(one.classes[: one.labelled]))) == 1
    assert kinds >= {2, 3, 4, 5}
    assert not np.array_equal(*(next(settle.stream(3, part, 1)).series[0, :24] for part in "ab"))


def test_a_classes_series_are_nearer_to_each_other_than_to_others_in_most_tasks(series_recipe) -> None:
    _, settle = series_recipe
    nearer = []
    for found in settle.stream(1, "near", 60):
        x, y = found.series, found.classes
        means = np.stack([x[y == c].mean(0) for c in range(y.max() + 1)])
        own = np.square(x - means[y]).sum(1)
        other = np.square(x - means[(y + 1) % len(means)]).sum(1)
        nearer.append(np.median(own) < np.median(other))
    assert np.mean(nearer) > 0.7


def test_thresholds_lie_where_responses_do(series_recipe, made) -> None:
    _, settle = series_recipe
    shares = np.concatenate([settle.shares_of(made, found)[0] for found in settle.stream(5, "thresholds", 30)])
    raw = shares * made.spread.numpy() + made.middle.numpy()
    assert raw.mean(0).min() > 0.005 and raw.mean(0).max() < 0.995
    np.testing.assert_allclose(shares.mean(0), 0, atol=0.5)
    np.testing.assert_allclose(shares.std(0), 1, atol=0.5)


def test_the_map_makes_what_classes_do_not_differ_in_even(series_recipe, made) -> None:
    _, settle = series_recipe
    within = np.zeros((made.shares, made.shares))
    for found in settle.stream(5, "map", 40):
        rows, classes, _ = settle.shares_of(made, found)
        for c in range(classes.max() + 1):
            own = rows[classes == c] - rows[classes == c].mean(0)
            within += own.T @ own / (len(rows) * 40)
    eased = within + settle.EASE * np.trace(within) / len(within) * np.eye(len(within))
    weight = made.settle.weight.detach().numpy().astype(np.float64)
    np.testing.assert_allclose(weight @ eased @ weight.T, np.eye(24), atol=1e-4)


def test_what_ships_is_better_on_held_out_tasks_than_its_counts_and_than_the_rivals_features(series_recipe) -> None:
    _, settle = series_recipe
    net = Embedded().open("series").net
    found = settle.probes(net, 0, 25)
    assert found["features"] > max(found["shares"], found["minirocket"]) + 0.005, found


def test_the_folder_that_it_writes_is_opened(series_recipe, tmp_path, monkeypatch) -> None:
    _, settle = series_recipe
    words = ["settle.py", str(tmp_path / "out"), "--episodes", "3", "--held", "2", "--width", "16"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(settle, "FIRST", 3)
    settle.main()
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert {"data", "objective", "minutes", "hardware", "probes", "recipe", "licence"} <= set(card)
    assert set(card["probes"]) == {"shares", "features", "minirocket"} and card["generated"]
    body = open_curves(tmp_path / "out", "embedded:series", True)
    assert body.width == 16 and body.card["sha256"] == card["sha256"]
