"""`run --unlabelled`: a source learns on first, and is tried only where a probe on labelled rows says that it paid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import road_data as data
import torch
from PIL import Image

import landbridge
from landbridge.core import codec
from landbridge.core.errors import DataError
from landbridge.core.recipe import Recipe
from landbridge.engine.workshop import Workshop
from landbridge.planning.paying import paid
from landbridge.reading.unlabelled import pooled


def more(root: Path, count: int = 20) -> Path:
    generator = np.random.default_rng(9)
    root.mkdir()
    for n in range(count):
        pixels = generator.integers(0, 90, (16, 16, 3)) + 150 * (n % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{n}.png")
    return root


def test_the_pool_holds_all_rows_but_those_that_are_tested(tmp_path: Path) -> None:
    domain = landbridge.read(data.images(tmp_path / "pictures"))
    extra = more(tmp_path / "more")
    tested = domain.cells[int(domain.folds[0].test[0])]
    (extra / "again.png").write_bytes(tested.read())  # a test row among the unlabelled ones
    pool, known = pooled(domain, extra)
    assert known == 1 and len(pool) == 20 + len(domain.folds[0].rest)
    assert not pool.targets.any() and pool.folds[0].rest.tolist() == list(range(len(pool)))
    shown = {np.asarray(e).tobytes() for e in pool.examples(np.arange(len(pool)))}
    assert not shown & {np.asarray(e).tobytes() for e in domain.examples(domain.folds[0].test)}


def test_a_run_says_either_way_and_tries_the_source_only_where_it_paid(tmp_path: Path, command: Any) -> None:
    given, extra, out = data.images(tmp_path / "pictures"), more(tmp_path / "more"), tmp_path / "made"
    words = ("run", given, "--unlabelled", extra, "-s", "scratch:convnet", "-b", "20s", "-o", out, "--json")
    said = command(*words)
    assert said.code == 0, said.err
    evidence = json.loads(said.out)
    found = evidence["unlabelled"]
    assert found["pays"] == (found["rise"] > found["standard_error"])
    assert found["rise"] == pytest.approx(found["after"] - found["before"])
    assert found["examples"] == 20 + evidence["domain"]["rows"] - evidence["domain"]["test"]
    tried = [t["recipe"]["source"] for t in evidence["trials"]]
    assert any(s.startswith("artifact:") for s in tried) == found["pays"]
    check = next(c for c in evidence["checks"] if c["name"] == "unlabelled data")
    assert "standard error" in check["detail"] and ("is not tried" in check["detail"]) != found["pays"]
    beside = tmp_path / "made-pretrained"
    made = (beside / "manifest.json").read_bytes()
    assert landbridge.load(out).predict([Image.new("RGB", (16, 16), "white")])
    again = json.loads(command(*words).out)
    assert (beside / "manifest.json").read_bytes() == made, "what was pretrained before is taken up"
    assert again["unlabelled"]["before"] == found["before"] and again["unlabelled"]["after"] == found["after"]


def test_without_unlabelled_data_there_is_nothing_to_say(tmp_path: Path) -> None:
    given = data.tables(tmp_path / "goods.csv")
    recipe = Recipe(source="rival:trivial", bridge=codec.parse("bridges", "native"), stages=())
    assert landbridge.fit(given, recipe, budget=10, out=tmp_path / "made").evidence["unlabelled"] is None


def test_the_same_source_twice_does_not_pay(tmp_path: Path) -> None:
    domain = landbridge.read(data.images(tmp_path / "pictures"))
    workshop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path / "store")
    recipe = Recipe(source="scratch:convnet", bridge=codec.parse("bridges", "native"), stages=())
    found = paid(workshop, recipe, "scratch:convnet", domain.folds[0].rest, 0)
    assert found["rise"] == 0.0 and found["standard_error"] == 0.0 and found["pays"] is False


def test_bad_unlabelled_data_is_told_in_one_line(tmp_path: Path, command: Any) -> None:
    given = data.images(tmp_path / "pictures")
    (tmp_path / "empty").mkdir()
    for place, why in ((tmp_path / "empty", "holds no image"), (tmp_path / "gone", "there is no such file")):
        for dry in ((), ("--dry-run",)):
            said = command("run", given, "--unlabelled", place, "-s", "scratch:convnet", "-o", tmp_path / "made", *dry)
            assert said.code == DataError.exit_code and why in said.err and said.err.strip().count("\n") == 0
    assert not (tmp_path / "made").exists() and not (tmp_path / "made-pretrained").exists()
