"""Splits keep groups whole, strata even, classes in train, and time in order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.core.domain import Fold
from landbridge.reading.places import split_of
from landbridge.reading.splits import Plan, cut, deal, make_folds


def plan(strata: np.ndarray, **more: object) -> Plan:
    values = {"units": np.arange(len(strata)), "seed": 0, "per_class": len(strata) / len(np.unique(strata))}
    return Plan(strata=strata, **(values | more))  # type: ignore[arg-type]


def whole(folds: tuple[Fold, ...], count: int) -> None:
    """Every pair and its test part all rows, without overlap."""
    for fold in folds:
        for pair in fold.pairs:
            parts = [fold.test, pair.train, pair.validation]
            assert all(len(p) for p in parts)
            assert sorted(np.concatenate(parts).tolist()) == list(range(count))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(40, 200), st.integers(0, 10_000))
def test_random_labels(classes: int, count: int, seed: int) -> None:
    strata = np.random.default_rng(seed).integers(0, classes, count)
    strata[: 3 * classes] = np.repeat(np.arange(classes), 3)
    folds, _ = make_folds(plan(strata, seed=seed))
    whole(folds, count)
    for fold in folds:
        for pair in fold.pairs:
            assert set(strata[pair.train]) == set(range(classes))
    if len(folds) > 1:
        assert sorted(np.concatenate([f.test for f in folds]).tolist()) == list(range(count))


@settings(max_examples=40, deadline=None)
@given(st.integers(12, 40), st.integers(0, 10_000))
def test_groups_never_part(groups: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    units = np.repeat(np.arange(groups), generator.integers(1, 9, groups))
    strata = generator.integers(0, 2, len(units))
    folds, _ = make_folds(plan(strata, units=units, seed=seed))
    whole(folds, len(units))
    for fold in folds:
        for pair in fold.pairs:
            for a, b in itertools.combinations((fold.test, pair.train, pair.validation), 2):
                assert not set(units[a]) & set(units[b])


def test_many_labels_give_one_stratified_split() -> None:
    strata = np.repeat([0, 1], [1800, 200])
    folds, _ = make_folds(plan(strata))
    assert (len(folds), len(folds[0].pairs)) == (1, 1)
    assert np.bincount(strata[folds[0].test]).tolist() == [360, 40]
    assert np.bincount(strata[folds[0].pairs[0].validation]).tolist() == [288, 32]


def test_few_rows_with_enough_labels_give_one_test_and_repeated_pairs() -> None:
    strata = np.repeat([0, 1], [600, 400])
    folds, how = make_folds(plan(strata))
    assert (len(folds), len(folds[0].pairs)) == (1, 3)
    assert "3 train/validation pairs" in how
    assert len({tuple(p.validation) for p in folds[0].pairs}) == 3


def test_few_labels_give_folds_of_repeated_pairs() -> None:
    strata = np.repeat([0, 1, 2], 20)
    folds, how = make_folds(plan(strata))
    assert (len(folds), len(folds[0].pairs)) == (5, 3)
    assert "few" in how
    for fold in folds:
        assert np.bincount(strata[fold.test]).tolist() == [4, 4, 4]
        assert len({tuple(p.validation.tolist()) for p in fold.pairs}) == 3


def test_official_test_is_untouched() -> None:
    strata = np.tile([0, 1], 100)
    official = np.repeat(np.array(["train", "test"], dtype=object), [60, 140])
    folds, _ = make_folds(plan(strata, official=official))
    assert (len(folds), len(folds[0].pairs)) == (1, 5)  # 30 a class: few
    assert folds[0].test.tolist() == list(range(60, 200))
    assert all(len(p.validation) == 12 for p in folds[0].pairs)


def test_official_validation_is_the_one_pair() -> None:
    strata = np.tile([0, 1], 100)
    official = np.repeat(np.array(["train", "validation", "test"], dtype=object), [100, 40, 60])
    folds, _ = make_folds(plan(strata, official=official))
    assert len(folds[0].pairs) == 1
    assert folds[0].pairs[0].validation.tolist() == list(range(100, 140))
    partial = np.where(official == "test", "train", official)
    folds, _ = make_folds(plan(strata, official=partial))
    assert folds[0].pairs[0].validation.tolist() == list(range(100, 140))
    whole(folds, 200)


def test_time_orders_the_parts_and_keeps_groups() -> None:
    generator = np.random.default_rng(0)
    times = generator.permutation(300).astype(float)
    strata = generator.integers(0, 2, 300)
    folds, _ = make_folds(plan(strata, times=times))
    pair = folds[0].pairs[0]
    assert times[folds[0].test].min() > times[pair.validation].max()
    assert times[pair.validation].min() > times[pair.train].max()
    assert len(folds[0].test) == 60
    units = np.repeat(np.arange(30), 10)
    folds, _ = make_folds(plan(strata, times=times, units=units))
    assert not set(units[folds[0].test]) & set(units[folds[0].rest])


def test_named_groups_are_left_out_in_turn() -> None:
    units = np.repeat(np.arange(6), 50)
    strata = np.tile(np.arange(5), 60)
    folds, how = make_folds(plan(strata, units=units, leave_out=True))
    assert [set(units[f.test]) for f in folds] == [{i} for i in range(6)]
    assert "6 groups" in how


def test_seed_decides() -> None:
    strata = np.tile([0, 1], 150)
    one, two, three = (make_folds(plan(strata, seed=s))[0][0].test.tolist() for s in (0, 0, 1))
    assert one == two != three


def test_a_class_in_one_group_stays_in_train() -> None:
    units = np.repeat(np.arange(20), 5)
    strata = np.where(units == 3, 1, 0)
    rest, taken = cut(np.arange(100), 0.2, strata, units, np.random.default_rng(0))
    assert set(strata[rest]) == {0, 1}
    assert len(taken) == 20


def test_a_large_unit_does_not_swallow_the_share() -> None:
    units = np.concatenate([np.zeros(40, dtype=np.int64), np.arange(1, 61)])
    rest, taken = cut(np.arange(100), 0.2, np.zeros(100, dtype=np.int64), units, np.random.default_rng(0))
    assert len(taken) == 20
    assert 0 not in units[taken]
    assert len(rest) == 80


@pytest.mark.parametrize("folds", [2, 5])
def test_dealing_is_even(folds: int) -> None:
    strata = np.repeat([0, 1, 2], [50, 25, 10])
    parts = deal(np.arange(85), folds, strata, np.arange(85), np.random.default_rng(0))
    for kind in range(3):
        counts = [int((strata[p] == kind).sum()) for p in parts]
        assert max(counts) - min(counts) <= 1
    assert sorted(np.concatenate(parts).tolist()) == list(range(85))


@pytest.mark.parametrize(
    ("stem", "found"),
    [
        ("ECG200_TRAIN", ("ECG200", "train")), ("ECG200TRAIN", ("ECG200", "train")), ("dataTest", ("data", "test")),
        ("train-00000-of-00002", ("", "train")), ("my.dev", ("my", "validation")), ("testing", ("", "test")),
        ("contest", ("contest", None)), ("latest", ("latest", None)), ("strain", ("strain", None)),
        ("medieval", ("medieval", None)),
    ],
)  # fmt: skip
def test_a_file_name_says_its_split_only_as_a_word_of_its_own(stem: str, found: tuple[str, str | None]) -> None:
    assert split_of(stem) == found
