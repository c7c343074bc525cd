"""Copies and near copies across the splits are found, kept out of the test score, and kept together when splitting."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from reading_builders import csv, image_folder, png

from landbridge.core.domain import Domain
from landbridge.reading.duplicates import alike_by_nature, find_duplicates, without_duplicates
from landbridge.reading.read import read


def rows_named(domain: Domain, *names: str) -> list[int]:
    return [list(domain.labels).index(n) for n in names]


def texts(folder: Path) -> Path:
    things, others = ("ships", "trains"), ("boats", "rails")
    train = [f"train sentence number {i} speaks of {things[i % 2]} at length,{'ab'[i % 2]}" for i in range(60)]
    test = [f"test remark number {i} is on quite other {others[i % 2]},{'ab'[i % 2]}" for i in range(20)]
    test[4] = "TRAIN sentence   number 8 speaks of ships at length,a"
    csv(folder / "train.csv", "text,label", train)
    csv(folder / "test.csv", "text,label", test)
    return folder


def test_texts_that_differ_in_case_and_space_are_exact(tmp_path: Path) -> None:
    domain = read(texts(tmp_path / "d"))
    row, twin = rows_named(domain, "test.csv row 5", "train.csv row 9")
    exact = [p for p in find_duplicates(domain) if p["kind"] == "exact"]
    assert {"kind": "exact", "row": row, "twin": twin, "distance": 0.0, "where": "test"} in exact


def test_without_duplicates_cleans_the_score_but_not_the_rows(tmp_path: Path) -> None:
    domain = read(texts(tmp_path / "d"))
    pairs = [p for p in find_duplicates(domain) if p["kind"] == "exact"]
    clean = without_duplicates(domain, pairs)
    row = rows_named(domain, "test.csv row 5")[0]
    assert row in domain.folds[0].test
    assert set(domain.folds[0].test) - set(clean.folds[0].test) == {row}
    assert len(clean) == len(domain)


def test_train_loses_what_validation_holds(tmp_path: Path) -> None:
    lines = [f"sentence number {i} of the whole lot,{'ab'[i % 2]},train" for i in range(60)]
    lines += [f"remark number {i} of the other lot,{'ab'[i % 2]},{'dev' if i < 10 else 'test'}" for i in range(20)]
    lines[60] = "sentence number 4 of the whole lot,a,dev"
    domain = read(csv(tmp_path / "t.csv", "text,label,split", lines))
    exact = [p for p in find_duplicates(domain) if p["kind"] == "exact"]
    assert [(p["row"], p["twin"], p["where"]) for p in exact] == [(60, 4, "validation")]
    clean = without_duplicates(domain, exact)
    assert set(domain.folds[0].pairs[0].train) - set(clean.folds[0].pairs[0].train) == {4}
    assert clean.folds[0].pairs[0].validation.tolist() == domain.folds[0].pairs[0].validation.tolist()


def test_recoded_image_is_near(tmp_path: Path) -> None:
    for split, count in (("train", 12), ("test", 6)):
        image_folder(tmp_path / "d" / split, {"a": count, "b": count}, seed=5000 * (split == "test"))
    picture = Image.open(io.BytesIO(png(777, 64))).resize((128, 128), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "d" / "train" / "a" / "x.png")
    picture.resize((96, 96)).save(tmp_path / "d" / "test" / "a" / "y.jpg", quality=85)
    domain = read(tmp_path / "d")
    row, twin = rows_named(domain, "test/a/y.jpg", "train/a/x.png")
    found = [(p["row"], p["twin"], p["kind"]) for p in find_duplicates(domain)]
    assert (row, twin, "near") in found
    assert sum(f[0] == row for f in found) == 1


def test_copies_stay_together_in_a_split_of_ours(tmp_path: Path) -> None:
    lines = [f"sentence number {i // 2} of the whole lot,{'ab'[i // 2 % 2]}" for i in range(300)]
    domain = read(csv(tmp_path / "t.csv", "text,label", lines))
    exact = [p for p in find_duplicates(domain) if p["kind"] == "exact"]
    assert exact == []
    assert len(domain.folds[0].test) == 60


def test_rows_alike_by_nature_stay_in_the_test(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    lines = [f"{'mf'[generator.integers(2)]},{generator.integers(3)},{'ab'[generator.integers(2)]}" for _ in range(400)]
    domain = read(csv(tmp_path / "t.csv", "sex,class_of_ship,label", lines))
    found = find_duplicates(domain)
    assert len(found) > 0
    assert [f.test.tolist() for f in without_duplicates(domain, found).folds] == [f.test.tolist() for f in domain.folds]


def test_nature_is_told_by_disagreement_or_crowds() -> None:
    unique = np.arange(100, dtype=np.uint64)
    copies = np.concatenate([unique, unique[:20]])
    target = np.concatenate([np.arange(100) % 2, np.arange(20) % 2])
    assert not alike_by_nature(unique, np.arange(100) % 2)
    assert not alike_by_nature(copies, target)
    target[100:110] = 1 - target[100:110]
    assert alike_by_nature(copies, target)
    assert alike_by_nature(np.repeat(unique[:10], 20), np.repeat(np.arange(10) % 2, 20))
