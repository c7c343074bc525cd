"""Tiny examples of each modality whose class can be seen, and a domain of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from landbridge.core import registry
from landbridge.core.contracts import Task
from landbridge.core.domain import Domain, Fold, Pair
from landbridge.core.examples import Sound
from landbridge.core.seeds import numpy_generator

_RATE = 8000


def toy_examples(modality: str, rows: int = 32, classes: int = 2, seed: int = 0) -> tuple[list[Any], np.ndarray]:
    """Examples of "text", "image", "audio", "table", "series", "columns" (cells) or "curves", and each one's class."""
    generator = numpy_generator(seed, "toy", modality)
    labels = np.arange(rows, dtype=np.int64) % classes
    kinds = {"text": _text, "image": _image, "audio": _sound, "table": _row, "series": _series}
    make = (kinds | {"columns": _cells, "curves": _series})[modality]
    return [make(int(label), generator) for label in labels], labels


def toy_domain(modality: str = "text", rows: int = 48, classes: int = 2, task: Task | None = None) -> Domain:
    """A domain of toy examples, split into train, validation and test; the task is to name the class unless given.

    A task that is given must take the class numbers 0, 1, ... as targets (or as values).
    """
    examples, labels = toy_examples(modality, rows, classes)
    names = [f"class {label}" for label in labels]
    chosen = task if task is not None else registry.find("tasks", "classify").from_labels(names)
    order = numpy_generator(0, "toy split").permutation(rows)
    train, validation, test = np.split(order, [rows // 2, 3 * rows // 4])
    fold = Fold(test=np.sort(test), pairs=(Pair(train=np.sort(train), validation=np.sort(validation)),))
    return Domain(
        name=f"toy {modality}",
        modality=registry.find("modalities", modality)(),
        task=chosen,
        cells=examples,
        targets=labels if task is None else labels.astype(np.float32),
        folds=(fold,),
        fingerprint=f"toy-{modality}-{rows}-{classes}",
        reading={"modality": modality, "columns": {"size": "number", "colour": "category"}},
    )


def _text(label: int, generator: np.random.Generator) -> str:
    words = ["river stone bridge", "engine wheel motor", "violin song choir"][label % 3].split()
    filler = ["the", "a", "one", "of", "some", "many", "few"]
    return " ".join([*generator.choice(filler, 3), *generator.choice(words, 2)])


def _image(label: int, generator: np.random.Generator) -> Image.Image:
    pixels = generator.integers(0, 60, (20, 20, 3))
    pixels[:, :, label % 3] += 150
    pixels[:10, :, :] += 20 * label
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _sound(label: int, generator: np.random.Generator) -> Sound:
    seconds = np.arange(_RATE) / _RATE
    wave = 0.5 * np.sin(2 * np.pi * 300 * (label + 1) * seconds) + 0.02 * generator.standard_normal(_RATE)
    return Sound(wave.astype(np.float32), _RATE)


def _row(label: int, generator: np.random.Generator) -> dict[str, Any]:
    return {"size": float(label + 0.2 * generator.standard_normal()), "colour": ["red", "blue"][generator.integers(2)]}


def _cells(label: int, generator: np.random.Generator) -> np.ndarray:
    cells = np.zeros((8, 4))
    cells[:, :2] = 0.5 * generator.standard_normal((8, 2)) + label
    return cells


def _series(label: int, generator: np.random.Generator) -> np.ndarray:
    steps = np.arange(64) / 64
    values = np.sin(2 * np.pi * (2 + 3 * label) * steps) + 0.1 * generator.standard_normal(64)
    return values.astype(np.float32)[None]
