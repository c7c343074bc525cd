"""The artifact's format: what is written comes back bit by bit, and nothing else comes back at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from landbridge.core.artifact import Artifact, read_artifact, write_artifact
from landbridge.core.errors import ArtifactError

DOCUMENTS = {"recipe.json": {"source": "embedded:minilm"}, "reference/scores.json": [1, 2.5, None, "é\u2028"]}
FILES = {"card.md": "# card ü\n".encode(), "source/config.json": b'{"a": 1}', "adapter/x.bin": bytes(range(256))}


def arrays() -> dict[str, np.ndarray]:
    """Weights of several kinds and shapes, an empty one and a scalar among them."""
    rng = np.random.default_rng(0)
    return {
        "w": rng.standard_normal((7, 5)).astype(np.float32),
        "t": np.asfortranarray(rng.standard_normal((3, 4))),
        "h": np.array([1.5, np.inf, -np.inf], np.float16),
        "n": np.array(3, np.int64),
        "e": np.zeros((0, 4), np.float32),
        "b": np.array([True, False]),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A written artifact."""
    write_artifact(tmp_path / "a", documents=DOCUMENTS, arrays=arrays(), files=FILES)
    return tmp_path / "a"


def same(artifact: Artifact) -> bool:
    """Whether an artifact holds exactly what the fixture wrote."""
    wanted = arrays()
    return (
        dict(artifact.documents) == DOCUMENTS
        and dict(artifact.files) == FILES
        and set(artifact.arrays) == set(wanted)
        and all(
            np.array_equal(artifact.arrays[k], v) and artifact.arrays[k].dtype == v.dtype for k, v in wanted.items()
        )
    )


def reseal(folder: Path, change: Any = None) -> None:
    """Write a manifest that fits whatever lies in the folder, as a forger would."""
    names = [p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"]
    table = {
        p.relative_to(folder).as_posix(): {
            "bytes": p.stat().st_size,
            "sha256": hashlib.sha256(p.read_bytes()).hexdigest(),
        }
        for p in names
    }
    manifest: dict[str, Any] = {"schema": 1, "kind": "landbridge artifact", "files": table}
    if change is not None:
        change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_everything_comes_back_bit_by_bit(folder: Path) -> None:
    artifact = read_artifact(folder)
    assert same(artifact)
    assert artifact.document("recipe.json") == {"source": "embedded:minilm"}
    assert artifact.digest == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    with pytest.raises(ArtifactError, match=r"labels\.json"):
        artifact.document("labels.json")


def test_tensors_are_stored_and_bfloat16_is_widened_exactly(tmp_path: Path) -> None:
    tensor = torch.linspace(-3, 3, 11).to(torch.bfloat16)
    write_artifact(tmp_path / "a", documents={}, arrays={"x": tensor, "y": torch.ones(2, 3).T}, files={})
    back = read_artifact(tmp_path / "a").arrays
    assert back["x"].dtype == np.float32
    assert torch.equal(torch.from_numpy(back["x"].copy()).to(torch.bfloat16), tensor)
    assert back["y"].shape == (3, 2)


def test_a_zip_of_the_folder_reads_the_same(folder: Path, tmp_path: Path) -> None:
    plain, nested = tmp_path / "plain.zip", tmp_path / "nested.zip"
    for path, prefix in ((plain, ""), (nested, "my model/")):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.rglob("*"):
                if file.is_file():
                    archive.write(file, prefix + file.relative_to(folder).as_posix())
        assert same(read_artifact(path))


def test_writing_replaces_the_older_one_and_leaves_no_litter(folder: Path) -> None:
    write_artifact(folder, documents={"recipe.json": 2}, arrays={}, files={})
    assert read_artifact(folder).documents == {"recipe.json": 2}
    assert [p.name for p in folder.parent.iterdir()] == ["a"]


@pytest.mark.parametrize(
    "documents, weights, files, word",
    [
        ({"a.json": {"x": float("nan")}}, {}, {}, "a.json"),
        ({"a.json": {"x": object()}}, {}, {}, "a.json"),
        ({"a.txt": 1}, {}, {}, "a.txt"),
        ({"source/a.json": 1}, {}, {}, "source/a.json"),
        ({}, {"w": np.array([1.0, np.nan])}, {}, "'w'"),
        ({}, {"w": np.array(["a"])}, {}, "'w'"),
        ({}, {"w": np.array([1j])}, {}, "'w'"),
        ({}, {"w": torch.tensor([float("nan")])}, {}, "'w'"),
        ({}, {}, {"manifest.json": b""}, "manifest.json"),
        ({}, {}, {"model.safetensors": b""}, "model.safetensors"),
        ({}, {}, {"top.json": b"1"}, "top.json"),
        ({}, {}, {"../out": b"x"}, "out"),
        ({}, {}, {"/tmp/out": b"x"}, "out"),
        ({}, {}, {"a//b": b"x"}, "a//b"),
        ({}, {}, {"C:evil": b"x"}, "C:evil"),
        ({}, {}, {"a\x00b": b"x"}, "plain relative path"),
    ],
)
def test_what_does_not_fit_the_format_is_refused_and_the_old_one_stays(
    folder: Path, documents: dict[str, Any], weights: dict[str, Any], files: dict[str, bytes], word: str
) -> None:
    with pytest.raises(ArtifactError) as caught:
        write_artifact(folder, documents=documents, arrays=weights, files=files)
    assert word in str(caught.value) and "\n" not in str(caught.value)
    assert same(read_artifact(folder))
    assert [p.name for p in folder.parent.iterdir()] == ["a"]


def test_mutated_bytes_are_refused_or_change_nothing(folder: Path, tmp_path: Path) -> None:
    """600 random flips, cuts, doublings and swaps in random files: a typed refusal or bit-equal content."""
    rng = np.random.default_rng(1)
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    refused = 0
    for turn in range(600):
        name = names[turn % len(names)]
        original = (folder / name).read_bytes()
        data = bytearray(original)
        at = int(rng.integers(len(data)))
        match int(rng.integers(5)):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at:]
            case 2:
                data[at:at] = bytes(rng.integers(0, 256, 3, dtype=np.uint8))
            case 3:
                data[at : at + 4] = b"\xff\xff\xff\x7f"
            case _:
                data += data[:at] + b" "
        (folder / name).write_bytes(bytes(data))
        try:
            assert same(read_artifact(folder)), name
        except ArtifactError as error:
            refused += 1
            assert "\n" not in str(error)
            assert str(folder) in str(error)
        finally:
            (folder / name).write_bytes(original)
    assert refused > 550
    assert same(read_artifact(folder))


