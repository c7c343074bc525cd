"""Rows that stand on both sides of a split: the same content, or nearly the same by the modality's sketch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from landbridge.core import seeds
from landbridge.core.domain import Domain, Fold, Pair
from landbridge.core.errors import DataError
from landbridge.reading.hashes import Scanned, of_cells

LIMIT = 20_000  # rows on either side of a comparison; beyond it a sample
_CHUNK = 1024
_NEAREST = 5  # near twins kept for a row
_MOST = 0.5  # share of test rows with a twin from which being alike is the data's nature
_DISAGREE, _CROWD = 0.02, 10  # equal table rows with other labels, or this many of them, are different things alike
_PLANES = 128  # dimensions in which near twins are looked for first


def find_duplicates(domain: Domain, *, seed: int = 0, limit: int = LIMIT) -> list[dict[str, Any]]:
    """Twins across the splits: `{"kind": "exact" or "near", "row", "twin", "distance", "where"}`.

    `row` is a test row and `twin` one of its fold's other rows (`where` "test"), or a validation and a train row of
    one pair (`where` "validation"). Distances are those of L2-normalised sketches; rows of tables and numbers of
    series are often alike by nature, so for tables only exact twins count.
    """
    hashes = of_cells(domain.cells)
    found: dict[tuple[int, int, str], dict[str, Any]] = {}
    near = [] if domain.modality.part_name == "table" else _near(domain, hashes, seed, limit)
    for fold in domain.folds:
        for row, twin, distance in _across(fold.test, fold.rest, hashes, near, every_twin=False):
            found.setdefault((row, twin, "test"), _entry(row, twin, distance, "test"))
        for pair in fold.pairs:
            for row, twin, distance in _across(pair.validation, pair.train, hashes, near, every_twin=True):
                found.setdefault((row, twin, "validation"), _entry(row, twin, distance, "validation"))
    return sorted(found.values(), key=lambda e: (e["where"], e["row"], e["twin"]))


def without_duplicates(domain: Domain, pairs: Iterable[Mapping[str, Any]]) -> Domain:
    """The domain whose test rows have no twin in the same fold, and whose train rows have none in validation.

    Where being alike is the data's nature (`alike_by_nature` of a table, or half of the test rows have a twin), the
    test stays as it is; a class never loses its last train row.
    """
    if domain.modality.part_name == "table" and alike_by_nature(of_cells(domain.cells), domain.targets):
        return domain
    twins: dict[int, set[int]] = {}
    for entry in pairs:
        twins.setdefault(int(entry["row"]), set()).add(int(entry["twin"]))
        twins.setdefault(int(entry["twin"]), set()).add(int(entry["row"]))
    folds = []
    for fold in domain.folds:
        rest = set(fold.rest.tolist())
        drop = [r for r in fold.test.tolist() if twins.get(r, set()) & rest]
        test = fold.test if len(drop) > _MOST * len(fold.test) else np.setdiff1d(fold.test, drop)
        folds.append(Fold(test=test, pairs=tuple(_without_twins(domain, p, twins) for p in fold.pairs)))
    return domain.with_folds(*folds)


def alike_by_nature(hashes: np.ndarray, targets: np.ndarray) -> bool:
    """Whether equal rows of a table are different things that look alike, such as passengers of one cabin class.

    Copies of one thing have the same target and are few. So rows are alike by nature where more than 2 % of the rows
    with a twin differ from their twins' usual target, or where more than ten are equal.
    """
    _, units, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    several = np.flatnonzero(sizes[units] > 1)
    if not len(several):
        return False
    if sizes.max() > _CROWD:
        return True
    values = targets.reshape(len(targets), -1)
    _, kinds = np.unique(values, axis=0, return_inverse=True)
    pairs, counts = np.unique(np.stack([units[several], kinds.reshape(-1)[several]]), axis=1, return_counts=True)
    usual = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(usual, pairs[0], counts)
    return bool(len(several) - usual.sum() > _DISAGREE * len(several))


def _without_twins(domain: Domain, pair: Pair, twins: Mapping[int, set[int]]) -> Pair:
    validation = set(pair.validation.tolist())
    drop = [r for r in pair.train.tolist() if twins.get(r, set()) & validation]
    if not drop or len(drop) > _MOST * len(pair.train):
        return pair
    kept = np.setdiff1d(pair.train, drop)
    strata = domain.task.strata(domain.targets)
    if strata is not None:
        lost = np.setdiff1d(strata[pair.train], strata[kept])
        kept = np.sort(np.concatenate([kept, pair.train[np.isin(strata[pair.train], lost)]]))
    return Pair(train=kept, validation=pair.validation)


def _entry(row: int, twin: int, distance: float, where: str) -> dict[str, Any]:
    kind = "exact" if distance == 0.0 else "near"
    return {"kind": kind, "row": row, "twin": twin, "distance": round(distance, 6), "where": where}


Twin = tuple[int, int, float]


def _across(
    asking: np.ndarray, others: np.ndarray, hashes: np.ndarray, near: Sequence[Twin], *, every_twin: bool
) -> list[Twin]:
    """Twins (row of `asking`, row of `others`, distance); exact ones once a row, or once for every other row."""
    found: list[Twin] = []
    side, opposite = (others, asking) if every_twin else (asking, others)
    known, first = np.unique(hashes[opposite], return_index=True)
    at = np.searchsorted(known, hashes[side]) if len(known) else np.zeros(len(side), dtype=np.int64)
    for row, place in zip(side.tolist(), at.tolist(), strict=True):
        if place < len(known) and known[place] == hashes[row]:
            twin = int(opposite[first[place]])
            found.append((twin, row, 0.0) if every_twin else (row, twin, 0.0))
    member = np.zeros(len(hashes), dtype=np.int8)
    member[asking], member[others] = 1, 2
    for a, b, distance in near:
        if member[a] == 1 and member[b] == 2:
            found.append((a, b, distance))
        elif member[a] == 2 and member[b] == 1:
            found.append((b, a, distance))
    return found


def _near(domain: Domain, hashes: np.ndarray, seed: int, limit: int) -> list[Twin]:
    """Pairs of rows with different content nearer than the modality's threshold; one of them is test or validation."""
    asking = np.unique(np.concatenate([p for f in domain.folds for p in (f.test, *(q.validation for q in f.pairs))]))
    others = np.unique(np.concatenate([p for f in domain.folds for p in (f.rest, f.test)]))
    generator = seeds.numpy_generator(seed, "duplicates")
    asking = _some(asking, limit, generator)
    others = _some(others, limit, generator)
    threshold = float(domain.modality.near)
    rows = np.union1d(asking, others)
    sketches, good = _sketches(domain, rows)
    rows, sketches = rows[good], sketches[good]
    queries, keys = np.flatnonzero(np.isin(rows, asking)), np.flatnonzero(np.isin(rows, others))
    found: list[Twin] = []
    for i, j, distance in _close(sketches, queries, keys, threshold, generator):
        a, b = int(rows[i]), int(rows[j])
        if a != b and hashes[a] != hashes[b]:
            found.append((a, b, max(distance, 1e-6)))
    return _nearest(found)


