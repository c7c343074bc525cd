"""What both sides of a comparison are given, what a process is said to cost, and when a peer's default counts."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from blocks import ROOT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A benchmark's names, as if it had been started from its folder."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return lambda name: runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py"))


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_seed_draws_training_rows_and_leaves_test_rows_alone(tmp_path: Path, script: Any) -> None:
    place = tmp_path / "notes"
    place.mkdir()
    with (place / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label", "topic", "split"))
        writer.writerows((f"note {i}", "ab"[i % 2], "x", "test" if i % 5 == 4 else "train") for i in range(100))
    write, found = script("splits")["write"], []
    for seed in (0, 0, 1):
        work = tmp_path / f"work{len(found)}"
        work.mkdir()
        write("notes", 8, tmp_path, work, seed)
        found.append((rows(work / "train.csv"), rows(work / "test.csv")))
    (train, test), again, other = found
    assert (train, test) == again
    assert other[1] == test
    assert other[0] != train
    assert sorted(r["label"] for r in train) == ["a"] * 8 + ["b"] * 8
    assert list(train[0]) == ["text", "label"]
    assert len(test) == 20
    assert not {r["text"] for r in train} & {r["text"] for r in test}


def test_a_table_keeps_its_columns_and_names_its_last_one_label(script: Any) -> None:
    labelled = script("splits")["labelled"]
    assert labelled([{"age": "3", "income": "low", "split": "test"}]) == [{"age": "3", "label": "low"}]


def test_a_process_is_measured_and_ended(script: Any) -> None:
    timed = script("timed")["timed"]
    took = timed([sys.executable, "-c", "import sys; b = bytearray(200 << 20); print(len(b)); sys.exit(3)"])
    assert (took.exit, took.output.strip()) == (3, str(200 << 20))
    assert took.peak_mb > 200
    late = timed([sys.executable, "-c", "import time; time.sleep(60)"], most_seconds=0.5)
    assert late.exit == -9
    assert late.wall_s < 30
    large = timed([sys.executable, "-c", "bytearray(3 << 30)"], most_gb=1.0)
    assert "MemoryError" in large.error


def test_a_default_that_came_to_nothing_is_not_the_last_word(script: Any) -> None:
    versus = script("versus")
    labels = ["a"] * 50 + ["b"] * 50
    assert versus["unusable"]({"error": ["killed"]}, labels)
    assert versus["unusable"]({"accuracy": 0.9, "cut": True}, labels)
    assert versus["unusable"]({"accuracy": 0.6, "cut": False}, labels)
    assert not versus["unusable"]({"accuracy": 0.7}, labels)


def test_the_time_to_the_final_accuracy_is_the_first_time_it_was_reached(script: Any) -> None:
    to_final = script("versus")["to_final"]
    found = {"accuracy": 0.8, "wall_s": 50.0, "seconds": {"setup": 4.0}, "curve": [(1.0, 0.5), (6.0, 0.82), (9.0, 0.8)]}
    assert to_final(found) == 10.0
    assert to_final(found | {"curve": []}) == 50.0
