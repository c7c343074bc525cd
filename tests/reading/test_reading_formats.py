"""Each supported format is read, detected and split without options."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from reading_builders import csv, image_folder, png, table_csv, text_csv, wav, write, zipped

from landbridge.core.domain import Domain
from landbridge.core.errors import DataError
from landbridge.core.examples import Blob
from landbridge.reading import store
from landbridge.reading.read import read
from landbridge.reading.summary import summary


def kinds(domain: Domain) -> tuple[str, str]:
    return domain.modality.part_name, domain.task.part_name


def sizes(domain: Domain) -> tuple[int, int, int]:
    pair = domain.folds[0].pairs[0]
    return len(pair.train), len(pair.validation), len(domain.folds[0].test)


def assumed(domain: Domain) -> str:
    return " | ".join(a.what for a in domain.assumptions)


def test_image_folder(tmp_path: Path) -> None:
    write(tmp_path / "d" / "cats" / ".ipynb_checkpoints" / "x.png", "hidden and broken")
    domain = read(image_folder(tmp_path / "d", {"cats": 12, "dogs": 12}))
    assert kinds(domain) == ("image", "classify")
    assert len(domain) == 24
    assert "hidden" in assumed(domain)
    assert domain.example(0).size == (12, 12)
    assert domain.labels[0] == "cats/0.png"
    assert domain.targets.tolist() == [0] * 12 + [1] * 12


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "dev", "testing")])
def test_split_folders(tmp_path: Path, names: tuple[str, str, str]) -> None:
    for place, (name, count) in enumerate(zip(names, (8, 3, 2), strict=True)):
        image_folder(tmp_path / "d" / name, {"cats": count, "dogs": count}, seed=9000 * place)
    domain = read(tmp_path / "d")
    assert sizes(domain) == (16, 6, 4)
    fold = domain.folds[0]
    assert all(str(domain.labels[i]).startswith(names[2]) for i in fold.test)
    assert all(str(domain.labels[i]).startswith(names[1]) for i in fold.pairs[0].validation)


def test_zip_is_read_in_place(tmp_path: Path) -> None:
    members = {f"top/{s}/{c}/{i}.png": png(hash_of(s, c, i)) for s in ("train", "test") for c in "ab" for i in range(6)}
    path = zipped(tmp_path / "x.zip", members | {"__MACOSX/top/train/a/._0.png": b"x"})
    domain = read(path)
    assert len(domain) == 24
    assert len(domain.folds[0].test) == 12
    cell = domain.cells[0]
    assert isinstance(cell, Blob)
    assert cell.path == path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.zip"]


def hash_of(*values: object) -> int:
    return sum(ord(c) * 31**i for i, c in enumerate(str(values))) % (1 << 31)


def test_folders_of_areas_with_the_same_classes(tmp_path: Path) -> None:
    for place, area in enumerate(("amazon", "webcam", "dslr")):
        image_folder(tmp_path / "d" / area, {"bike": 4, "mug": 4}, seed=9000 * place)
    domain = read(tmp_path / "d")
    assert domain.task.to_json()["classes"] == ["bike", "mug"]
    assert set(domain.slices["folder"]) == {"amazon", "webcam", "dslr"}


def test_sound_folder_with_groups_in_names(tmp_path: Path) -> None:
    for digit in ("0", "1"):
        for speaker in ("ann", "bob", "cid", "dan"):
            for take in range(3):
                path = tmp_path / "d" / digit / f"{digit}_{speaker}_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(wav(hash_of(digit, speaker, take)))
    domain = read(tmp_path / "d", group=r"name:_(\w+)_")
    assert kinds(domain) == ("audio", "classify")
    assert domain.example(0).rate == 8000
    assert domain.groups is not None
    assert len(domain.folds) == 4  # each speaker is the test once
    for fold in domain.folds:
        assert len(set(domain.groups[fold.test])) == 1
        assert not set(domain.groups[fold.test]) & set(domain.groups[fold.rest])


def test_named_groups_outrank_a_given_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("a", "b"):
            for group in range(4):
                path = tmp_path / "d" / split / name / f"g{group}_{split}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png(hash_of(split, name, group)))
    official = read(tmp_path / "d")
    assert sizes(official)[2] == 8
    grouped = read(tmp_path / "d", group=r"name:(g\d)")
    assert "set aside" in assumed(grouped)
    for fold in grouped.folds:
        assert not set(grouped.groups[fold.test]) & set(grouped.groups[fold.rest])


def test_table_of_paths(tmp_path: Path) -> None:
    image_folder(tmp_path / "d" / "pictures", {"a": 8, "b": 8})
    lines = [f"{c}/{i}.png,{c},u{i // 2}" for c in "ab" for i in range(8)]
    csv(tmp_path / "d" / "labels.csv", "file,kind,user", lines)
    domain = read(tmp_path / "d" / "labels.csv", group="user")
    assert kinds(domain) == ("image", "classify")
    assert domain.reading["input"] == "file"
    assert domain.reading["target"] == "kind"
    assert domain.example(3).size == (12, 12)
    for fold in domain.folds:
        assert not set(domain.groups[fold.test]) & set(domain.groups[fold.rest])


def test_table_of_paths_into_the_zip_beside_it(tmp_path: Path) -> None:
    zipped(tmp_path / "images.zip", {f"{c}/{i}.png": png(hash_of(c, i)) for c in "ab" for i in range(8)})
    lines = [f"{c}/{i}.png,{c},{'test' if i > 5 else 'train'}" for c in "ab" for i in range(8)]
    csv(tmp_path / "labels.csv", "file,class,split", lines)
    write(tmp_path / "README.md", "notes")
    domain = read(tmp_path)
    assert len(domain.folds[0].test) == 4
    assert domain.cells[0].member == "a/0.png"


def test_text_table_and_partner_files(tmp_path: Path) -> None:
    text_csv(tmp_path / "train.csv", 40)
    csv(tmp_path / "dev.csv", "text,label", [f"a dev sentence {i} here,{'cat' if i % 2 else 'dog'}" for i in range(6)])
    csv(
        tmp_path / "test.csv", "text,label", [f"a test sentence {i} here,{'cat' if i % 2 else 'dog'}" for i in range(8)]
    )
    for path in (tmp_path, tmp_path / "train.csv"):
        domain = read(path)
        assert kinds(domain) == ("text", "classify")
        assert sizes(domain) == (40, 6, 8)
    assert domain.example(0) == "this is sentence number 0 about dogs"
    alone = read(tmp_path / "train.csv", test="none", validation="none")
    assert len(alone) == 40


def test_files_given_as_options(tmp_path: Path) -> None:
    text_csv(tmp_path / "a.csv", 40)
    csv(tmp_path / "b.csv", "text,label", [f"another sentence {i} here,{'cat' if i % 2 else 'dog'}" for i in range(8)])
    assert len(read(tmp_path / "a.csv", test=tmp_path / "b.csv").folds[0].test) == 8


def test_contest_test_file_without_target_is_left_out(tmp_path: Path) -> None:
    table_csv(tmp_path / "train.csv")
    csv(tmp_path / "test.csv", "a,b,c", ["1,2,x", "2,3,y"])
    domain = read(tmp_path)
    assert len(domain) == 40
    assert "test.csv is not used" in assumed(domain)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_byte_order(tmp_path: Path, encoding: str) -> None:
    text = "text;label\n" + "\n".join(
        f"S\u00e4tze und W\u00f6rter Nummer {i};{'ja' if i % 2 else 'nein'}" for i in range(20)
    )
    (tmp_path / "t.csv").write_text(text, encoding=encoding)
    domain = read(tmp_path / "t.csv")
    assert domain.reading["input"] == "text"
    assert domain.example(1) == "S\u00e4tze und W\u00f6rter Nummer 1"


def test_quotes_and_line_ends_inside_cells(tmp_path: Path) -> None:
    lines = [f'"sentence {i}, with ""quotes"" and\na second line",{"ab"[i % 2]}' for i in range(20)]
    (tmp_path / "t.csv").write_bytes(("text,label\r\n" + "\r\n".join(lines)).encode())
    assert read(tmp_path / "t.csv").example(3) == 'sentence 3, with "quotes" and\na second line'


def test_stray_quote_in_a_tsv_is_a_letter(tmp_path: Path) -> None:
    lines = [f'the screen has 5" and number {i}\t{"ab"[i % 2]}' for i in range(21)]
    write(tmp_path / "t.tsv", "text\tlabel\n" + "\n".join(lines))
    assert read(tmp_path / "t.tsv").example(3) == 'the screen has 5" and number 3'


def test_mixed_table(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    lines = []
    for i in range(60):
        size = "" if i == 3 else "?" if i == 5 else f"{generator.normal():.3f}"
        lines.append(f"{i},{size},{'abc'[i % 3]},2024-0{1 + i % 9}-1{i % 10},0{i % 7}1,7,{'yes' if i % 2 else 'no'}")
    domain = read(csv(tmp_path / "t.csv", "id,size,kind,born,code,same,bought", lines))
    assert kinds(domain) == ("table", "classify")
    assert domain.reading["target"] == "bought"
    assert domain.reading["id"] == "id"
    assert domain.reading["columns"] == {"size": "number", "kind": "category", "born": "date", "code": "category"}
    row = domain.example(3)
    assert row["size"] is None
    assert row["born"] == "2024-04-13"
    assert row["code"] == "031"
    assert domain.example(5)["size"] is None
    assert isinstance(domain.example(0)["size"], float)
    assert any(c["name"] == "constant columns" for c in domain.facts["checks"])
    assert set(domain.slices) == {"kind", "code"}


def test_decimal_commas_and_day_first(tmp_path: Path) -> None:
    lines = [
        f"{i},5;{1 + i % 28:02d}.03.2024;{'ab'[i % 2]};{i * 0.77 % 3:.2f}".replace(".77", ",77") for i in range(40)
    ]
    domain = read(
        csv(
            tmp_path / "t.csv",
            "size;when;kind;price",
            [s[: s.rfind(";")] + s[s.rfind(";") :].replace(".", ",") for s in lines],
        )
    )
    assert kinds(domain) == ("table", "regress")
    assert domain.example(2)["size"] == 2.5
    assert domain.example(2)["when"] == "2024-03-03"


def test_whole_numbers_as_classes_or_values(tmp_path: Path) -> None:
    grades = read(csv(tmp_path / "a.csv", "a,quality", [f"{i * 0.37 % 2:.3f},{3 + i % 6}" for i in range(60)]))
    assert grades.task.part_name == "classify"
    assert "6 distinct whole numbers" in " ".join(a.because for a in grades.assumptions)
    rings = read(csv(tmp_path / "b.csv", "a,rings", [f"{i * 0.37 % 2:.3f},{3 + i % 28}" for i in range(90)]))
    assert rings.task.part_name == "regress"
    assert read(tmp_path / "b.csv", task="classify").task.part_name == "classify"


def test_minus_is_a_class_beside_plus(tmp_path: Path) -> None:
    domain = read(csv(tmp_path / "t.csv", "a,label", [f"{i * 0.37 % 2:.3f},{'+-'[i % 2]}" for i in range(40)]))
    assert sorted(domain.task.to_json()["classes"]) == ["+", "-"]


def test_leak_is_found(tmp_path: Path) -> None:
    lines = [f"{i * 0.37 % 2:.3f},{'up' if i % 2 else 'down'},{i % 2}" for i in range(40)]
    checks = read(csv(tmp_path / "t.csv", "a,twin,label", lines)).facts["checks"]
    assert next(c for c in checks if c["name"] == "leak")["detail"].startswith(
        "the target 'label' can be read off twin"
    )


def test_few_rows_without_label_are_set_aside(tmp_path: Path) -> None:
    lines = [f"{i * 0.37 % 2:.3f},{'' if i == 7 else 'ab'[i % 2]}" for i in range(40)]
    domain = read(csv(tmp_path / "t.csv", "a,label", lines))
    assert len(domain) == 39
    assert "row 8" not in list(domain.labels)
    assert domain.labels[7] == "row 9"


@pytest.mark.parametrize("mark", ["|", ";"])
def test_joined_labels(tmp_path: Path, mark: str) -> None:
    lines = [f"some words about {i} things," + mark.join(("a", "b", "c")[: 1 + i % 3]) for i in range(40)]
    domain = read(csv(tmp_path / "t.csv", "text,tags", lines))
    assert kinds(domain) == ("text", "multilabel")
    assert domain.targets[2].tolist() == [1, 1, 1]


def test_columns_of_zeros_and_ones(tmp_path: Path) -> None:
    lines = [f"some words about {i} things,{i % 2},{i // 2 % 2}" for i in range(40)]
    domain = read(csv(tmp_path / "t.csv", "text,rude,loud", lines), target="rude,loud")
    assert domain.task.part_name == "multilabel"
    classes = domain.task.to_json()["classes"]
    assert domain.targets[1][classes.index("rude")] == 1
    assert domain.targets[1][classes.index("loud")] == 0


def test_json_lines(tmp_path: Path) -> None:
    records = [
        {"text": f"words of record {i} here", "labels": ["x"] if i % 2 else ["x", "y"], "n": i} for i in range(30)
    ]
    write(tmp_path / "t.jsonl", "\n".join(json.dumps(r) for r in records) + "\n\n")
    domain = read(tmp_path / "t.jsonl")
    assert kinds(domain) == ("text", "multilabel")
    write(tmp_path / "t.json", json.dumps(records))
    assert read(tmp_path / "t.json").targets.tolist() == domain.targets.tolist()


def test_json_numbers_beyond_their_types(tmp_path: Path) -> None:
    records = [{"a": 10**25 + i, "values": [[i, 10**25], [1, 2]], "label": i % 2} for i in range(20)]
    write(tmp_path / "t.jsonl", "\n".join(json.dumps(r) for r in records))
    domain = read(tmp_path / "t.jsonl")
    assert np.allclose(domain.example(3), [[3, 1e25], [1, 2]])
    write(
        tmp_path / "u.jsonl",
        "\n".join(json.dumps({"a": 10 ** (400 + i), "b": i * 0.5, "label": i % 2}) for i in range(20)),
    )
    assert read(tmp_path / "u.jsonl").reading["columns"] == {"a": "category", "b": "number"}


def test_json_series(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    records = [{"values": generator.normal(size=20 + i % 3).tolist(), "label": i % 2} for i in range(30)]
    write(tmp_path / "t.jsonl", "\n".join(json.dumps(r) for r in records))
    domain = read(tmp_path / "t.jsonl")
    assert kinds(domain) == ("series", "classify")
    assert domain.example(1).shape == (1, 21)


def test_parquet_keeps_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=50, freq="h"),
            "size": np.arange(50) * 0.5,
            "kind": pd.Categorical(["a", "b"] * 25),
            "good": [True, False] * 25,
            "label": ["u", "v", "v", "u", "u"] * 10,
        }
    )
    frame.loc[4, "size"] = np.nan
    frame.to_parquet(tmp_path / "t.parquet")
    domain = read(tmp_path / "t.parquet", time="none")
    assert domain.reading["columns"] == {"when": "date", "size": "number", "kind": "category", "good": "category"}
    assert domain.example(4) == {"when": "2024-01-01T04:00:00", "size": None, "kind": "a", "good": "true"}


def test_rows_in_time(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(60)
    lines = [f"2024-{1 + d // 28:02d}-{1 + d % 28:02d},{d * 0.1:.2f},{'ab'[d % 2]}" for d in order]
    domain = read(csv(tmp_path / "t.csv", "date,size,label", lines))
    pair, test = domain.folds[0].pairs[0], domain.folds[0].test
    assert order[test].min() > order[pair.validation].max() > order[pair.train].max()


def test_series_files(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name, count in (("TRAIN", 20), ("TEST", 12)):
        rows = [
            "\t".join(
                [f"{i % 2}", *(f"{v:.4f}" for v in np.sin(np.arange(24) / 4 + i) + generator.normal(size=24) / 50)]
            )
            for i in range(count)
        ]
        write(tmp_path / f"Waves_{name}.tsv", "\n".join(rows))
    domain = read(tmp_path / "Waves_TRAIN.tsv")
    assert kinds(domain) == ("series", "classify")
    assert domain.name == "Waves"
    assert domain.example(0).shape == (1, 24)
    assert len(domain.folds[0].test) == 12
    assert len(domain.folds[0].pairs) == 5


def test_series_padded_with_nothing(tmp_path: Path) -> None:
    rows = [
        ",".join([f"{i % 2}", *(f"{v:.3f}" for v in np.sin(np.arange(20 - i % 3) / 4 + i)), *([""] * (i % 3))])
        for i in range(30)
    ]
    domain = read(csv(tmp_path / "t.csv", "label," + ",".join(f"t{i}" for i in range(20)), rows))
    assert [domain.example(i).shape[1] for i in range(3)] == [20, 19, 18]


def test_ts_files_of_several_channels_and_lengths(tmp_path: Path) -> None:
    body = [
        ":".join(
            [",".join(str(round(v, 3)) for v in np.cos(np.arange(10 + i % 4) + i + c)) for c in range(2)]
            + ["ab"[i % 2]]
        )
        for i in range(30)
    ]
    write(
        tmp_path / "x.ts", "# note\n@problemName x\n@univariate false\n@classLabel true a b\n@data\n" + "\n".join(body)
    )
    domain = read(tmp_path / "x.ts")
    assert domain.example(3).shape == (2, 13)
    write(
        tmp_path / "r.ts",
        "@targetlabel true\n@data\n" + "\n".join(f"{i}.5,{i + 1},{i + 2}:{i / 7:.4f}" for i in range(30)),
    )
    assert read(tmp_path / "r.ts").task.part_name == "regress"


def test_long_table(tmp_path: Path) -> None:
    lines = [f"s{i % 20},{i // 20},{np.sin(i):.3f},{np.cos(i):.3f},{'ab'[i % 20 % 2]}" for i in range(20 * 9)]
    domain = read(csv(tmp_path / "t.csv", "id,time,x,y,label", lines))
    assert kinds(domain) == ("series", "classify")
    assert len(domain) == 20
    assert domain.labels[3] == "s3"
    expected = np.array([[np.sin(3 + 20 * t), np.cos(3 + 20 * t)] for t in range(9)]).T
    assert np.allclose(domain.example(3), expected, atol=1e-3)


def test_npz(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays = {"X_train": generator.normal(size=(30, 3, 20)), "X_test": generator.normal(size=(10, 3, 20))}
    np.savez(tmp_path / "s.npz", **arrays, y_train=np.arange(30) % 3, y_test=np.arange(10) % 3)
    domain = read(tmp_path / "s.npz")
    assert kinds(domain) == ("series", "classify")
    assert domain.example(0).shape == (3, 20)
    assert len(domain.folds[0].test) == 10
    pixels = generator.integers(0, 255, (30, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "i.npz", X=pixels, y=np.arange(30) % 2)
    assert read(tmp_path / "i.npz").example(0).size == (16, 16)


def test_saved_datasets(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    made = {
        name: datasets.Dataset.from_dict(
            {"text": [f"{name} words {i} here" for i in range(n)], "label": [i % 2 for i in range(n)]}, features
        )
        for name, n in (("train", 30), ("validation", 6), ("test", 8))
    }
    datasets.DatasetDict(made).save_to_disk(tmp_path / "dict")
    domain = read(tmp_path / "dict")
    assert kinds(domain) == ("text", "classify")
    assert domain.task.to_json()["classes"] == ["no", "yes"]
    assert sizes(domain) == (30, 6, 8)
    made["train"].shuffle(seed=0).save_to_disk(tmp_path / "one")
    assert len(read(tmp_path / "one")) == 30


def test_saved_images_and_parquet_shards(tmp_path: Path) -> None:
    table = {"image": [{"bytes": png(i), "path": f"{i}.png"} for i in range(20)], "label": [i % 2 for i in range(20)]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    data = datasets.Dataset.from_dict(table, features)
    data.save_to_disk(tmp_path / "saved")
    domain = read(tmp_path / "saved")
    assert kinds(domain) == ("image", "classify")
    assert domain.example(2).size == (12, 12)
    (tmp_path / "shards" / "data").mkdir(parents=True)
    for shard in range(2):
        part = data.shard(2, shard, contiguous=True)
        part.to_parquet(tmp_path / "shards" / "data" / f"train-0000{shard}-of-00002.parquet")
    shards = read(tmp_path / "shards")
    assert len(shards) == 20
    assert shards.task.to_json()["classes"] == ["a", "b"]


def test_large_tables_are_memory_mapped_and_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table_csv(tmp_path / "d" / "t.csv", 200)
    small = read(path)
    monkeypatch.setattr(store, "IN_MEMORY", 0)
    cache = tmp_path / "cache"
    mapped = read(path, cache=cache)
    files = list((cache / "tables").iterdir())
    assert len(files) == 1
    stamp = files[0].stat().st_mtime_ns
    assert [mapped.example(i) for i in range(200)] == [small.example(i) for i in range(200)]
    assert mapped.fingerprint == small.fingerprint
    read(path, cache=cache)
    assert files[0].stat().st_mtime_ns == stamp
    allocated = pa.total_allocated_bytes()
    table = pa.ipc.open_file(pa.memory_map(str(files[0]))).read_all()
    assert pa.total_allocated_bytes() - allocated < table.nbytes


def test_fingerprint_follows_the_data(tmp_path: Path) -> None:
    first = read(text_csv(tmp_path / "a.csv"))
    again = read(text_csv(tmp_path / "b.csv"))
    text = (tmp_path / "a.csv").read_text().replace("number 7 ", "number 77 ")
    changed = read(write(tmp_path / "c.csv", text))
    assert first.fingerprint == again.fingerprint != changed.fingerprint
    assert [f.test.tolist() for f in first.folds] == [f.test.tolist() for f in again.folds]
    other = read(tmp_path / "a.csv", seed=1)
    assert [f.test.tolist() for f in first.folds] != [f.test.tolist() for f in other.folds]


def test_one_broken_file_of_many_is_set_aside(tmp_path: Path) -> None:
    image_folder(tmp_path / "d", {"a": 60, "b": 60})
    (tmp_path / "d" / "a" / "7.png").write_bytes(b"broken")
    domain = read(tmp_path / "d")
    assert len(domain) == 119
    assert [c["name"] for c in domain.facts["checks"]] == ["broken files"]
    assert "a/7.png" not in list(domain.labels)


def test_summary_says_what_was_assumed(tmp_path: Path) -> None:
    lines = summary(read(table_csv(tmp_path / "t.csv")))
    assert lines[0] == "t: 40 rows of table, classify by accuracy"
    assert any("--target" in line for line in lines)
    assert all("\n" not in line for line in lines)


def test_modality_option_keeps_one_kind_of_a_mixture(tmp_path: Path) -> None:
    image_folder(tmp_path / "d", {"a": 6, "b": 6})
    (tmp_path / "d" / "a" / "x.wav").write_bytes(wav())
    assert len(read(tmp_path / "d", modality="image")) == 12


def test_parquet_without_rows(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": pa.array([], pa.float64())}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="no rows"):
        read(tmp_path / "t.parquet")


def test_test_folder_given_as_option(tmp_path: Path) -> None:
    image_folder(tmp_path / "d", {"a": 12, "b": 12})
    image_folder(tmp_path / "t", {"a": 3, "b": 3}, seed=7777)
    domain = read(tmp_path / "d", test=tmp_path / "t")
    assert next(domain.labels[i] for i in domain.folds[0].test) == "t/a/0.png"
    assert len(domain.folds[0].test) == 6
    assert domain.example(int(domain.folds[0].test[0])).size == (12, 12)


def test_panel_whose_label_changes_is_a_plain_table(tmp_path: Path) -> None:
    lines = [f"s{i % 20},{i // 20},{np.sin(i):.3f},{'ab'[i // 7 % 2]}" for i in range(180)]
    domain = read(csv(tmp_path / "t.csv", "id,time,x,label", lines))
    assert kinds(domain) == ("table", "classify")
