"""What a finished model reads: the same columns and kinds of files, with and without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reading_builders import csv, image_folder, png, table_csv, text_csv, wav, write, zipped

from landbridge.core.domain import Domain
from landbridge.core.errors import DataError
from landbridge.reading.inputs import read_inputs, read_labelled
from landbridge.reading.read import read


def inputs(domain: Domain, *paths: str | Path) -> tuple[list[str], list[object]]:
    names, cells = read_inputs(paths, domain.reading, domain.modality)
    assert len(names) == len(cells)
    return names, [domain.modality.decode(c) for c in cells]


def test_images_from_file_folder_and_archive(tmp_path: Path) -> None:
    domain = read(image_folder(tmp_path / "d", {"a": 8, "b": 8}))
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "x.png").write_bytes(png(1))
    (tmp_path / "new" / "y.png").write_bytes(png(2))
    write(tmp_path / "new" / "notes.txt", "no picture")
    path = zipped(tmp_path / "z.zip", {"p/q.png": png(3)})
    names, examples = inputs(domain, tmp_path / "new", tmp_path / "new" / "y.png", path)
    assert [Path(n).name for n in names] == ["x.png", "y.png", "y.png", "q.png"]
    assert all(e.size == (12, 12) for e in examples)
    (tmp_path / "around").mkdir()
    path.rename(tmp_path / "around" / "z.zip")
    assert inputs(domain, tmp_path / "around")[0] == ["z.zip:p/q.png"]
    with pytest.raises(DataError, match="the model reads image"):
        (tmp_path / "s.wav").write_bytes(wav())
        inputs(domain, tmp_path / "s.wav")
    with pytest.raises(DataError, match="no such file"):
        inputs(domain, tmp_path / "nothing.png")
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        inputs(domain, tmp_path / "void")


def test_images_named_by_a_table(tmp_path: Path) -> None:
    image_folder(tmp_path / "d", {"a": 8, "b": 8})
    csv(tmp_path / "d" / "t.csv", "file,label", [f"{c}/{i}.png,{c}" for c in "ab" for i in range(8)])
    domain = read(tmp_path / "d" / "t.csv")
    csv(tmp_path / "d" / "new.csv", "file", ["b/1.png", "a/2.png"])
    names, _ = inputs(domain, tmp_path / "d" / "new.csv")
    assert names == ["b/1.png", "a/2.png"]
    csv(tmp_path / "d" / "bad.csv", "file", ["../b/1.png"])
    with pytest.raises(DataError, match="leaves the data folder"):
        inputs(domain, tmp_path / "d" / "bad.csv")


def test_texts_given_in_every_way(tmp_path: Path) -> None:
    domain = read(text_csv(tmp_path / "t.csv"))
    write(tmp_path / "lines.txt", "first line\n\nsecond line\n")
    csv(tmp_path / "new.csv", "n,text", ["1,from a table", "2,another one"])
    csv(tmp_path / "other.csv", "sentence", ["only one column of words here", "and one more of that kind"])
    names, texts = inputs(domain, "a plain text", tmp_path / "lines.txt", tmp_path / "new.csv", tmp_path / "other.csv")
    assert texts[:5] == ["a plain text", "first line", "second line", "from a table", "another one"]
    assert names[1] == "lines.txt line 1"
    assert texts[5] == "only one column of words here"
    with pytest.raises(DataError, match="no such file"):
        inputs(domain, "missing.csv")
    csv(tmp_path / "gap.csv", "n,x", ["1,2", "3,4"])
    with pytest.raises(DataError, match="unknown column 'text'"):
        inputs(domain, tmp_path / "gap.csv")


def test_table_rows_need_the_columns_of_training(tmp_path: Path) -> None:
    domain = read(table_csv(tmp_path / "t.csv"))
    csv(tmp_path / "new.csv", "c,b,a", ["x,1.5,2", ",?,3"])
    names, rows = inputs(domain, tmp_path / "new.csv")
    assert names == ["row 1", "row 2"]
    assert rows == [{"a": 2.0, "b": 1.5, "c": "x"}, {"a": 3.0, "b": None, "c": None}]
    csv(tmp_path / "less.csv", "a,bb,c", ["1,2,x"])
    with pytest.raises(DataError, match="'b' that the model reads is missing"):
        inputs(domain, tmp_path / "less.csv")
    csv(tmp_path / "words.csv", "a,b,c", ["1,2,x", "1,two,x"])
    with pytest.raises(DataError, match="row 2, column 'b': 'two' is no number"):
        inputs(domain, tmp_path / "words.csv")


def test_series_with_and_without_label(tmp_path: Path) -> None:
    rows = [[f"{i % 2}", *(f"{v:.4f}" for v in np.sin(np.arange(24) / 4 + i))] for i in range(30)]
    domain = read(write(tmp_path / "W.tsv", "\n".join("\t".join(r) for r in rows)))
    write(tmp_path / "bare.tsv", "\n".join("\t".join(r[1:]) for r in rows[:5]))
    np.savez(tmp_path / "x.npz", X=np.zeros((3, 1, 24)))
    write(tmp_path / "x.ts", "@classLabel false\n@data\n1,2,3,4\n")
    _, whole = inputs(domain, tmp_path / "W.tsv")
    _, bare = inputs(domain, tmp_path / "bare.tsv")
    assert np.array_equal(np.stack(whole[:5]), np.stack(bare))
    assert bare[0].shape == (1, 24)
    assert len(inputs(domain, tmp_path / "x.npz", tmp_path / "x.ts")[1]) == 4


def test_long_series(tmp_path: Path) -> None:
    lines = [f"s{i % 20},{i // 20},{np.sin(i):.3f},{'ab'[i % 2]}" for i in range(180)]
    domain = read(csv(tmp_path / "t.csv", "id,time,x,label", lines))
    csv(
        tmp_path / "new.csv", "id,time,x", [line.rsplit(",", 1)[0] for line in lines if line.startswith(("s1,", "s2,"))]
    )
    names, series = inputs(domain, tmp_path / "new.csv")
    assert names == ["s1", "s2"]
    assert series[0].shape == (1, 9)


def test_labelled_rows_for_an_old_task(tmp_path: Path) -> None:
    domain = read(table_csv(tmp_path / "t.csv"))
    table_csv(tmp_path / "new.csv", 12)
    found = read_labelled(tmp_path / "new.csv", domain.reading, domain.task)
    assert found.targets.tolist() == domain.task.encode(found.labels).tolist()
    assert len(found.names) == len(found.cells) == 12
    assert set(domain.modality.decode(found.cells[0])) == {"a", "b", "c"}
    text = (tmp_path / "new.csv").read_text().replace(",yes", ",sure", 1)
    write(tmp_path / "odd.csv", text)
    with pytest.raises(DataError, match=r"row \d+: unknown class 'sure'"):
        read_labelled(tmp_path / "odd.csv", domain.reading, domain.task)


def test_labelled_rows_are_the_test_rows(tmp_path: Path) -> None:
    for place, (split, count) in enumerate((("train", 8), ("test", 3))):
        image_folder(tmp_path / "d" / split, {"a": count, "b": count}, seed=9000 * place)
    domain = read(tmp_path / "d")
    assert len(read_labelled(tmp_path / "d", domain.reading, domain.task).names) == 6
    assert len(read_labelled(tmp_path / "d", domain.reading, domain.task, split="all").names) == 22


def test_labelled_class_that_stands_alone(tmp_path: Path) -> None:
    domain = read(text_csv(tmp_path / "t.csv"))
    csv(tmp_path / "new.csv", "text,label", ["one sentence about cats here,cat"])
    assert read_labelled(tmp_path / "new.csv", domain.reading, domain.task).labels == ["cat"]
