"""Splits, made once: stratified, groups whole, time in order, official ones honoured, repeated when labels are few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landbridge.core import seeds
from landbridge.core.domain import Fold, Pair

SMALL = 1_000  # rows below which one validation set says too little
FEW = 50  # examples a class in what is not test, below which splits are repeated
FOLDS, FOLD_PAIRS, OFFICIAL_PAIRS = 5, 3, 5
VALIDATION = 0.2
FEW_GROUPS = 10  # named groups up to which each is left out once


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the split must respect. Arrays have one entry per row.

    strata: class or bin; units: rows of one unit never part (groups, or copies of one example); times: seconds;
    official: `train`, `validation` or `test`; per_class: examples a class on average; leave_out: each group is the
    test once.
    """

    strata: np.ndarray
    units: np.ndarray
    seed: int
    per_class: float
    times: np.ndarray | None = None
    official: np.ndarray | None = None
    leave_out: bool = False

    def __len__(self) -> int:
        return len(self.strata)


def make_folds(plan: Plan) -> tuple[tuple[Fold, ...], str]:
    """The folds, and in words how they were made."""
    rows = np.arange(len(plan))
    if plan.official is not None and (plan.official == "test").any():
        return _official_test(plan)
    if plan.official is not None and (plan.official == "validation").any():
        train, validation = rows[plan.official == "train"], rows[plan.official == "validation"]
        rest, test = _cut(plan, train, _test_share(len(train)), "test")
        fold = Fold(test=test, pairs=(Pair(train=rest, validation=validation),))
        return (fold,), "the validation rows as given; the test drawn from the training rows"
    if plan.times is not None:
        rest, test = _latest(plan, rows, _test_share(len(rows)))
        train, validation = _latest(plan, rest, VALIDATION)
        return (
            Fold(test=test, pairs=(Pair(train=train, validation=validation),)),
        ), "by time: the latest rows are the test"
    units = len(np.unique(plan.units))
    few = plan.per_class * (1 - _test_share(len(rows))) < FEW
    if plan.leave_out and units <= FEW_GROUPS:
        return _folds(plan, units, FOLD_PAIRS if few else 1), f"each of {units} groups is the test once"
    if few and units >= FOLDS:
        made = _folds(plan, FOLDS, FOLD_PAIRS)
        return made, f"{FOLDS} folds with {FOLD_PAIRS} train/validation pairs each, as labels are few"
    rest, test = _cut(plan, rows, _test_share(len(rows)), "test")
    pairs = _pairs(plan, rest, FOLD_PAIRS if len(rest) < SMALL else 1, 0)
    how = "one validation set" if len(pairs) == 1 else f"{len(pairs)} train/validation pairs, as rows are few"
    return (Fold(test=test, pairs=pairs),), f"one stratified test set and {how}"


