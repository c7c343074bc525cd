"""Closed-form intervals against published values, SciPy and simulation."""

import numpy as np
import pytest
from scipy import stats

from landbridge.evidence.intervals import holm, independent_difference, paired_difference, perfect, proportion, wilson


@pytest.mark.parametrize(("hits", "rows"), [(0, 20), (1, 30), (15, 40), (29, 30), (30, 30)])
def test_wilson_equals_scipy(hits: int, rows: int) -> None:
    expected = stats.binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    assert wilson(hits / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-12)
    hit_N = np.arange(rows) < hits
    assert proportion(hit_N, np.arange(rows)) == wilson(hits / rows, rows)


def test_perfect_is_clopper_pearson() -> None:
    expected = stats.binomtest(0, 30).proportion_ci(0.95, method="exact").high
    assert perfect(30) == pytest.approx(expected)


def test_repeated_rows_do_not_narrow_a_share() -> None:
    hit_N = np.arange(40) % 5 > 0
    once = proportion(hit_N, np.arange(40))
    thrice = proportion(np.tile(hit_N, 3), np.tile(np.arange(40), 3))
    assert thrice == pytest.approx(once, abs=0.005)
    assert thrice[1] - thrice[0] > 1.5 * np.ptp(wilson(0.8, 120))
    assert proportion(np.ones(90, dtype=bool), np.arange(90) % 30) == wilson(1.0, 30)
    assert proportion(np.ones(9, dtype=bool), np.zeros(9, dtype=int)) == (0.0, 1.0)


def test_bonett_price_by_hand() -> None:
    """5 rows won, none lost, of 100: (6-1)/102 -+ 1.96 sqrt((7/102 - (5/102)^2) / 102)."""
    one, other = np.ones(100, dtype=bool), np.arange(100) >= 5
    middle = 5 / 102
    half = 1.959964 * np.sqrt((7 / 102 - middle**2) / 102)
    found = paired_difference(one, other, np.arange(100))
    assert found == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert found[0] < 0 < found[1]  # as the exact McNemar test says, p = 0.0625


def test_newcombe_by_hand() -> None:
    """Newcombe 1998, table II: 56/70 against 48/80 by method 10 is 0.0524 to 0.3339."""
    one, other = wilson(56 / 70, 70), wilson(48 / 80, 80)
    assert independent_difference(56 / 70, one, 48 / 80, other) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_coverage_of_shares_over_rows_and_groups() -> None:
    """95 % intervals hold in about 95 % of worlds; over groups the one that ignores them does not."""
    draw = np.random.default_rng(0)
    rows = [wilson(h / 40, 40) for h in draw.binomial(40, 0.93, 2000)]
    assert 0.93 < np.mean([low <= 0.93 <= high for low, high in rows]) < 0.98
    groups = np.repeat(np.arange(25), 12)
    aware, naive = [], []
    for _ in range(600):
        hit = draw.random(300) < np.repeat(draw.beta(8, 2, 25), 12)
        aware.append(proportion(hit, groups))
        naive.append(wilson(hit.mean(), 300))
    assert 0.92 < np.mean([low <= 0.8 <= high for low, high in aware]) < 0.98
    assert np.mean([low <= 0.8 <= high for low, high in naive]) < 0.88


def test_equal_models_are_rarely_told_apart() -> None:
    draw = np.random.default_rng(1)
    wrong = 0
    for _ in range(1000):
        easy, a, b = draw.random(60) < 0.8, draw.random(60) < 0.5, draw.random(60) < 0.5
        low, high = paired_difference(easy | a, easy | b, np.arange(60))
        wrong += not low <= 0 <= high
    assert wrong / 1000 < 0.06
