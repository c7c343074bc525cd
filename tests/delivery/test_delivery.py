"""Saving and loading: what comes back predicts the same in a new process, and nothing half-written or forged does."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from scipy.special import softmax
from transformers import MobileNetV2Config, MobileNetV2ImageProcessor, MobileNetV2Model

from landbridge.bridges.native import Native
from landbridge.core.contracts import Modality, Predictor
from landbridge.core.errors import ArtifactError
from landbridge.core.examples import Sound
from landbridge.core.model import Model, weights_hash
from landbridge.core.recipe import Recipe
from landbridge.delivery import parity
from landbridge.delivery.artifact import Adapted, Delivery, load, save
from landbridge.delivery.reload import unpack
from landbridge.engine.predictor import ModelPredictor, RivalPredictor, open_source
from landbridge.modalities.image import Image
from landbridge.modalities.text import Text
from landbridge.nn.heads import Head
from landbridge.rivals.trivial import Constant, Trivial
from landbridge.tasks.classify import Classify
from landbridge.tasks.regress import Regress

TASK = Classify(classes=("crack", "free", "<script>alert(1)</script>"))
ROW = np.array([0.2, 1.0, -3.0], np.float32)


def evidence(**more: Any) -> dict[str, Any]:
    """The least evidence a run writes."""
    return {
        "schema": 1,
        "name": "tiles",
        "headline": "Transfer paid: accuracy 0.900.",
        "domain": {"modality": "image", "task": "classify", "train": 9, "validation": 3, "test": 10, "classes": 3},
        "chosen": {"name": "probe", "recipe": {}},
        "test": {"metric": "accuracy", "value": 0.9, "interval": [0.6, 1.0], "opened": 1},
        "controls": [{"name": "rival", "value": 0.5, "interval": [0.3, 0.7]}],
        "gain": {"value": 0.4, "interval": [0.1, 0.6], "against": "rival", "verdict": "gain"},
        "trials": [],
        "checks": [{"name": "duplicates", "found": 2, "detail": "a | b <script>"}],
        "seconds": 3.0,
        "budget_s": None,
        **more,
    }


def shown(found: Mapping[str, Any]) -> str:
    """A report of one line, so that these tests do not lean on the page."""
    return "<!doctype html>" + json.dumps(found)


def constant(task: Any = TASK, row: np.ndarray = ROW, **more: Any) -> Delivery:
    """A delivery whose model is the trivial control: always the same row."""
    settings: dict[str, Any] = {
        "predictor": RivalPredictor(Constant(row), Trivial()),
        "task": task,
        "modality": Text(),
        "recipe": Recipe(source="rival:trivial", bridge=Native(), stages=()),
        "reading": {"modality": "text", "input": "text", "target": "label"},
        "evidence": evidence(),
        "render": shown,
        **more,
    }
    return Delivery(**settings)


@pytest.fixture(scope="module")
def pictures() -> list[Pillow.Image]:
    """A few pictures of noise."""
    rng = np.random.default_rng(0)
    return [Pillow.fromarray(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)) for _ in range(5)]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """A tiny convolutional source with trained-looking weights and a head."""
    folder = tmp_path_factory.mktemp("weights") / "tiny_net"
    torch.manual_seed(0)
    config = MobileNetV2Config(depth_multiplier=0.1, image_size=32, num_labels=2)
    net = MobileNetV2Model(config)
    for weight in net.parameters():
        if weight.ndim > 1:
            torch.nn.init.kaiming_normal_(weight)
    net.save_pretrained(folder)
    size = {"shortest_edge": 36}
    MobileNetV2ImageProcessor(size=size, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    source = f"transformers:{folder}"
    body = open_source(source, modality="image")
    head = Head(body.width, 3)
    torch.nn.init.normal_(head.weight, std=0.5)
    origin = weights_hash(body.net)
    predictor = ModelPredictor(Model(body, head), source=source, bridge=Native(), facts={}, origin=origin)
    return Delivery(
        predictor=predictor,
        task=TASK,
        modality=Image(),
        recipe=Recipe(source=source, bridge=Native(), stages=()),
        reading={"modality": "image", "input": None, "target": None},
        evidence=evidence(command=f"landbridge run {folder} --budget 1m"),
        render=shown,
        temperature=1.7,
        source_files=body.files(),
        adapter={"adapter_config.json": b"{}"},
        reference={"scores.json": [1, 2]},
        private=(folder,),
    )


@pytest.fixture(scope="module")
def saved(network: Delivery, pictures: list[Pillow.Image], tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    """The network as an artifact, proven in a new process."""
    return save(tmp_path_factory.mktemp("out") / "artifact", network, pictures)


def test_a_network_predicts_the_same_in_a_new_process_and_after_a_move(
    network: Delivery, saved: Adapted, pictures: list[Pillow.Image], tmp_path: Path
) -> None:
    assert saved.evidence["parity"]["rows"] == 5
    assert saved.evidence["parity"]["max_difference"] < 1e-5
    assert saved.evidence["parity"]["labels_agree"] == 1.0
    raw = network.predictor.predict(pictures)
    assert raw.std() > 0.01  # the rows differ, so that equality says something
    moved = Path(shutil.make_archive(str(tmp_path / "moved"), "zip", saved.path))
    for adapted in (saved, load(moved)):
        expected = softmax(raw.astype(np.float64) / 1.7, axis=1)
        np.testing.assert_allclose(adapted.probabilities(pictures), expected, atol=1e-6)
        found = adapted.predict(pictures)
        assert [p["label"] for p in found] == [TASK.classes[i] for i in raw.argmax(1)]
        np.testing.assert_allclose(list(found[0]["probabilities"].values()), expected[0], atol=1e-6)


def test_files_on_disk_are_read_as_in_training(saved: Adapted, pictures: list[Pillow.Image], tmp_path: Path) -> None:
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
    from_folder = saved.predict(tmp_path)
    from_list = saved.predict([str(tmp_path / f"{n}.png") for n in range(5)])
    assert [p["probabilities"] for p in from_folder] == [p["probabilities"] for p in from_list]
    assert from_folder == from_list and from_folder[0]["input"].endswith("0.png")
    np.testing.assert_allclose(
        [list(p["probabilities"].values()) for p in from_folder], saved.probabilities(pictures), atol=1e-6
    )


def test_the_artifact_holds_every_part_and_no_path_of_this_machine(network: Delivery, saved: Adapted) -> None:
    names = {p.relative_to(saved.path).as_posix() for p in saved.path.rglob("*") if p.is_file()}
    assert names >= {
        *("recipe.json", "labels.json", "preprocess.json", "evidence.json", "card.md", "report.html"),
        *("model.safetensors", "manifest.json", "adapter/adapter_config.json", "reference/scores.json"),
    }
    assert any(n.startswith("source/") for n in names)
    for path in saved.path.rglob("*"):
        if path.is_file():
            assert str(network.private[0]).encode() not in path.read_bytes(), path
    assert saved.recipe.source == "transformers:tiny_net"
    assert saved.evidence["command"] == "landbridge run tiny_net --budget 1m"


def test_features_of_training_rows_in_a_head_are_counted_and_told(
    network: Delivery, saved: Adapted, pictures: list[Pillow.Image], tmp_path: Path
) -> None:
    assert "held_features" not in saved.evidence
    predictor = network.predictor
    assert isinstance(predictor, ModelPredictor)
    body, width = predictor.model.body, predictor.model.body.width
    head = Head(width, 3)
    head.fill_kernel(
        torch.randn(3, 7), torch.zeros(3), torch.randn(7, width), 0.5, torch.zeros(width), torch.ones(width)
    )
    bent = ModelPredictor(
        Model(body, head), source=predictor.source, bridge=Native(), facts={}, origin=predictor.origin
    )
    adapted = save(tmp_path / "bent", replace(network, predictor=bent), pictures, fresh=False)
    assert adapted.evidence["held_features"] == 7
    assert "features of 7 training examples" in (adapted.path / "card.md").read_text()


def test_a_control_that_won_is_delivered_like_anything_else(tmp_path: Path) -> None:
    adapted = save(tmp_path / "a", constant(), ["one text", "two\ntexts"], fresh=False)
    assert adapted.evidence["parity"]["max_difference"] == 0.0
    first, second = adapted.predict(["x", "y"])
    assert first["label"] == "free" and first["probabilities"] == second["probabilities"]
    assert sum(first["probabilities"].values()) == pytest.approx(1.0)
    assert "rival:trivial" in repr(adapted) or "fit on" in repr(adapted)
    assert "<script>" not in adapted._repr_html_()


def test_regression_comes_back_in_original_units(tmp_path: Path) -> None:
    task = Regress.from_labels([10.0, 20.0, 30.0])
    delivery = constant(task=task, row=np.array([0.0], np.float32))
    (only,) = save(tmp_path / "a", delivery, ["x"], fresh=False).predict(["x"])
    assert only["label"] == pytest.approx(20.0) and only["probabilities"] == {}


class Forgetful:
    """A predictor whose state is not what it predicts with, as a bug in saving would make it."""

    def predict(self, examples: Iterable[Any]) -> np.ndarray:
        return np.tile(ROW, (len(list(examples)), 1))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return RivalPredictor(Constant(ROW + np.float32(0.01) * np.eye(3, dtype=np.float32)[0]), Trivial()).state()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_model_that_would_answer_otherwise_is_not_written(tmp_path: Path, fresh: bool) -> None:
    forgetful: Predictor = Forgetful()
    out = tmp_path / "a"
    save(out, constant())
    before = load(out).digest
    with pytest.raises(ArtifactError, match="does not predict like the trained one"):
        save(out, constant(predictor=forgetful), ["x"], fresh=fresh)
    assert load(out).digest == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_answers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    adapted = save(tmp_path / "a", constant(row=np.array([0.0, np.inf, 0.0], np.float32)))
    with pytest.raises(ArtifactError, match="input 0 is not finite"):
        adapted.predict(["x"])


def forge(folder: Path, name: str, change: Any) -> None:
    """Change a document and make the manifest fit, as a forger would."""
    document = json.loads((folder / name).read_text())
    change(document)
    (folder / name).write_text(json.dumps(document))
    manifest = json.loads((folder / "manifest.json").read_text())
    data = (folder / name).read_bytes()
    manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "name, change",
    [
        ("preprocess.json", lambda d: d.update(temperature=-1)),
        ("preprocess.json", lambda d: d.update(temperature="hot")),
        ("preprocess.json", lambda d: d.pop("temperature")),
        ("preprocess.json", lambda d: d.pop("predictor")),
        ("preprocess.json", lambda d: d["predictor"].update(kind="pickle")),
        ("preprocess.json", lambda d: d["predictor"].update(rival={"part": "os.system"})),
        ("preprocess.json", lambda d: d["predictor"].update(rival=[])),
        ("preprocess.json", lambda d: d["reading"].update(modality="smell")),
        ("preprocess.json", lambda d: d.update(reading=None)),
        ("labels.json", lambda d: d.update(part="nothing")),
        ("labels.json", lambda d: d.update(classes=["one"])),
        ("labels.json", lambda d: d.pop("classes")),
        ("labels.json", lambda d: d.update(metric="luck")),
        ("recipe.json", lambda d: d.update(source=7)),
        ("recipe.json", lambda d: d.update(bridge={"part": "drawbridge"})),
        ("recipe.json", lambda d: d.update(extra=1)),
    ],
)
def test_forged_documents_are_refused_in_one_line(tmp_path: Path, name: str, change: Any) -> None:
    save(tmp_path / "a", constant())
    forge(tmp_path / "a", name, change)
    with pytest.raises(ArtifactError) as caught:
        load(tmp_path / "a")
    assert "\n" not in str(caught.value) and str(tmp_path / "a") in str(caught.value)


def test_a_torn_artifact_names_the_file(tmp_path: Path) -> None:
    save(tmp_path / "a", constant())
    (tmp_path / "a" / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"model\.safetensors: is missing"):
        load(tmp_path / "a")
    with pytest.raises(ArtifactError, match="no such artifact"):
        load(tmp_path / "b")


def test_rows_of_every_modality_travel_exactly(pictures: list[Pillow.Image], tmp_path: Path) -> None:
    series = np.random.default_rng(1).standard_normal((2, 9)).astype(np.float32)
    examples = [pictures[0], "a text \u2028 é", Sound(series[0], 8000), series, {"a": 1.5, "b": "x", "c": float("nan")}]
    documents, arrays = parity.pack(examples)
    picture, text, sound, back, row = unpack(json.loads(json.dumps(documents)), arrays)
    assert np.array_equal(np.asarray(picture), np.asarray(pictures[0])) and picture.mode == "RGB"
    assert text == examples[1]
    assert np.array_equal(sound.wave, series[0]) and sound.rate == 8000
    assert np.array_equal(back, series)
    assert row == {"a": 1.5, "b": "x", "c": None}


def test_parity_counts_labels_and_allows_ties_only_within_the_tolerance() -> None:
    expected = np.array([[0.0, 1e-6, -9.0], [2.0, 0.0, -9.0]], np.float32)
    found = np.array([[1e-6, 0.0, -9.0], [2.0, 0.0, -9.0]], np.float32)
    told = parity.compare(TASK, expected, found)
    assert told["rows"] == 2 and told["labels_agree"] == 0.5 and 0 < told["max_difference"] < 1e-5
    with pytest.raises(ArtifactError, match="shape"):
        parity.compare(TASK, expected, found[:1])
    with pytest.raises(ArtifactError, match="does not predict"):
        parity.compare(TASK, expected, np.full_like(found, np.nan))


def test_modalities_decode_what_is_given_in_memory(saved: Adapted, pictures: list[Pillow.Image]) -> None:
    modality: Modality = saved.modality
    assert modality.part_name == "image"
    array = np.asarray(pictures[0])
    assert saved.predict([array])[0]["probabilities"] == saved.predict([pictures[0]])[0]["probabilities"]
