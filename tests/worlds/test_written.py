"""Worlds on disk: read straight away, the same bytes for a seed, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from landbridge.core import codec, registry
from landbridge.core.errors import UsageError
from landbridge.core.parts import part
from landbridge.reading.read import read
from landbridge.worlds import written

PINNED = {
    "causal": "8197c60f57a42207",
    "contours": "9e71932f929b3ce8",
    "events": "24c30fa42f9465eb",
    "fractals": "c5af8b5e24689d8f",
    "glyphs": "6a5af327d0d2daf2",
    "objects": "5611c4dc573c1149",
    "scenes": "f198c2c453c7b14c",
    "series": "311518856da6dac5",
    "shapes": "cc1b472475c1391b",
    "sounds": "cfec06892770ac57",
    "textures": "6ff24516024e0b03",
}  # of 16 examples and labels at seed 0


@pytest.mark.parametrize("name", registry.names("worlds"))
def test_the_same_bytes_as_ever(name: str) -> None:
    digest = hashlib.sha256()
    written.digested(digest, registry.find("worlds", name)().make(0, np.arange(16)))
    if registry.origin("worlds", name) == "landbridge":
        assert digest.hexdigest()[:16] == PINNED[name]


@pytest.mark.parametrize(
    ("text", "modality", "task", "classes"),
    [
        ("shapes(classes=4, size=32)", "image", "classify", 4),
        ("shapes(size=32, asks=area)", "image", "regress", 1),
        ("sounds(classes=3)", "audio", "classify", 3),
        ("series(classes=3)", "series", "classify", 3),
        ("causal(classes=2)", "table", "classify", 2),
        ("causal(classes=1)", "table", "regress", 1),
        ("events(classes=3, size=32)", "image", "classify", 3),
        ("events(classes=3, size=16, told=audio)", "audio", "classify", 3),
        ("events(classes=3, size=16, told=text)", "text", "classify", 3),
    ],
)
def test_what_is_written_is_read(text: str, modality: str, task: str, classes: int, tmp_path: Path) -> None:
    out, world = tmp_path / "set", codec.parse("worlds", text)
    facts = written.write(world, 60, out, seed=2)
    domain = read(out, cache=tmp_path / "cache")
    assert (domain.modality.part_name, domain.task.part_name, domain.task.outputs) == (modality, task, classes)
    assert len(domain) == 60
    truths = [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()]
    assert [t["index"] for t in truths] == list(range(60))
    assert facts["sha256"] in (out / "card.md").read_text()
    made = world.make(2, np.arange(60))
    for truth, example in zip(truths, made.examples, strict=True):
        if "path" in truth and modality == "image":
            assert np.array_equal(np.asarray(Image.open(out / truth["path"])), example)


def test_the_command_writes_lists_and_refuses(command: Any, tmp_path: Path) -> None:
    out = tmp_path / "set"
    said = command("world", "shapes(size=16)", "--n", 20, "--classes", 3, "--out", out, "--seed", 5, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["classes"] == 3
    assert len(list(out.glob("*/*.png"))) == 20
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    for words, told in (
        (["shapes", "--out", out], "something is there already"),
        (["shapes(size=3)", "--out", tmp_path / "x"], "size must be a whole number from 16 to 256, got 3"),
        (["shaps", "--out", tmp_path / "x"], "did you mean shapes?"),
        (["shapes"], "--out"),
        ([], "name a world"),
    ):
        refused = command("world", *words)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused
        assert told in refused.err
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]
    again = tmp_path / "again"
    assert command("world", "shapes(size=16, classes=3)", "--n", 20, "--out", again, "--seed", 5, "--quiet").out == ""
    assert {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()} == {
        p.relative_to(out): data for p, data in before.items()
    }
    assert "fractals" in command("world", "--list").out


def test_nothing_is_left_of_a_set_that_fails(tmp_path: Path) -> None:
    @part("breaks")
    class Breaks:
        modality: ClassVar[str] = "image"

        def make(self, seed: int, indices: np.ndarray) -> Any:
            if indices[0]:
                raise UsageError("broken")
            return codec.parse("worlds", "shapes(size=16)").make(seed, indices)

    with pytest.raises(UsageError, match="broken"):
        written.write(Breaks(), written.CHUNK + 1, tmp_path / "set")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
