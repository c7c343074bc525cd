"""`assess` against earlier artifacts: the same data is nearest, other data is far, and what cannot tell says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import landbridge
from landbridge.core import codec
from landbridge.core.artifact import TARGET, read_artifact, write_artifact
from landbridge.core.domain import Domain
from landbridge.core.errors import ArtifactError, UsageError
from landbridge.planning.candidates import rival, single
from landbridge.planning.nearness.target import Target
from landbridge.planning.nearness.targets import ALIKE
from landbridge.testing import toy_domain

TOLD = {
    "artifact",
    "label",
    "name",
    "source",
    "rows",
    "value",
    "interval",
    "times",
    "again",
    "alike",
    "classes",
    "sentence",
}


def half(which: int) -> Domain:
    """One of two draws of the same toy texts."""
    domain = toy_domain("text", rows=240, classes=3)
    cells = [f"{domain.cells[i]} {i % 7}" for i in range(240)][which::2]
    task, targets = domain.task, domain.targets[which::2]
    return replace(
        toy_domain("text", rows=120, classes=3), cells=cells, targets=targets, task=task, name=f"half {which}"
    )


def elsewhere(domain: Domain) -> Domain:
    """The same labels over texts of another world."""
    return replace(domain, cells=[" ".join(reversed(f"{c} zebra cliff moon".split()[3:])) * 3 for c in domain.cells])


@pytest.fixture(scope="module")
def delivered(encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a probe on the first half left."""
    folder = tmp_path_factory.mktemp("delivered") / "first"
    recipe = single(encoder, codec.parse("bridges", "native"), "probe")
    result = landbridge.fit(half(0), recipe, budget=None, out=folder, cache_size=0)
    assert result.evidence["remembered"] == {"rows": 90, "classes": 3, "why": ""}
    return folder


@pytest.fixture
def sealed(delivered: Path, tmp_path: Path) -> Callable[..., Path]:
    """The artifact with some of it changed, sealed again."""

    def make(name: str, files: Mapping[str, bytes | None] = {}, arrays: Any = None, **documents: Any) -> Path:
        stored = read_artifact(delivered)
        kept = {**stored.documents, **{f"{k}.json": stored.documents[f"{k}.json"] | v for k, v in documents.items()}}
        held = {k: v for k, v in {**stored.files, **files}.items() if v is not None}
        held = {k: v for k, v in held.items() if k != "model.safetensors"}
        changed = stored.arrays if arrays is None else {k: arrays(k, v) for k, v in stored.arrays.items()}
        write_artifact(tmp_path / name, documents=kept, arrays=changed, files=held)
        return tmp_path / name

    return make


def assessed(data: Domain, near: Any, sources: list[str], **given: Any) -> dict[str, Any]:
    found = landbridge.assess(data, sources=sources, near=near, cache_size=0, **given)["targets"]
    assert json.dumps(found, allow_nan=False) and all(set(a) == TOLD for a in found["artifacts"])
    return found


def test_another_draw_is_as_near_as_one_and_other_data_is_far(delivered: Path, encoder: str, tmp_path: Path) -> None:
    (same,) = assessed(half(1), delivered, [encoder])["artifacts"]  # a single path is taken too
    assert same["alike"] and same["times"] < ALIKE and same["value"] < 0.2 and same["rows"] == 90
    assert same["sentence"].startswith("as near as another draw of the same data")
    assert [c["near"][0]["name"] for c in same["classes"]] == [c["class"] for c in same["classes"]]
    assert all(c["near"][0]["value"] < c["near"][1]["value"] for c in same["classes"])
    (other,) = assessed(elsewhere(half(1)), [delivered], [encoder])["artifacts"]
    assert not other["alike"] and other["value"] > 2 * same["value"] and other["times"] > 1.5
    assert other["interval"][0] < other["value"] < other["interval"][1]