def test_forged_content_with_a_fitting_manifest_never_raises_an_untyped_error(folder: Path, tmp_path: Path) -> None:
    """The forger knows the hash: 300 mutated weights files behind a fitting manifest."""
    rng = np.random.default_rng(2)
    original = (folder / "model.safetensors").read_bytes()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        data = bytearray(original)
        for at in rng.integers(len(data) if rng.random() < 0.3 else 420, size=3):
            data[int(at)] = int(rng.integers(256))
        (folder / "model.safetensors").write_bytes(bytes(data))
        reseal(folder)
        try:
            read_artifact(folder)
            outcomes["read"] += 1
        except ArtifactError as error:
            outcomes["refused"] += 1
            assert "model.safetensors" in str(error)
    assert outcomes["refused"] > 100


@pytest.mark.parametrize(
    "text, word",
    [
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": "\xff"}', "JSON"),
        (b"[" * 200_000, "JSON"),
        (b"9" * 10_000, "JSON"),
        (b"", "JSON"),
        (b"\x80\x04K\x01.", "JSON"),
    ],
)
def test_hostile_json_behind_a_fitting_manifest_is_refused(folder: Path, text: bytes, word: str) -> None:
    (folder / "recipe.json").write_bytes(text)
    reseal(folder)
    with pytest.raises(ArtifactError, match=word) as caught:
        read_artifact(folder)
    assert "recipe.json" in str(caught.value)
    (folder / "recipe.json").write_bytes(b"{}")
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(ArtifactError, match="manifest"):
        read_artifact(folder)


def test_a_document_beyond_the_limit_is_refused_unparsed(folder: Path) -> None:
    with (folder / "recipe.json").open("wb") as file:
        file.truncate(65 * 2**20)  # sparse: takes no disk
    reseal(folder)
    with pytest.raises(ArtifactError, match="larger than 64 MB"):
        read_artifact(folder)


def test_nan_weights_and_foreign_types_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(save({"w": np.array([np.nan], np.float32)}))
    reseal(folder)
    with pytest.raises(ArtifactError, match="'w' holds NaN"):
        read_artifact(folder)


