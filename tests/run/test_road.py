"""The whole road on every kind of data: run, contract for machines, predict elsewhere, eval on new data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import road_data as data

import landbridge
from landbridge.core import codec
from landbridge.core.errors import UsageError
from landbridge.core.recipe import Recipe
from landbridge.planning.candidates import rival, single
from landbridge.road import Result

Road = tuple[Result, Path, Path]  # what a run came to, its data, and new data of the same kind
MAKERS: dict[str, tuple[Callable[[Path, int], Path], str, str]] = {
    "image": (data.images, "pictures", "scratch:convnet"),
    "audio": (data.sounds, "tones", "scratch:convnet"),
    "text": (data.texts, "news.csv", "embedded:minilm"),
    "table": (data.tables, "goods.csv", "embedded:minilm"),
    "series": (data.series, "waves.csv", "scratch:convnet"),
}
number = (int, float)
SCHEMA: dict[str, Any] = {  # the contract: what is named here must be there and be of this type
    "schema": int,
    "domain": {
        "modality": str, "task": str, "train": int, "validation": int, "test": int, "classes": (int, type(None)),
    },
    "chosen": {"name": str, "recipe": {"source": str, "bridge": dict, "stages": list}},
    "test": {"metric": str, "value": number, "interval": [number], "opened": int},
    "controls": [{"name": str, "value": number, "interval": [number]}],
    "gain": {"value": number, "interval": [number], "against": str, "verdict": str},
    "trials": [
        {
            "name": str, "recipe": dict, "validation": (int, float, type(None)), "seconds": number,
            "peak_mb": number, "trainable": int, "status": str,
        }
    ],
    "checks": [{"name": str, "found": int, "detail": str}],
    "seconds": number,
    "budget_s": (int, float, type(None)),
}  # fmt: skip


def conforms(value: Any, schema: Any, where: str = "evidence") -> None:
    """Check a value against a schema of types, nested objects and lists of one kind."""
    if isinstance(schema, dict):
        assert isinstance(value, dict), where
        for key, inner in schema.items():
            assert key in value, f"{where}.{key} is missing"
            conforms(value[key], inner, f"{where}.{key}")
    elif isinstance(schema, list):
        assert isinstance(value, list), where
        for place, item in enumerate(value):
            conforms(item, schema[0], f"{where}[{place}]")
    else:
        assert isinstance(value, schema), f"{where} is {type(value).__name__}: {value!r}"
        assert not (isinstance(value, bool) and schema is not bool), where


@pytest.fixture(scope="module", params=list(MAKERS))
def road(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Road:
    make, name, source = MAKERS[request.param]
    root = tmp_path_factory.mktemp(request.param)
    given = make(root / name, 0)
    fresh = make(root / "new" / name, 1)
    return landbridge.run(given, sources=[source], budget="16s", out=root / "made"), given, fresh


def test_the_evidence_keeps_the_contract_for_machines(road: Road) -> None:
    result, given, _ = road
    found = json.loads((result.path / "evidence.json").read_text())
    conforms(found, SCHEMA)
    modality = next(m for m, (_, name, _) in MAKERS.items() if name == given.name)
    times = 4 if modality == "table" else 1
    sizes = {k: found["domain"][k] for k in ("modality", "task", "train", "validation", "test", "classes")}
    assert sizes == {
        "modality": modality, "task": "classify", "train": 12 * times, "validation": 6 * times, "test": 6 * times,
        "classes": 2,
    }  # fmt: skip
    low, high = found["test"]["interval"]
    assert low <= found["test"]["value"] <= high
    assert found["test"]["opened"] == 1
    assert found["gain"]["verdict"] in ("gain", "no difference", "loss")
    assert {"trivial", "rival"} <= {c["name"] for c in found["controls"]} | {found["chosen"]["role"]}
    own = "candidate" if modality in ("text", "table") else "scratch"  # what the source's name says it brings
    assert {own, "trivial", "rival"} <= {t["role"] for t in found["trials"]}
    assert Recipe.from_json(found["chosen"]["recipe"]).name == found["chosen"]["name"]
    assert found["parity"]["labels_agree"] == 1.0
    assert found["test"]["value"] >= 0.8, "classes this far apart are found"
    assert (result.path / "report.html").stat().st_size < 5_000_000


def test_the_moved_artifact_predicts_and_measures_new_data(
    road: Road, tmp_path: Path, start: Any, command: Any
) -> None:
    result, given, fresh = road
    moved = shutil.copytree(result.path, tmp_path / "elsewhere")
    process = start("predict", moved, fresh, "--json")  # a process that has seen nothing of the training
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert err == ""
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == (96 if given.name == "goods.csv" else 24)
    classes = set(lines[0]["probabilities"])
    for line in lines:
        assert set(line) == {"input", "label", "probabilities"}
        assert sum(line["probabilities"].values()) == pytest.approx(1.0)
        assert line["label"] == max(classes, key=line["probabilities"].__getitem__)
    said = command("eval", moved, fresh, "--json")
    assert said.code == 0, said.err
    block = json.loads(said.out)
    conforms(block, {"metric": str, "value": number, "interval": [number], "opened": int})
    assert block["metric"] == "accuracy"
    if fresh.is_dir():  # the label of a file is its folder, so the score can be counted from the predictions
        right = [line["label"] == Path(line["input"]).parent.name for line in lines if "/test/" in line["input"]]
        assert block["value"] == pytest.approx(np.mean(right))


def test_the_same_seed_gives_the_same_numbers_twice(tmp_path: Path) -> None:
    given = data.images(tmp_path / "pictures")
    recipe = single("scratch:convnet", codec.parse("bridges", "native"), "full", epochs=2, batch=4)
    first, second, other = (
        landbridge.fit(given, recipe, budget=None, out=tmp_path / f"out{i}", seed=seed).evidence
        for i, seed in enumerate((7, 7, 8))
    )
    for key in ("test", "controls", "gain", "domain"):
        assert first[key] == second[key]
    assert [t["validation"] for t in first["trials"]] == [t["validation"] for t in second["trials"]]
    losses = [[p["loss"] for t in e["trials"] for p in t["curve"]] for e in (first, second, other)]
    assert losses[0] == losses[1]
    assert losses[0], "it was trained by gradient"
    assert losses[0] != losses[2]


def test_the_shop_window_still_offers_functions_after_they_were_used(tmp_path: Path) -> None:
    for name in ("run", "fit", "compare", "plan", "assess", "read", "load"):
        assert callable(getattr(landbridge, name)), name


@pytest.mark.parametrize(
    ("make", "source", "role"),
    [(data.tables, "rival:boosted(settings=1)", "rival"), (data.texts, "rival:trivial", "trivial")],
)
def test_a_control_that_is_asked_for_is_delivered_as_it_stands(
    tmp_path: Path, make: Callable[[Path], Path], source: str, role: str
) -> None:
    recipe = replace(rival("trivial"), source=source)
    found = landbridge.fit(make(tmp_path / "data.csv"), recipe, budget=None, out=tmp_path / "made")
    assert landbridge.load(found.path).recipe == recipe
    assert (found.evidence["chosen"]["role"], found.evidence["refit"]) == (role, "fold")
    assert sorted(t["role"] for t in found.evidence["trials"]) == ["rival", "trivial"]


def test_a_control_that_is_compared_is_run_once_a_fold_and_then_on_all_rows(tmp_path: Path) -> None:
    given = data.texts(tmp_path / "news.csv")
    lines = [line.rpartition(",")[0] for line in given.read_text().splitlines()]
    given.write_text("\n".join(lines) + "\n")  # without a split so few rows are parted into folds
    found = landbridge.compare(given, [rival("tfidf")], budget=None, out=tmp_path / "made").evidence
    folds = found["domain"]["folds"]
    assert folds > 1
    assert [t["name"] for t in found["trials"]].count(rival("tfidf").name) == folds
    assert (found["chosen"]["role"], found["refit"], found["resumed"]) == ("rival", "all rows", 0)


def test_comparing_goes_beyond_no_recipe_where_running_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool]] = []

    class Stop(Exception):
        pass

    def search(*given: Any, climbs: bool, soups: bool, ensembles: bool) -> None:
        seen.append((climbs, soups and ensembles))
        raise Stop

    monkeypatch.setattr("landbridge.road.Search", search)
    given = data.tables(tmp_path / "goods.csv")
    for verb in (landbridge.run, landbridge.compare):
        with pytest.raises(Stop):
            verb(given, sources=["embedded:minilm"], out=tmp_path / "made", budget="16s")
    assert seen == [(True, True), (False, False)]
    with pytest.raises(UsageError, match="leave out sources, or leave out recipes"):
        landbridge.compare(given, [rival("trivial")], sources=["embedded:minilm"])
