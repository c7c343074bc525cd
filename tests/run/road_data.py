"""Tiny data of the five kinds with its splits given, whose classes a model can tell apart in seconds."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = {"train": 6, "validation": 3, "test": 3}  # examples of each class
PETS = [
    "the cat purred",
    "a dog barked loudly",
    "kittens drink milk",
    "my parrot talks",
    "a hamster ran",
    "horses graze",
]
MONEY = [
    "shares fell",
    "the bank raised rates",
    "investors sold bonds",
    "the budget grew",
    "profits rose",
    "debts shrank",
]
ENDS = ["today", "this week", "in the morning", "at last", "again", "in the end"]


def images(root: Path, seed: int = 0) -> Path:
    """Dark and light noise, 12 pictures of 16x16 a class."""
    generator = np.random.default_rng(seed)
    for split, label, number in _places():
        pixels = generator.integers(0, 90, (16, 16, 3)) + 150 * (label == "light")
        path = root / split / label / f"{seed}{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


def sounds(root: Path, seed: int = 0) -> Path:
    """Low and high tones of a quarter second."""
    generator = np.random.default_rng(seed)
    for split, label, number in _places("low", "high"):
        time = np.arange(2000) / 8000
        tone = np.sin(2 * np.pi * (300 if label == "low" else 1500) * time + generator.uniform(0, 6))
        samples = (9000 * tone + 900 * generator.normal(size=2000)).astype(np.int16)
        path = root / split / label / f"{seed}{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
    return root


def texts(path: Path, seed: int = 0) -> Path:
    """Sentences about pets and about money, a split column."""
    generator = np.random.default_rng(seed)
    lines = ["text,label,split"]
    seen: set[str] = set()
    for split, label, _ in _places("pets", "money"):
        text = ""
        while not text or text in seen:
            text = f"{generator.choice(PETS if label == 'pets' else MONEY)} {generator.choice(ENDS)}"
        seen.add(text)
        lines.append(f"{text},{label},{split}")
    return _written(path, lines)


def tables(path: Path, seed: int = 0) -> Path:
    """A number that tells, one that does not, a word, and gaps."""
    generator = np.random.default_rng(seed)
    lines = ["weight,noise,colour,kind,split"]
    for split, label, number in _places("heavy", "slight", times=4):
        weight = generator.normal(9 if label == "heavy" else 3)
        noise = "" if number % 5 == 0 else f"{generator.normal():.3f}"
        lines.append(f"{weight:.3f},{noise},{generator.choice(['red', 'blue'])},{label},{split}")
    return _written(path, lines)


def series(path: Path, seed: int = 0) -> Path:
    """Slow and fast waves of 32 steps, one row each."""
    generator = np.random.default_rng(seed)
    lines = [",".join([*(f"t{i}" for i in range(32)), "label", "split"])]
    for split, label, _ in _places("slow", "fast"):
        cycles = 1 if label == "slow" else 4
        values = np.sin(np.linspace(0, 2 * np.pi * cycles, 32) + generator.uniform(0, 6))
        values += 0.1 * generator.normal(size=32)
        lines.append(",".join([*(f"{v:.4f}" for v in values), label, split]))
    return _written(path, lines)


def _places(first: str = "dark", second: str = "light", times: int = 1) -> Iterator[tuple[str, str, int]]:
    for split, count in SPLITS.items():
        for label in (first, second):
            for number in range(count * times):
                yield split, label, number


def _written(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
