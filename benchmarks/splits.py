"""The rows that both sides of a comparison get: train.csv and test.csv with a column `label`, the same for a seed.

Test rows are the same for every seed, so that seeds can be paired row by row; the seed draws the training rows where
only some labels a class are given.
"""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from main_road import tiles

Row = dict[str, str]
TEST = 5  # one in so many tiles is tested


def write(name: str, labels: int | None, data: Path, work: Path, seed: int, most: int | None = None) -> None:
    """Write WORK/train.csv and WORK/test.csv of a set, `labels` a class (None for all), at most `most` rows each."""
    train, test = rows_of(name, data, work)
    if labels is not None:
        train = few(train, labels, seed)
    for part, rows in (("train", train), ("test", test)):
        if most is not None:
            rows = few(rows, max(1, most // len({r["label"] for r in rows})), 0)
        with (work / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def few(rows: list[Row], labels: int, seed: int) -> list[Row]:
    """So many rows of each class, drawn by the seed."""
    taken: Counter[str] = Counter()
    chosen = []
    for i in np.random.default_rng(seed).permutation(len(rows)):
        if taken[rows[i]["label"]] < labels:
            taken[rows[i]["label"]] += 1
            chosen.append(rows[i])
    return chosen


def rows_of(name: str, data: Path, work: Path) -> tuple[list[Row], list[Row]]:
    """Training and test rows of a set by its published split; pictures are unpacked beside the tables."""
    place = data / name
    if name == "hymenoptera":
        return pictures(place / "images.zip", work)
    if name == "magnetic_tile":
        return by_number(data, work)
    if (place / "test.csv").exists():
        return labelled(read(place / "train.csv")), labelled(read(place / "test.csv"))
    rows = read(next(place.glob("*.csv")))
    return tuple(labelled([r for r in rows if r["split"] == part]) for part in ("train", "test"))  # type: ignore[return-value]


def read(path: Path) -> list[Row]:
    """A CSV with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def labelled(rows: list[Row]) -> list[Row]:
    """Texts with their label alone; in a table the last column but the split is the label."""
    if "text" in rows[0]:
        return [{"text": r["text"], "label": r["label"]} for r in rows]
    names = [n for n in rows[0] if n != "split"]
    return [{n: r[n] for n in names[:-1]} | {"label": r[names[-1]]} for r in rows]


def pictures(archive: Path, work: Path) -> tuple[list[Row], list[Row]]:
    """A zip of SPLIT/CLASS/FILE."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(n for n in file.namelist() if n.endswith(".jpg"))
        file.extractall(work, names)
    parts = {"train": [], "test": []}
    for name in names:
        split, kind, _ = name.split("/")[-3:]
        parts[split].append({"path": name, "label": kind})
    return parts["train"], parts["test"]


def by_number(data: Path, work: Path) -> tuple[list[Row], list[Row]]:
    """magnetic_tile without photographs of one number on both sides, as its published split leaks them."""
    rows = [{"path": r["path"], "label": r["class"], "number": r["number"]} for r in read(tiles(data, work, 0))]
    numbers = np.random.default_rng(0).permutation(sorted({r["number"] for r in rows}))
    held = set(numbers[: len(numbers) // TEST])
    return [r for r in rows if r["number"] not in held], [r for r in rows if r["number"] in held]