def cut(
    rows: np.ndarray, share: float, strata: np.ndarray, units: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Part rows into (rest, taken): about `share` of every stratum is taken, units stay whole, no stratum is emptied.

    Units of several rows are placed greedily, large ones first, where they bring the strata nearer to their shares;
    single rows then fill each stratum up.
    """
    total = np.bincount(strata[rows], minlength=int(strata.max()) + 1).astype(np.float64)
    wanted, have = share * total, np.zeros_like(total)
    several, singles = _members(rows, units)
    taken: list[np.ndarray] = []
    order = generator.permutation(len(several))
    for i in sorted(order, key=lambda i: -len(several[i])):
        kinds, count = np.unique(strata[several[i]], return_counts=True)
        change = count * (2 * (have[kinds] - wanted[kinds]) + count) / np.maximum(total[kinds], 1)
        fits = have.sum() + len(several[i]) <= 1.3 * share * len(rows) + 1
        if fits and change.sum() < 0 and (have[kinds] + count < total[kinds]).all():
            have[kinds] += count
            taken.append(several[i])
    taken.append(_fill(singles, strata, total, wanted, have, generator))
    chosen = np.concatenate(taken) if taken else np.array([], dtype=np.int64)
    if len(chosen) == 0:
        chosen = _smallest([*several, *np.split(singles, len(singles))] if len(singles) else several, strata, total)
    chosen = np.sort(chosen)
    return np.setdiff1d(rows, chosen), chosen


def deal(
    rows: np.ndarray, folds: int, strata: np.ndarray, units: np.ndarray, generator: np.random.Generator
) -> list[np.ndarray]:
    """Part rows into folds: each stratum spread as evenly as whole units allow."""
    size = int(strata.max()) + 1
    total = np.maximum(np.bincount(strata[rows], minlength=size), 1).astype(np.float64)
    held = np.zeros((folds, size))
    parts: list[list[np.ndarray]] = [[] for _ in range(folds)]
    several, singles = _members(rows, units)
    members = [*several, *(singles[i : i + 1] for i in range(len(singles)))]
    order = generator.permutation(len(members))
    rarity = [total[strata[m]].min() for m in members]
    for i in sorted(order, key=lambda i: (-len(members[i]), rarity[i])):
        kinds, count = np.unique(strata[members[i]], return_counts=True)
        cost = ((2 * held[:, kinds] + count) * count / total[kinds]).sum(1) + 1e-6 * held.sum(1)
        best = int(np.argmin(cost))
        held[best, kinds] += count
        parts[best].append(members[i])
    return [np.sort(np.concatenate(p)) for p in parts if p]


def _official_test(plan: Plan) -> tuple[tuple[Fold, ...], str]:
    official = plan.official
    rows = np.arange(len(plan))
    if official is None:
        raise ValueError("an official split is needed")
    test, given = rows[official == "test"], rows[official == "validation"]
    train = rows[official == "train"]
    if len(given):
        return (Fold(test=test, pairs=(Pair(train=train, validation=given),)),), "train, validation and test as given"
    if plan.times is not None:
        kept, validation = _latest(plan, train, VALIDATION)
        return (
            Fold(test=test, pairs=(Pair(train=kept, validation=validation),)),
        ), "the test as given; validation by time"
    few = plan.per_class * len(train) / len(plan) < FEW
    pairs = _pairs(plan, train, OFFICIAL_PAIRS if few else FOLD_PAIRS if len(train) < SMALL else 1, 0)
    how = f"{len(pairs)} train/validation pairs, as labels are few" if len(pairs) > 1 else "validation drawn from train"
    return (Fold(test=test, pairs=pairs),), f"the test as given; {how}"


def _test_share(rows: int) -> float:
    return 0.25 if rows < 200 else 0.2


def _cut(plan: Plan, rows: np.ndarray, share: float, *use: str | int) -> tuple[np.ndarray, np.ndarray]:
    return cut(rows, share, plan.strata, plan.units, seeds.numpy_generator(plan.seed, "split", *use))


def _pairs(plan: Plan, rows: np.ndarray, count: int, fold: int) -> tuple[Pair, ...]:
    """Train/validation pairs. Several validate on rows of their own, so that each is new evidence; where units are too
    large for such parts, a part is cut by itself."""
    apart = _apart(plan, rows, seeds.numpy_generator(plan.seed, "split", "parts", fold)) if count > 1 else []
    made = [(np.setdiff1d(rows, part), part) for part in apart[:count]]
    made += [_cut(plan, rows, VALIDATION, "pair", fold, repeat) for repeat in range(len(made), count)]
    return tuple(Pair(train=train, validation=validation) for train, validation in made)


def _apart(plan: Plan, rows: np.ndarray, generator: np.random.Generator) -> list[np.ndarray]:
    """Parts of about the validation's share with no row in common, none of which holds the whole of a stratum."""
    found = []
    for part in deal(rows, round(1 / VALIDATION), plan.strata, plan.units, generator):
        train = np.setdiff1d(rows, part)
        lost = np.setdiff1d(plan.strata[part], plan.strata[train])
        part = part[~np.isin(plan.units[part], plan.units[part][np.isin(plan.strata[part], lost)])]
        if 0.5 <= len(part) / (VALIDATION * len(rows)) <= 1.5:
            found.append(part)
    return found


def _folds(plan: Plan, count: int, pairs: int) -> tuple[Fold, ...]:
    rows = np.arange(len(plan))
    generator = seeds.numpy_generator(plan.seed, "split", "folds")
    if plan.leave_out and count == len(np.unique(plan.units)):
        tests = [rows[plan.units == u] for u in np.unique(plan.units)]
    else:
        tests = deal(rows, count, plan.strata, plan.units, generator)
    return tuple(
        Fold(test=test, pairs=_pairs(plan, np.setdiff1d(rows, test), pairs, number))
        for number, test in enumerate(tests)
    )


def _latest(plan: Plan, rows: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """(earlier, latest): whole units in the order of their last moment."""
    times = plan.times
    if times is None:
        raise ValueError("times are needed")
    _, place = np.unique(plan.units[rows], return_inverse=True)
    last = np.full(int(place.max()) + 1, -np.inf)
    np.maximum.at(last, place, times[rows])
    order = np.lexsort((rows, place, last[place]))
    need = max(1, round(share * len(rows)))
    border = len(order) - need
    while border > 0 and place[order[border]] == place[order[border - 1]]:
        border -= 1  # the unit that the border falls into is late as a whole
    if border == 0:
        border = int(np.flatnonzero(place[order] != place[order[0]])[0]) if last.size > 1 else len(order)
    return np.sort(rows[order[:border]]), np.sort(rows[order[border:]])


def _members(rows: np.ndarray, units: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The rows of each unit that has several, and the rows that are units of their own."""
    _, place, sizes = np.unique(units[rows], return_inverse=True, return_counts=True)
    alone = sizes[place] == 1
    shared = rows[~alone]
    order = shared[np.argsort(place[~alone], kind="stable")]
    edges = np.flatnonzero(np.diff(units[order])) + 1
    return np.split(order, edges) if len(order) else [], rows[alone]


def _fill(
    singles: np.ndarray,
    strata: np.ndarray,
    total: np.ndarray,
    wanted: np.ndarray,
    have: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Single rows that bring each stratum up to its share: at least one where it has two, never its last."""
    shuffled = generator.permutation(singles)
    goal = np.floor(wanted)
    spare = int(round(wanted.sum()) - goal.sum())
    by_rest = sorted(generator.permutation(len(goal)), key=lambda c: -(wanted[c] - goal[c]))
    goal[by_rest[: max(0, spare)]] += 1
    goal = np.maximum(goal, np.where(total >= 2, 1, 0))
    need = np.clip(goal - have, 0, np.maximum(total - have - 1, 0)).astype(np.int64)
    ranked = shuffled[np.argsort(strata[shuffled], kind="stable")]
    kinds = strata[ranked]
    starts = np.searchsorted(kinds, np.arange(len(goal)))
    place = np.arange(len(ranked)) - starts[kinds] if len(ranked) else np.array([], dtype=np.int64)
    return ranked[place < need[kinds]] if len(ranked) else ranked


def _smallest(members: list[np.ndarray], strata: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The smallest unit that leaves every stratum something, else simply the smallest."""
    if len(members) < 2:
        return np.array([], dtype=np.int64)
    sized = sorted(members, key=len)
    for m in sized:
        kinds, count = np.unique(strata[m], return_counts=True)
        if (count < total[kinds]).all():
            return m
    return sized[0]