@pytest.mark.parametrize(
    "change, word",
    [
        (lambda m: m.update(schema=2), "schema 2"),
        (lambda m: m.update(schema=True), "schema True"),
        (lambda m: m.pop("schema"), "schema None"),
        (lambda m: m.update(kind="other"), "not the manifest"),
        (lambda m: m.update(files=[]), "does not belong"),
        (lambda m: m["files"].update({"../x": {"bytes": 0, "sha256": ""}}), "plain relative path"),
        (lambda m: m["files"].update({"/etc/passwd": {"bytes": 0, "sha256": ""}}), "plain relative path"),
        (lambda m: m["files"].update({"gone": {"bytes": 0, "sha256": ""}}), "gone: is missing"),
        (lambda m: m["files"]["card.md"].update(bytes=2**70), "another size"),
        (lambda m: m["files"]["card.md"].update(bytes=-1), "entry of 'card.md'"),
        (lambda m: m["files"]["card.md"].update(bytes=True), "entry of 'card.md'"),
        (lambda m: m["files"]["card.md"].pop("sha256"), "entry of 'card.md'"),
        (lambda m: m["files"].pop("card.md"), "card.md: does not belong"),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(folder: Path, change: Any, word: str) -> None:
    reseal(folder, change)
    with pytest.raises(ArtifactError, match=word):
        read_artifact(folder)


def test_links_devices_and_extra_files_are_refused(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(FILES["card.md"])
    (folder / "card.md").unlink()
    (folder / "card.md").symlink_to(secret)
    with pytest.raises(ArtifactError, match=r"card.md: is a link"):
        read_artifact(folder)
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")
    with pytest.raises(ArtifactError, match=r"card.md: is a link or a device"):
        read_artifact(folder)
    (folder / "card.md").unlink()
    shutil.copy(secret, folder / "card.md")
    (folder / "evil.py").write_text("print(1)")
    with pytest.raises(ArtifactError, match=r"evil.py: does not belong"):
        read_artifact(folder)
    (folder / "evil.py").rename(folder / ".DS_Store")
    assert same(read_artifact(folder))


def test_hostile_zips_are_refused(folder: Path, tmp_path: Path) -> None:
    def pack(name: str, extra: list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.rglob("*"):
                if file.is_file():
                    archive.write(file, file.relative_to(folder).as_posix())
            for info, data in extra:
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
        return tmp_path / name

    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    cases = {
        "climb.zip": [(zipfile.ZipInfo("../x"), b"1")],
        "link.zip": [(link, b"/etc/passwd")],
        "extra.zip": [(zipfile.ZipInfo("extra"), b"1")],
        "bomb.zip": [(zipfile.ZipInfo("bomb"), bytes(30_000_000))],
    }
    for name, extra in cases.items():
        with pytest.raises(ArtifactError):
            read_artifact(pack(name, extra))
    whole = pack("whole.zip", []).read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(150):
        data = bytearray(whole)
        for at in rng.integers(len(data), size=2):
            data[int(at)] ^= 1 << int(rng.integers(8))
        (tmp_path / "flip.zip").write_bytes(bytes(data))
        with suppress(ArtifactError):
            assert same(read_artifact(tmp_path / "flip.zip"))


def test_missing_and_foreign_paths_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    for name, word in (("none", "no such artifact"), ("empty", "manifest.json: is missing"), ("file", "neither")):
        with pytest.raises(ArtifactError, match=word):
            read_artifact(tmp_path / name)


KILLED = """
import os, signal, sys
from pathlib import Path
import landbridge.core.files as files
from landbridge.core.artifact import write_artifact
steps, last = 0, int(sys.argv[2])
def step(event, arguments):
    global steps
    if event in ("os.rename", "os.mkdir", "shutil.rmtree", "os.chmod") or (event, arguments[1:2]) == ("open", ("wb",)):
        steps += 1
        if steps > last:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
write_artifact(Path(sys.argv[1]), documents={"recipe.json": 2}, arrays={}, files={"card.md": b"new"})
print(steps)
"""


def test_a_kill_at_any_step_leaves_the_old_or_the_new_one(folder: Path) -> None:
    """The writer is killed before each of its file operations in turn; what is at the path always reads whole."""
    seen = set()
    for last in range(30):
        done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(last)], capture_output=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        artifact = read_artifact(folder)
        assert same(artifact) or artifact.documents == {"recipe.json": 2}
        seen.add(same(artifact))
        if done.returncode == 0:
            break
    assert done.returncode == 0 and last >= 8
    assert seen == {True, False}
