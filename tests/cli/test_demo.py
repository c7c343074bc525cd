"""The built-in data is what it says it is, and is written once."""

from __future__ import annotations

import csv
from pathlib import Path
from string import ascii_uppercase

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from landbridge import demo
from landbridge.core.errors import UnknownName


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_digits_are_pictures_in_class_folders(tmp_path: Path) -> None:
    folder, bunch = demo.write("digits", tmp_path), load_digits()
    files = sorted(folder.glob("*/*.png"), key=lambda p: int(p.stem))
    assert len(files) == 1797 and [int(p.parent.name) for p in files] == bunch.target.tolist()
    pixels = np.asarray(Image.open(files[7])).astype(float)
    assert np.abs(pixels * 16 / 255 - bunch.images[7]).max() < 0.05


def test_wines_are_the_table_with_its_growers(tmp_path: Path) -> None:
    found, bunch = rows(demo.write("wine", tmp_path)), load_wine()
    assert len(found) == 178 and list(found[0])[-1] == "grower"
    assert [r.pop("grower") for r in found] == ["ABC"[t] for t in bunch.target]
    assert np.array_equal([[float(v) for v in r.values()] for r in found], bunch.data)


def test_summaries_are_of_several_fields_and_none_twice(tmp_path: Path) -> None:
    found = rows(demo.write("docs", tmp_path))
    assert len({r["text"] for r in found}) == len(found) > 800 and {r["field"] for r in found} == set(demo.FIELDS)


def test_what_is_there_is_kept_and_what_is_unknown_refused(tmp_path: Path) -> None:
    path = demo.write("wine", tmp_path)
    path.write_text("mine")
    assert demo.write("wine", tmp_path).read_text() == "mine"
    with pytest.raises(UnknownName, match="wines"):
        demo.write("wines", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["wine.csv"]


def test_letters_are_written_once_in_each_typeface_and_can_be_read(tmp_path: Path) -> None:
    folder = demo.write("letters", tmp_path)
    files = sorted(folder.glob("*/*.png"))
    assert len(files) == 26 * len(demo.FACES) and {p.parent.name for p in files} == set(ascii_uppercase)
    pictures = np.stack([np.asarray(Image.open(p), float) for p in files])
    assert pictures.shape[1:] == (demo.SIDE, demo.SIDE) and (np.ptp(pictures, (1, 2)) > 50).all()
    assert len(np.unique(pictures, axis=0)) == len(files)
    paper = np.median(pictures, (1, 2), keepdims=True)
    rims = np.concatenate(
        [np.abs(pictures - paper)[:, [0, -1]], np.abs(pictures - paper)[:, :, [0, -1]].swapaxes(1, 2)]
    )
    assert (rims > 30).mean() < 0.05  # hardly a letter is cut by the rim
