"""Data without labels: files anywhere below a folder, lines, rows; labels that are there are never in what is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from landbridge.core.errors import DataError, LandbridgeError
from landbridge.reading.unlabelled import read_unlabelled


def pictures(root: Path, places: list[str]) -> Path:
    for number, place in enumerate(places):
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


def test_pictures_anywhere_below_a_folder_without_their_class_folders(tmp_path: Path) -> None:
    domain = read_unlabelled(pictures(tmp_path / "photos", ["a.png", "cats/b.png", "cats/deep/c.jpg", ".hidden/d.png"]))
    assert len(domain) == 3 and domain.modality.part_name == "image" and domain.name == "photos"
    assert domain.example(0).size == (8, 8)
    assert not domain.targets.any() and len(set(domain.targets.tolist())) == 1
    fold = domain.folds[0]
    assert fold.test.size == fold.pairs[0].validation.size == 0 and fold.rest.tolist() == [0, 1, 2]


def test_pictures_in_a_zip(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", ["x/a.png", "b.png"])
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("x/a.png", "b.png"):
            archive.write(tmp_path / "photos" / name, name)
    assert len(read_unlabelled(tmp_path / "photos.zip")) == 2


def test_a_file_of_lines_is_texts(tmp_path: Path) -> None:
    (tmp_path / "news.txt").write_text("one line\n\nanother line\nand a third\n")
    domain = read_unlabelled(tmp_path / "news.txt")
    assert [domain.example(i) for i in range(3)] == ["one line", "another line", "and a third"]


def test_a_table_of_texts_gives_the_text_and_never_its_label(tmp_path: Path) -> None:
    lines = [f"a text of many words number {n},{n % 2}" for n in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *lines]))
    domain = read_unlabelled(tmp_path / "t.csv")
    assert domain.modality.part_name == "text" and domain.example(3) == "a text of many words number 3"
    assert any("'label' is a label and left out" in a.what for a in domain.assumptions)


def test_rows_of_a_table_without_the_columns_of_labels_and_identity(tmp_path: Path) -> None:
    lines = [f"{n},{n * 0.37:.2f},{'red' if n % 3 else 'blue'},{n % 2},{n % 5}" for n in range(1, 41)]
    (tmp_path / "t.csv").write_text("\n".join(["id,weight,colour,income,amount", *lines]))
    domain = read_unlabelled(tmp_path / "t.csv")
    assert list(domain.example(0)) == ["weight", "colour", "amount"]
    named = read_unlabelled(tmp_path / "t.csv", target="amount")
    assert list(named.example(0)) == ["weight", "colour", "income"]
    everything = read_unlabelled(tmp_path / "t.csv", target="none")
    assert list(everything.example(0)) == ["id", "weight", "colour", "income", "amount"]


def test_series_in_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", X=np.random.default_rng(0).normal(size=(5, 2, 30)), y=np.arange(5))
    domain = read_unlabelled(tmp_path / "s.npz")
    assert domain.modality.part_name == "series" and domain.example(0).shape == (2, 30)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: None, "there is no such file or folder"),
        (lambda p: p.mkdir(), "the folder is empty"),
        (lambda p: pictures(p, ["only.png"]), "holds 1 examples"),
        (lambda p: (pictures(p, ["a.png", "b.png"]), (p / "c.wav").write_bytes(b"")), "choose one with --modality"),
        (lambda p: (p.mkdir(), (p / "a.xyz").write_text("?")), "of type '.xyz' are not known"),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path: Path, make, why: str) -> None:
    place = tmp_path / "data"
    make(place)
    with pytest.raises(DataError) as raised:
        read_unlabelled(place)
    assert why in str(raised.value) and "data" in str(raised.value) and "\n" not in str(raised.value)


def test_unknown_columns_and_modalities_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    for wrong in ({"target": "c"}, {"input": "c"}, {"modality": "smell"}):
        with pytest.raises(LandbridgeError, match="unknown"):
            read_unlabelled(tmp_path / "t.csv", **wrong)
    (tmp_path / "l.csv").write_text("label,class\n1,2\n3,4\n")
    with pytest.raises(DataError, match="besides labels there is no column"):
        read_unlabelled(tmp_path / "l.csv")
