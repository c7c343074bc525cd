"""Tables that are packed, by gzip, bzip2 or xz or in a zip, are read as if they were not."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from reading_builders import csv, text_csv, write, zipped

from landbridge.core.errors import DataError
from landbridge.reading.inputs import read_inputs
from landbridge.reading.packed import ending, extracted, stem, unpacked
from landbridge.reading.read import read
from landbridge.reading.unlabelled import read_unlabelled

PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def packed(path: Path, end: str) -> Path:
    """The file with its bytes packed, in its stead."""
    made = path.with_name(path.name + end)
    made.write_bytes(PACK[end](path.read_bytes()))
    path.unlink()
    return made


def test_the_ending_inside_says_what_a_file_is() -> None:
    names = ["a.CSV", "a.csv.GZ", "a.b.jsonl.xz", "a.gz", "a.tar.gz", "t10k-images-idx3-ubyte.gz", "a.parquet.gz"]
    assert [ending(n) for n in names] == [".csv", ".csv", ".jsonl", ".gz", ".gz", ".gz", ".gz"]
    assert [stem(Path(n)) for n in names[:4]] == ["a", "a", "a.b", "a"]


@pytest.mark.parametrize("end", PACK)
def test_a_packed_table_is_the_same_data(tmp_path: Path, end: str) -> None:
    plain = read(text_csv(tmp_path / "t.csv"))
    found = read(packed(tmp_path / "t.csv", end))
    assert found.name == plain.name == "t" and found.reading == plain.reading
    assert found.targets.tolist() == plain.targets.tolist() and found.fingerprint == plain.fingerprint
    assert [found.example(i) for i in range(len(found))] == [plain.example(i) for i in range(len(plain))]


def test_files_that_belong_together_are_found_by_their_names(tmp_path: Path) -> None:
    for split, rows in (("train", 20), ("test", 8)):
        packed(csv(tmp_path / "d" / f"{split}.csv", "x,y", [f"{i},{'ab'[i % 2]}" for i in range(rows)]), ".gz")
    for place in (tmp_path / "d", tmp_path / "d" / "train.csv.gz"):
        domain = read(place, target="y")
        assert len(domain) == 28 and len(domain.folds[0].test) == 8


def test_series_lines_and_records_may_be_packed(tmp_path: Path) -> None:
    ts = "@univariate true\n@classLabel true a b\n@data\n" + "".join(f"{i},2,3,{i}:{'ab'[i % 2]}\n" for i in range(12))
    assert len(read(packed(write(tmp_path / "s.ts", ts), ".xz"))) == 12
    lines = "".join(f'{{"text": "word {i}", "label": "{"ab"[i % 2]}"}}\n' for i in range(12))
    assert read(packed(write(tmp_path / "r.jsonl", lines), ".bz2"), target="label").task.outputs == 2


def test_what_is_predicted_and_what_has_no_labels_may_be_packed(tmp_path: Path) -> None:
    domain = read(text_csv(tmp_path / "t.csv"))
    (tmp_path / "new").mkdir()
    packed(csv(tmp_path / "new" / "rows.csv", "text", ["one", "two"]), ".gz")
    packed(write(tmp_path / "new" / "lines.txt", "three\n"), ".gz")
    names, cells = read_inputs([tmp_path / "new"], domain.reading, domain.modality)
    assert sorted(cells) == ["one", "three", "two"] and len(names) == 3
    assert len(read_unlabelled(packed(csv(tmp_path / "u.csv", "text", ["x y", "z w"]), ".gz"))) == 2


def test_errors_name_the_packed_file(tmp_path: Path) -> None:
    ragged = packed(csv(tmp_path / "t.csv", "text,label", ["a,b", "c,d,e"]), ".gz")
    with pytest.raises(DataError, match=r"t\.csv\.gz: line 3 has 3 cells"):
        read(ragged)
    whole = gzip.compress(np.random.default_rng(0).bytes(20_000).hex().encode())
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"torn\.csv\.gz: packed, but cut off or damaged"):
        read(torn)
    write(tmp_path / "no.csv.xz", "text,label\na,b\n")
    with pytest.raises(DataError, match=r"no\.csv\.xz: packed, but cut off or damaged"):
        read(tmp_path / "no.csv.xz")
    (tmp_path / "t.csv").write_bytes(gzip.compress(b"text,label\na,b\n"))
    with pytest.raises(DataError, match=r"end its name in \.gz"):
        read(tmp_path / "t.csv")
    (tmp_path / "data.pickle.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(DataError, match="of packed files text tables are read"):
        read(tmp_path / "data.pickle.gz")


def test_a_bomb_is_not_unpacked_and_nothing_is_left(tmp_path: Path) -> None:
    bomb, cache = tmp_path / "bomb.csv.gz", tmp_path / "cache"
    bomb.write_bytes(gzip.compress(b"0" * (12 << 20)))
    with pytest.raises(DataError, match="like a decompression bomb"):
        unpacked(bomb, cache)
    assert list(cache.rglob("*.csv")) == [] and list((cache / "tables").iterdir()) == []


def test_a_file_is_unpacked_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path, cache = tmp_path / "t.csv.gz", tmp_path / "cache"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    first = unpacked(path, cache)
    at = first.stat().st_mtime_ns
    assert first.read_bytes() == b"a\n1\n" and unpacked(path, cache) == first and first.stat().st_mtime_ns == at
    path.write_bytes(gzip.compress(b"a\n22\n"))
    assert unpacked(path, cache).read_bytes() == b"a\n22\n"
    blocked = tmp_path / "file"
    blocked.write_text("stands in the way")
    with pytest.raises(DataError, match="set LANDBRIDGE_CACHE to a folder"):
        unpacked(path, blocked)


def test_tables_in_an_archive_are_read_like_their_folder(tmp_path: Path) -> None:
    files = {
        f"data/{name}.csv": "\n".join(["x,y", *(f"{i * i % 7},{'ab'[i % 2]}" for i in range(rows))]).encode()
        for name, rows in (("train", 20), ("test", 8))
    }
    more = {"data/notes.txt": b"read me", "__MACOSX/data/._train.csv": b"\0"}
    domain = read(zipped(tmp_path / "contest.zip", files | more), target="y")
    assert domain.name == "contest" and len(domain) == 28 and len(domain.folds[0].test) == 8
    alone = read(zipped(tmp_path / "one.zip", {"rows.csv.gz": gzip.compress(files["data/train.csv"])}), target="y")
    assert alone.name == "one" and len(alone) == 20


def test_an_archive_of_tables_is_predicted_and_learnt_from_without_labels(tmp_path: Path) -> None:
    domain = read(text_csv(tmp_path / "t.csv"))
    new = zipped(tmp_path / "new.zip", {"a.csv": b"text\none\ntwo\n", "b.txt": b"three\n"})
    names, cells = read_inputs([new], domain.reading, domain.modality)
    assert sorted(cells) == ["one", "three", "two"] and len(names) == 3
    with pytest.raises(DataError, match="holds no text to predict"):
        read_inputs([zipped(tmp_path / "no.zip", {"a.pdf": b"x"})], domain.reading, domain.modality)
    assert len(read_unlabelled(zipped(tmp_path / "u.zip", {"a.csv": b"text\nx y\nz w\n"}))) == 2


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    path, cache = zipped(tmp_path / "x.zip", {"d/a.csv": b"a\n1\n", "d/b.csv": b"a\n2\n"}), tmp_path / "cache"
    with extracted(path, ["d/a.csv", "d/b.csv"], cache) as folder:
        assert sorted(p.name for p in folder.iterdir()) == ["a.csv", "b.csv"]
    with extracted(path, ["d/a.csv", "d/b.csv"], cache) as again, extracted(path, ["d/a.csv"], cache) as alone:
        assert again == folder and alone.read_bytes() == b"a\n1\n"
    assert [p.name for p in (cache / "tables").iterdir() if p.name.startswith(".")] == []


def test_errors_name_the_archive_and_the_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"d/t.csv": b"text,label\na,b\nc,d,e\n"})
    with pytest.raises(DataError, match=r"x\.zip:t\.csv: line 3 has 3 cells"):
        read(path)
    whole = path.read_bytes()
    at = whole.index(b"t.csv") + len(b"t.csv") + 4
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    with pytest.raises(DataError, match=r"x\.zip: packed, but cut off or damaged"):
        read(path)
    path.write_bytes(whole.replace(b"t.csv", b"u.csv", 1))  # the member's own header says another name
    with pytest.raises(DataError, match=r"x\.zip: packed in a way that cannot be read"):
        read(path)
