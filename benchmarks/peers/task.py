"""What every runner is asked and what it answers, so that a peer's file holds only what its user would write.

    python run_PEER.py DATA OUT --model FOLDER [--setting NAME] [--seed N] [--budget SECONDS] [--curve]

DATA holds train.csv and test.csv: `label` beside `text`, beside `path` (of a picture, relative to DATA), or beside the
columns of a table. OUT becomes JSON: accuracy, seconds, curve, versions and the predictions of all test rows. Threads
are set by whoever starts the process (OMP_NUM_THREADS). Runs in the peer's environment: nothing of ours is imported.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()  # runners import this file first, so that their libraries' imports count as setup


@dataclass
class Task:
    """One job, with a clock of training that stands still while the curve is measured."""

    data: Path
    out: Path
    model: str
    setting: str
    seed: int
    budget: float
    with_curve: bool
    seconds: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[float, float]] = field(default_factory=list)
    away: float = 0.0  # seconds that measuring took
    began: float = 0.0  # of training

    def table(self, part: str) -> list[dict[str, str]]:
        """The rows of `train` or `test`."""
        with (self.data / f"{part}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def texts(self, part: str) -> tuple[list[str], list[str]]:
        """Texts and labels."""
        rows = self.table(part)
        return [r["text"] for r in rows], [r["label"] for r in rows]

    def start(self) -> None:
        """Setup is over, training begins."""
        self.began = time.perf_counter()
        self.seconds["setup"] = self.began - BEGAN

    @property
    def spent(self) -> float:
        """Seconds of training so far, measuring left out."""
        return time.perf_counter() - self.began - self.away

    @property
    def late(self) -> bool:
        """Whether the budget, setup included, is used up."""
        return self.spent + self.seconds["setup"] >= self.budget

    def measure(self, predict: Callable[[], Sequence[Any]]) -> None:
        """Add a point to the curve: what the model as it stands gets right on the test rows. It chooses nothing."""
        at, stopped = self.spent, time.perf_counter()
        self.curve.append((at, self.accuracy(predict())))
        self.away += time.perf_counter() - stopped

    def accuracy(self, predictions: Sequence[Any]) -> float:
        """Share of the test rows that are right."""
        labels = [r["label"] for r in self.table("test")]
        return sum(str(p) == t for p, t in zip(predictions, labels, strict=True)) / len(labels)

    def finish(self, predict: Callable[[], Sequence[Any]], libraries: Sequence[str], **notes: Any) -> None:
        """Training is over: predict the test rows and write the answer; `notes` say what the setting was."""
        self.seconds["train"] = self.spent
        asked = time.perf_counter()
        predictions = [str(p) for p in predict()]
        self.seconds["predict"] = time.perf_counter() - asked
        self.seconds["measuring"] = self.away
        answer = {
            "accuracy": self.accuracy(predictions), "seconds": self.seconds, "curve": self.curve, **notes,
            "versions": {name: version(name) for name in libraries}, "predictions": predictions,
        }  # fmt: skip
        self.out.write_text(json.dumps(answer), encoding="utf-8")


def task(settings: Sequence[str]) -> Task:
    """The job as the command line says it; the first setting is the default one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--setting", default=settings[0], choices=settings)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--curve", action="store_true", help="measure the test rows along the way")
    asked = parser.parse_args()
    random.seed(asked.seed)
    return Task(asked.data, asked.out, asked.model, asked.setting, asked.seed, asked.budget, asked.curve)