def test_the_order_is_told_in_words_and_drawn(
    delivered: Path, sealed: Callable[..., Path], encoder: str, tmp_path: Path
) -> None:
    stored = read_artifact(delivered)
    target = Target.from_bytes("", stored.files[TARGET])
    away = replace(target.moments, mean=target.moments.mean + 3 * target.moments.total**0.5)
    far = sealed("far", {TARGET: replace(target, moments=away).to_bytes()}, evidence={"name": "<i>far</i>"})
    found = assessed(half(1), [far, delivered, delivered], [encoder], out=tmp_path / "page")
    assert [a["label"] for a in found["artifacts"]] == ["first", "far"]  # the nearest first, none twice
    near, beyond = (a["value"] for a in found["artifacts"])
    assert found["sentence"] == f"nearer to first ({near:.2f}) than to far ({beyond:.2f})"
    page = (tmp_path / "page" / "assess.html").read_text()
    assert page.count("<ellipse") == 4 and "distance from earlier targets" in page and "<i>far" not in page
    twin = sealed("twin", evidence={"name": "twin"})
    level = assessed(half(1), [twin, delivered], [encoder])["sentence"]
    assert level.startswith("as near to ") and level.endswith("as far as 90 rows tell")


def test_the_source_is_found_in_the_artifact_by_name_or_not_at_all(sealed: Callable[..., Path], encoder: str) -> None:
    own = sealed("own")  # a probe leaves the body alone, so that the artifact itself holds the source
    (told,) = assessed(half(1), [own], ["embedded:minilm"])["artifacts"]
    assert told["value"] is not None

    def trained(name: str, array: np.ndarray) -> np.ndarray:
        return array + 0.01 if name.startswith("body/") and array.dtype.kind == "f" else array

    tuned = sealed("tuned", arrays=trained)
    (named,) = assessed(half(1), [tuned], [encoder])["artifacts"]
    assert named["value"] == pytest.approx(told["value"], abs=1e-3)
    (lost,) = assessed(half(1), [tuned], ["embedded:minilm"])["artifacts"]
    assert lost["value"] is None and lost["sentence"].startswith("does not tell: its source transformers:")
    assert lost["sentence"].endswith("; name it with --source transformers:FOLDER")


def test_what_remembers_nothing_says_why(sealed: Callable[..., Path], encoder: str, tmp_path: Path) -> None:
    old = sealed("old", {TARGET: None}, evidence={"remembered": None})
    control = tmp_path / "control"
    recipe = replace(rival("trivial"), source="rival:trivial")
    assert landbridge.fit(half(0), recipe, budget=None, out=control).evidence["remembered"]["rows"] == 0
    assert not (control / TARGET).exists()
    found = assessed(half(1), [old, control], [encoder], out=tmp_path / "page")
    said = {a["label"]: a["sentence"] for a in found["artifacts"]}
    assert said["old"] == "does not tell: it was written before artifacts remembered their targets; run it again"
    assert said["control"].startswith("does not tell: a control was delivered, which has no source")
    assert found["sentence"] == "" and "does not tell" in (tmp_path / "page" / "assess.html").read_text()
    assert landbridge.load(old).predict(["river stone"])  # an artifact without it is one like any other


def test_what_is_no_artifact_or_is_torn_is_refused_by_name(
    delivered: Path, sealed: Callable[..., Path], encoder: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"empty/manifest.json: is missing"):
        landbridge.assess(half(1), sources=[encoder], near=[tmp_path / "empty"])
    with pytest.raises(UsageError, match=r"was adapted to text data, toy image is image; name artifacts of image"):
        landbridge.assess(toy_domain("image"), sources=["scratch:convnet"], near=[delivered])
    wrong = sealed("wrong", {TARGET: b"no moments"})
    with pytest.raises(ArtifactError, match=r"wrong/reference/target.safetensors: is not a readable safetensors"):
        landbridge.assess(half(1), sources=[encoder], near=[wrong])
    torn = sealed("torn")
    (torn / TARGET).write_bytes((torn / TARGET).read_bytes()[:-9])
    with pytest.raises(ArtifactError, match=r"torn/reference/target.safetensors: has another size"):
        landbridge.assess(half(1), sources=[encoder], near=[torn])
