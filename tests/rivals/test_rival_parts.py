"""Every rival: learns each kind of task, writes itself as JSON and arrays, comes back bit-equal, keeps a deadline."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from landbridge.core import codec, registry
from landbridge.core.domain import Domain
from landbridge.core.examples import Sound
from landbridge.tasks.classify import Classify
from landbridge.tasks.multilabel import Multilabel
from landbridge.tasks.regress import Regress

COUNT = 90
WORDS = ("card", "loan", "cash", "rate", "fee", "bank", "help", "late", "lost", "pin")
RIVALS = ("trivial", "tfidf", "pixels", "melstats", "boosted", "rocket")


def hidden(seed: int) -> np.ndarray:
    """One number in [0, 1] for each example, that the example shows and all targets follow."""
    return np.random.default_rng(seed).uniform(0, 1, COUNT)


def cells(modality: str, level: np.ndarray) -> list[Any]:
    """Examples of a modality in which `level` can be seen, heard or read."""
    generator = np.random.default_rng(1)
    out: list[Any] = []
    for value in level:
        if modality == "text":
            drawn = generator.choice(WORDS, 5).tolist()
            out.append(" ".join(drawn + ["high"] * int(value * 6) + ["low"] * int(6 - value * 6)))
        elif modality == "image":
            pixels = generator.integers(0, 60, (24, 24, 3)) + np.uint8(180 * value)
            out.append(Pillow.fromarray(pixels.astype(np.uint8)))
        elif modality == "audio":
            wave = np.sin(2 * np.pi * (300 + 3000 * value) * np.arange(4000) / 8000) * 0.5
            out.append(Sound((wave + generator.normal(0, 0.02, 4000)).astype(np.float32), 8000))
        elif modality == "table":
            row = {"x": value + generator.normal(0, 0.02), "kind": "high" if value > 0.5 else "low"}
            row |= {"gap": None if generator.random() < 0.3 else generator.normal()}
            out.append(row | {"when": f"20{10 + int(value * 10)}-03-01", "note": str(generator.choice(WORDS))})
        else:
            phase = generator.uniform(0, 6)
            out.append(np.stack([np.sin((1 + 9 * value) * np.linspace(0, 6, 40) + phase), generator.normal(size=40)]))
    return out


def rival_of(name: str) -> Any:
    """The rival, small enough for a test."""
    small = {"boosted": {"settings": 1}, "rocket": {"features": 840}}
    return registry.find("rivals", name)(**small.get(name, {}))


def posed(kind: str, level: np.ndarray) -> tuple[Any, np.ndarray]:
    """A task and its encoded targets."""
    if kind == "regress":
        labels: list[Any] = (10 + 5 * level).tolist()
        task: Any = Regress.from_labels(labels)
    elif kind == "multilabel":
        labels = [[n for n, on in (("big", v > 0.5), ("small", v < 0.3)) if on] for v in level]
        task = Multilabel.from_labels(labels)
    else:
        labels = ["abc"[int(v * 3)] for v in level]
        task = Classify.from_labels(labels)
    return task, task.encode(labels)


def domain(modality: str, kind: str = "classify", seed: int = 0) -> Domain:
    level = hidden(seed)
    task, targets = posed(kind, level)
    part = registry.find("modalities", modality)()
    rows = cells(modality, level)
    return Domain(
        name="toy", modality=part, task=task, cells=rows, targets=targets, folds=(), fingerprint="",
        reading={"columns": {"when": "date", "note": "text"}},
    )  # fmt: skip


TRAIN, TEST = np.arange(60), np.arange(60, COUNT)


@pytest.mark.parametrize("kind", ["classify", "multilabel", "regress"])
@pytest.mark.parametrize(
    ("rival", "modality"),
    [("tfidf", "text"), ("pixels", "image"), ("melstats", "audio"), ("boosted", "table"), ("rocket", "series")],
)
def test_learns_and_comes_back(rival: str, modality: str, kind: str) -> None:
    world = domain(modality, kind)
    part = rival_of(rival)
    assert modality in part.modalities
    fitted = part.fit(world, TRAIN, 0)
    output = fitted.predict(world.examples(TEST))
    assert output.dtype == np.float32 and output.shape == (len(TEST), world.task.outputs)
    trivial = registry.find("rivals", "trivial")().fit(world, TRAIN, 0).predict(world.examples(TEST))
    learned = world.task.score(output, world.targets[TEST])
    assert learned > world.task.score(trivial, world.targets[TEST]) + 0.2, learned
    facts, arrays = fitted.state()
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in arrays.values())
    again = part.rebuild(world.task, json.loads(json.dumps(facts)), {k: a.copy() for k, a in arrays.items()})
    assert np.array_equal(again.predict(world.examples(TEST)), output)
    twice = part.fit(world, TRAIN, 0).predict(world.examples(TEST))
    assert np.array_equal(twice, output)
    assert fitted.predict(iter(())).shape == (0, world.task.outputs)


def test_trivial_is_the_tasks_own() -> None:
    world = domain("text")
    fitted = registry.find("rivals", "trivial")().fit(world, TRAIN, 0)
    shares = (np.bincount(world.targets[TRAIN], minlength=3) + 1) / (len(TRAIN) + 3)
    output = fitted.predict(world.examples(TEST))
    assert np.allclose(output, np.log(shares)[None].repeat(len(TEST), 0))
    facts, arrays = fitted.state()
    again = registry.find("rivals", "trivial")().rebuild(world.task, facts, arrays)
    assert np.array_equal(again.predict(world.examples(TEST)), output)


@pytest.mark.parametrize("rival", RIVALS)
def test_fields_go_to_json_and_back(rival: str) -> None:
    part = rival_of(rival)
    assert codec.from_json("rivals", codec.to_json(part)) == part
    assert rival == "trivial" or part.paper


@pytest.mark.parametrize(
    ("rival", "modality"), [("tfidf", "text"), ("pixels", "image"), ("boosted", "table"), ("melstats", "audio")]
)
def test_a_deadline_in_the_past_still_gives_a_fit(rival: str, modality: str) -> None:
    world = domain(modality)
    began = time.process_time()
    part = rival_of(rival)
    output = part.fit(world, TRAIN, 0, time.monotonic() - 1).predict(world.examples(TEST))
    assert output.shape == (len(TEST), 3)
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("rival", "modality"),
    [("tfidf", "text"), ("pixels", "image"), ("melstats", "audio"), ("boosted", "table"), ("rocket", "series")],
)
def test_a_class_without_training_rows_never_wins(rival: str, modality: str) -> None:
    world = domain(modality)
    rows = TRAIN[world.targets[TRAIN] != 1]
    output = rival_of(rival).fit(world, rows, 0).predict(world.examples(TEST))
    assert output.shape == (len(TEST), 3) and np.isfinite(output).all()
    assert not (output.argmax(1) == 1).any()