def _close(
    sketches: np.ndarray, queries: np.ndarray, keys: np.ndarray, threshold: float, generator: np.random.Generator
) -> Iterator[Twin]:
    """Pairs nearer than the threshold: candidates from a random projection, distances from the sketches themselves.

    A projection to 128 dimensions is off by about 0.09 in cosine (Johnson and Lindenstrauss), so a margin of 0.35
    loses practically none.
    """
    alike = 1.0 - threshold**2 / 2.0
    short, margin = sketches, 0.0
    if sketches.shape[1] > 2 * _PLANES:
        planes = generator.standard_normal((sketches.shape[1], _PLANES)).astype(np.float32) / np.sqrt(_PLANES)
        short, margin = sketches @ planes, 0.35
        short = short / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-12)
    key_short = np.ascontiguousarray(short[keys].T)
    for begin in range(0, len(queries), _CHUNK):
        part = queries[begin : begin + _CHUNK]
        maybe = np.flatnonzero((short[part] @ key_short).ravel() > alike - margin)
        left, right = part[maybe // len(keys)], keys[maybe % len(keys)]
        for at in range(0, len(left), _CHUNK * 16):
            i, j = left[at : at + _CHUNK * 16], right[at : at + _CHUNK * 16]
            cosine = np.einsum("nd,nd->n", sketches[i], sketches[j])
            for k in np.flatnonzero(cosine > alike):
                yield int(i[k]), int(j[k]), float(np.sqrt(max(2.0 - 2.0 * float(cosine[k]), 0.0)))


def _nearest(found: list[Twin]) -> list[Twin]:
    """The few nearest twins of each row."""
    counts: dict[int, int] = {}
    kept: list[Twin] = []
    for twin in sorted(found, key=lambda t: t[2]):
        counts[twin[0]] = counts.get(twin[0], 0) + 1
        if counts[twin[0]] <= _NEAREST:
            kept.append(twin)
    return kept


def _some(rows: np.ndarray, limit: int, generator: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= limit else np.sort(generator.choice(rows, limit, replace=False))


def _sketches(domain: Domain, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L2-normalised sketches of the rows, and which of them could be made."""
    if isinstance(domain.cells, Scanned) and domain.cells.sketches is not None:
        raw = domain.cells.sketches[rows].astype(np.float32)
    else:
        made: list[np.ndarray | None] = []
        for row in rows:
            try:
                made.append(domain.modality.sketch(domain.example(int(row))))
            except DataError:
                made.append(None)  # it was not part of the scan's sample; training will name it
        size = next((len(m) for m in made if m is not None), 1)
        raw = np.stack([np.zeros(size, np.float32) if m is None or len(m) != size else m for m in made])
    norm = np.linalg.norm(raw, axis=1, keepdims=True)
    return raw / np.maximum(norm, 1e-12), norm[:, 0] > 0
