"""IDX files, as MNIST has them: found, put together, refused in one line where they are torn."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from landbridge.core import registry
from landbridge.core.errors import DataError, UsageError
from landbridge.reading.idx_files import is_idx, load_idx
from landbridge.reading.inputs import read_inputs
from landbridge.reading.read import read
from landbridge.reading.unlabelled import read_unlabelled

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def write(path: Path, values: np.ndarray) -> Path:
    """A file as the format's page describes it: two zeros, the type, the number of dimensions, lengths, bytes."""
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    data = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def digits(folder: Path, part: str, rows: int, end: str = "") -> np.ndarray:
    """Pictures and labels of one part; the pictures."""
    folder.mkdir(exist_ok=True)
    pictures = np.random.default_rng(len(part)).integers(0, 256, (rows, 12, 12))
    write(folder / f"{part}{IMAGES}{end}", pictures)
    write(folder / f"{part}{LABELS}{end}", np.arange(rows) % 3)
    return pictures.astype(np.uint8)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_both_parts_of_a_set_are_read_and_the_test_stays_the_test(tmp_path: Path, end: str) -> None:
    train, test = digits(tmp_path / "set", "train-", 60, end), digits(tmp_path / "set", "t10k-", 30, end)
    for place in (tmp_path / "set", tmp_path / "set" / f"train-{IMAGES}{end}"):
        domain = read(place)
        assert domain.modality.part_name == "image" and domain.task.to_json()["classes"] == [0, 1, 2]
        assert len(domain) == 90 and domain.folds[0].test.tolist() == list(range(60, 90))
        assert np.array_equal(np.asarray(next(iter(domain.examples(np.array([5])))))[:, :, 0], train[5])
        assert np.array_equal(np.asarray(next(iter(domain.examples(np.array([61])))))[:, :, 0], test[1])
        assert domain.targets[:4].tolist() == [0, 1, 2, 0]
    assert len(read(tmp_path / "set", test="none")) == 60
    assert len(read(tmp_path / "set" / f"t10k-{IMAGES}{end}")) == 30  # alone it is a set like any other


def test_a_test_file_can_be_named_and_names_of_all_kinds_are_known(tmp_path: Path) -> None:
    digits(tmp_path / "set", "", 60), digits(tmp_path / "other", "emnist-letters-test-", 20)
    domain = read(tmp_path / "set", test=tmp_path / "other" / f"emnist-letters-test-{IMAGES}")
    assert len(domain) == 80 and domain.folds[0].test.tolist() == list(range(60, 80))
    assert is_idx("train-images.idx3-ubyte") and is_idx("t10k-labels-idx1-ubyte.gz")
    assert not is_idx("images.zip") and not is_idx("train.csv.gz")


def test_pictures_alone_can_be_predicted_and_learnt_from(tmp_path: Path) -> None:
    pictures = digits(tmp_path / "set", "t10k-", 20)
    file, image = tmp_path / "set" / f"t10k-{IMAGES}", registry.find("modalities", "image")()
    for place in (file, tmp_path / "set"):
        names, cells = read_inputs([place], {"modality": "image"}, image)
        assert len(cells) == 20 and names[2] == f"{place.name} row 3" and np.array_equal(cells[2], pictures[2])
        assert len(read_unlabelled(place)) == 20
    np.savez(tmp_path / "new.npz", X=pictures)
    names, cells = read_inputs([tmp_path / "new.npz"], {"modality": "image"}, image)
    assert names[0] == "new.npz row 1" and np.array_equal(cells[7], pictures[7])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-5]), "header promises 8640 bytes .* holds 8635"),
        (lambda p: p.write_bytes(p.read_bytes() + b"x"), "header promises 8640 bytes .* holds more"),
        (lambda p: p.write_bytes(b"PK\x03\x04 something"), "does not begin as an IDX file"),
        (lambda p: p.write_bytes(b"\0\0\x08\x03\0\0"), "ends within its header"),
        (lambda p: p.with_name(f"train-{LABELS}").unlink(), f"its labels are not beside it; add train-{LABELS}"),
        (lambda p: write(p.with_name(f"train-{LABELS}"), np.zeros(3)), "'X' has 60 rows and 'y' has shape"),
        (lambda p: digits(p.parent, "fashion-train-", 10), "holds 2 data sets; name one file"),
        (lambda p: write(p.with_name(f"{p.name}.gz"), np.zeros((2, 3, 3))), "another file of the same part"),
    ],
)
def test_what_is_torn_or_does_not_fit_is_named(tmp_path: Path, spoil, told: str) -> None:
    digits(tmp_path / "set", "train-", 60)
    spoil(tmp_path / "set" / f"train-{IMAGES}")
    with pytest.raises(DataError, match=told) as error:
        read(tmp_path / "set")
    assert "\n" not in str(error.value)


def test_a_column_of_arrays_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    digits(tmp_path / "set", "train-", 60)
    np.savez(tmp_path / "curves.npz", X=np.random.default_rng(0).normal(size=(40, 1, 30)), y=np.arange(40) % 2)
    for place in (tmp_path / "set", tmp_path / "curves.npz"):
        with pytest.raises(UsageError, match=r"--group subject: .* holds arrays, which have no columns; give a table"):
            read(place, group="subject")


def test_a_torn_gzip_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / f"{LABELS}.gz", np.arange(5000) % 7)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be unpacked"):
        load_idx(file)
