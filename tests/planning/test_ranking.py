"""Scores of many candidates brought together, by hand and on worlds whose order is known."""

from __future__ import annotations

import numpy as np
import pytest

from landbridge.core import registry
from landbridge.core.errors import UnknownName
from landbridge.planning.measuring import Candidate, measure
from landbridge.planning.ranking import combined, ranked, ranks, standardised, weighted_tau

NAN = float("nan")


def test_scores_of_any_unit_are_brought_to_one_scale() -> None:
    table = np.array([[1.0, -300.0], [2.0, -100.0], [3.0, -200.0]])
    step = np.sqrt(3 / 2)
    assert np.allclose(standardised(table), [[-step, -step], [0.0, step], [step, 0.0]])
    assert np.allclose(combined(table, "standardised"), [-step, step / 2, step / 2])
    assert np.allclose(ranks(table), [[3, 3], [2, 1], [1, 2]])
    assert np.allclose(combined(table, "rank"), [3, 1.5, 1.5])


def test_what_is_missing_does_not_count_for_or_against() -> None:
    table = np.array([[1.0, NAN, 5.0, NAN], [2.0, 7.0, 5.0, NAN], [3.0, 9.0, 5.0, 4.0], [NAN, -np.inf, NAN, NAN]])
    places = ranked(["a", "b", "c", "none"], table)
    assert [p.candidate for p in places] == ["c", "b", "a", "none"]
    step = np.sqrt(3 / 2)
    assert [p.value for p in places[:3]] == pytest.approx([(step + 1) / 3, -1 / 3, -step / 2])  # 0 where all are equal
    assert np.isnan(places[3].value) and [p.counted for p in places] == [3, 3, 2, 0]
    assert np.allclose(ranks(table)[:3, 1:3], [[NAN, 2.5], [4, 2.5], [1, 2.5]], equal_nan=True)  # stretched to 1..K
    assert all(np.isnan(p.error) and np.isnan(p.first) for p in places)


def test_errors_are_the_spread_over_resamples() -> None:
    generator = np.random.default_rng(0)
    truth = np.array([[3.0, 30.0], [2.9, 29.0], [0.0, 0.0]])
    drawn = truth + generator.standard_normal((400, 3, 2)) * [0.1, 1.0]
    places = {p.candidate: p for p in ranked(["a", "b", "c"], truth, drawn)}
    by_hand = np.array([combined(t, "standardised") for t in drawn])
    assert places["b"].error == pytest.approx(by_hand[:, 1].std(ddof=1))
    assert places["a"].first == pytest.approx((by_hand.argmax(1) == 0).mean()) and 0.6 < places["a"].first < 0.95
    assert places["c"].rank == 3.0 and places["c"].rank_error == 0.0 and places["c"].first == 0.0
    assert sum(p.first for p in places.values()) == pytest.approx(1.0)
    drawn[:200, 0, :] = NAN
    assert ranked(["a", "b", "c"], truth, drawn)[0].candidate == "a"


def test_weighted_tau_minds_the_top() -> None:
    reached = np.arange(8.0)
    assert weighted_tau(reached**3, reached) == pytest.approx(1.0)
    assert weighted_tau(-reached, reached) == pytest.approx(-1.0)
    top, bottom = reached.copy(), reached.copy()
    top[[7, 6]], bottom[[0, 1]] = top[[6, 7]], bottom[[1, 0]]
    assert weighted_tau(top, reached) < weighted_tau(bottom, reached) < 1.0
    # two of three pairs are in order; weights 1/r + 1/s of the ranks from the top, mean over both orders
    pair = {(0, 1): 1 + 1 / 2, (0, 2): 1 + 1 / 3, (1, 2): 1 / 2 + 1 / 3}
    by_hand = (pair[0, 2] + pair[1, 2] - pair[0, 1]) / sum(pair.values())
    assert weighted_tau(np.array([2.0, 3.0, 1.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(by_hand)
    assert np.isnan(weighted_tau(np.array([1.0, NAN, 2.0]), np.array([1.0, 2.0, NAN])))
    assert weighted_tau(np.array([1.0, NAN, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(1.0)


def test_better_features_rank_higher_and_the_error_says_how_surely() -> None:
    generator = np.random.default_rng(0)
    y = np.arange(240) % 4
    task = registry.find("tasks", "classify")(classes=(0, 1, 2, 3))
    means, noise = generator.standard_normal((4, 10)), generator.standard_normal((240, 10))
    made = {f"apart {a}": Candidate(features=(a * means[y] + noise).astype(np.float32)) for a in (0.0, 0.5, 0.52, 1.5)}
    found = measure(made, y, task, resamples=6, scores=("h_score", "logme", "sfda", "probe", "leep"))
    assert found.values.shape == (4, 5) and found.resampled.shape == (6, 4, 5)
    assert np.isnan(found.values[:, 4]).all() and np.isfinite(found.values[:, :4]).all()  # no source probabilities
    for by in ("standardised", "rank"):
        places = found.ranked(by)
        assert [places[0].candidate, places[3].candidate] == ["apart 1.5", "apart 0.0"]
        assert places[0].first == 1.0 and places[0].counted == 4
    middle = [p for p in found.ranked() if p.candidate.startswith("apart 0.5")]
    assert abs(middle[0].value - middle[1].value) < 3 * np.hypot(middle[0].error, middle[1].error)
    again = measure(made, y, task, resamples=6, scores=("h_score", "logme", "sfda", "probe", "leep"))
    assert np.array_equal(again.resampled, found.resampled, equal_nan=True)


def test_the_spread_of_halves_is_the_standard_error_on_all_rows() -> None:
    generator = np.random.default_rng(0)
    y = np.arange(200) % 2
    task = registry.find("tasks", "classify")(classes=(0, 1))

    def drawn() -> Candidate:
        return Candidate(features=0.8 * y[:, None] * np.eye(5)[0] + generator.standard_normal((200, 5)))

    given = {"scores": ("h_score",), "resamples": 0}
    worlds = [float(measure({"x": drawn()}, y, task, **given).values[0, 0]) for _ in range(150)]
    halves = [
        measure({"x": drawn()}, y, task, scores=("h_score",), resamples=30).resampled[:, 0, 0].std(ddof=1)
        for _ in range(10)
    ]
    assert np.mean(halves) == pytest.approx(np.std(worlds), rel=0.35)


def test_numbers_are_ranked_by_the_scores_that_read_them() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((100, 6))
    values = x[:, 0] + 0.3 * generator.standard_normal(100)
    task = registry.find("tasks", "regress").from_labels(values.tolist())
    made = {"all": Candidate(features=x), "blind": Candidate(features=x[:, 1:])}
    found = measure(made, task.encode(values.tolist()), task, resamples=3, most=80)
    assert [p.candidate for p in found.ranked()] == ["all", "blind"]
    assert [s for s, v in zip(found.scores, found.values[0], strict=True) if np.isfinite(v)] == ["logme", "probe"]
    with pytest.raises(UnknownName, match="unknown score 'logmee'; did you mean logme"):
        measure(made, values, task, scores=("logmee",))
