"""Every kind of bad input ends in one line that names the place, the fault and the way out, and writes nothing."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reading_builders import csv, image_folder, png, table_csv, text_csv, wav, write, zipped

from landbridge.core.errors import DataError, LandbridgeError, UnknownName, UsageError
from landbridge.reading.read import read

Built = Path | tuple[Path, dict[str, Any]]
CASES: list[tuple[str, Callable[[Path], Built], type[LandbridgeError], tuple[str, ...]]] = []


def case(kind: type[LandbridgeError], *words: str) -> Callable[[Callable[[Path], Built]], Callable[[Path], Built]]:
    """Add a builder to the table, with the error it must end in and words that the message must hold."""

    def add(build: Callable[[Path], Built]) -> Callable[[Path], Built]:
        CASES.append((build.__name__, build, kind, words))
        return build

    return add


def rows(count: int = 30) -> list[str]:
    """Plain good rows of `text,label`."""
    return [f"sentence number {i} of the lot here,{'pos' if i % 2 else 'neg'}" for i in range(count)]


def numbers(count: int = 30) -> list[str]:
    """Plain good rows of `a,b,label`."""
    return [f"{i * 0.37 % 5:.2f},{i * 1.7 % 3:.2f},{'pos' if i % 2 else 'neg'}" for i in range(count)]


@case(DataError, "missing", "no such file or folder")
def missing_path(p: Path) -> Built:
    return p / "missing"


@case(DataError, "empty", "class folders")
def empty_folder(p: Path) -> Built:
    (p / "d").mkdir()
    return p / "d"


@case(DataError, "no files")
def only_hidden_files(p: Path) -> Built:
    write(p / "d" / ".DS_Store", "x")
    return p / "d"


@case(DataError, "one class only", "cats")
def one_class_folder(p: Path) -> Built:
    return image_folder(p / "d", {"cats": 8})


@case(DataError, "one class only", "pos")
def one_class_column(p: Path) -> Built:
    return csv(p / "t.csv", "text,label", [r.replace("neg", "pos") for r in rows()])


@case(DataError, "lone", "one example only", "lone/0.png")
def class_with_one_image(p: Path) -> Built:
    return image_folder(p / "d", {"cats": 8, "dogs": 8, "lone": 1})


@case(DataError, "odd", "one example only", "row 31")
def class_with_one_row(p: Path) -> Built:
    return csv(p / "t.csv", "text,label", [*rows(), "a sentence that stands alone here,odd"])


@case(DataError, "3.png", "0 bytes")
def empty_image(p: Path) -> Built:
    image_folder(p / "d", {"cats": 8, "dogs": 8})
    (p / "d" / "cats" / "3.png").write_bytes(b"")
    return p / "d"


@case(DataError, "3.png")
def corrupt_image(p: Path) -> Built:
    image_folder(p / "d", {"cats": 8, "dogs": 8})
    (p / "d" / "cats" / "3.png").write_bytes(b"this is no picture at all")
    return p / "d"


@case(DataError, "5.png", "cut off")
def truncated_image(p: Path) -> Built:
    image_folder(p / "d", {"cats": 8, "dogs": 8})
    (p / "d" / "cats" / "5.png").write_bytes(png(9, 60)[:2000])
    return p / "d"


@case(DataError, "7 of 16", "0.png", "and 2 more")
def many_corrupt_images(p: Path) -> Built:
    image_folder(p / "d", {"cats": 8, "dogs": 8})
    for i in range(7):
        (p / "d" / "cats" / f"{i}.png").write_bytes(b"broken")
    return p / "d"


@case(DataError, "bomb.png", "pixel")
def image_bomb(p: Path) -> Built:
    image_folder(p / "d", {"cats": 8, "dogs": 8})

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    (p / "d" / "cats" / "bomb.png").write_bytes(bomb)
    return p / "d"


@case(DataError, "2.wav", "cut off")
def truncated_sound(p: Path) -> Built:
    for name in ("a", "b"):
        for i in range(6):
            (p / "d" / name).mkdir(parents=True, exist_ok=True)
            (p / "d" / name / f"{i}.wav").write_bytes(wav(i + (name == "a") * 50))
    (p / "d" / "a" / "2.wav").write_bytes(wav(2)[:900])
    return p / "d"


@case(DataError, "1.wav", "not a readable sound")
def corrupt_sound(p: Path) -> Built:
    for name in ("a", "b"):
        for i in range(6):
            (p / "d" / name).mkdir(parents=True, exist_ok=True)
            (p / "d" / name / f"{i}.wav").write_bytes(wav(i + (name == "a") * 50))
    (p / "d" / "a" / "1.wav").write_bytes(b"RIFF but nothing else in it at all")
    return p / "d"


@case(DataError, "mixed", "image", "audio", "--modality")
def mixed_modalities(p: Path) -> Built:
    image_folder(p / "d", {"cats": 4, "dogs": 4})
    (p / "d" / "cats" / "meow.wav").write_bytes(wav())
    return p / "d"


@case(DataError, "not in class folders")
def images_without_class_folders(p: Path) -> Built:
    (p / "d").mkdir()
    for i in range(5):
        (p / "d" / f"{i}.png").write_bytes(png(i))
    return p / "d"


@case(DataError, "no class folder", "stray0.png")
def many_images_beside_class_folders(p: Path) -> Built:
    image_folder(p / "d", {"cats": 4, "dogs": 4})
    for i in range(4):
        (p / "d" / f"stray{i}.png").write_bytes(png(i))
    return p / "d"


@case(DataError, ".heic", "not supported")
def unsupported_images(p: Path) -> Built:
    write(p / "d" / "cats" / "1.heic", "x")
    write(p / "d" / "dogs" / "1.heic", "x")
    return p / "d"


@case(DataError, "no images, sounds or tables")
def unknown_files(p: Path) -> Built:
    write(p / "d" / "cats" / "1.qqq", "x")
    return p / "d"


@case(DataError, ".parq2", "not known")
def unknown_suffix(p: Path) -> Built:
    return write(p / "x.parq2", "hello")


@case(DataError, "single image")
def one_image(p: Path) -> Built:
    (p / "x.png").write_bytes(png())
    return p / "x.png"


@case(DataError, ".pkl", "never loaded")
def pickle_file(p: Path) -> Built:
    return write(p / "x.pkl", "x")


@case(DataError, ".xlsx", "CSV")
def excel_file(p: Path) -> Built:
    return write(p / "x.xlsx", "x")


@case(DataError, ".npy", "savez")
def bare_array(p: Path) -> Built:
    np.save(p / "x.npy", np.zeros((3, 4)))
    return p / "x.npy"


@case(DataError, "t.csv", "0 bytes")
def empty_csv(p: Path) -> Built:
    return write(p / "t.csv", "")


@case(DataError, "header but no rows")
def header_only_csv(p: Path) -> Built:
    return write(p / "t.csv", "text,label\n")


@case(DataError, "blank lines")
def blank_csv(p: Path) -> Built:
    return write(p / "t.csv", "\n\n\n")


@case(DataError, "'a'", "2 times")
def duplicate_columns(p: Path) -> Built:
    return csv(p / "t.csv", "a,a,label", numbers())


@case(DataError, "line 6", "2 cells where 3")
def ragged_row(p: Path) -> Built:
    lines = numbers()
    lines[4] = "1.0,pos"
    return csv(p / "t.csv", "a,b,label", lines)


@case(DataError, "line 4", "4 cells where 3")
def row_too_long(p: Path) -> Built:
    lines = numbers()
    lines[2] += ",extra"
    return csv(p / "t.csv", "a,b,label", lines)


@case(DataError, "line 9", "quote")
def unbalanced_quote(p: Path) -> Built:
    lines = rows()
    lines[7] = '"an open quote here,pos'
    return csv(p / "t.csv", "text,label", lines)


@case(DataError, "not UTF-8", "line 3", "0xe9", "iconv")
def latin1_csv(p: Path) -> Built:
    text = "text,label\n" + "\n".join(["plain sentence one here,pos", "le caf\xe9 noir est bon,neg", *rows()])
    (p / "t.csv").write_bytes(text.encode("latin-1"))
    return p / "t.csv"


@case(DataError, "NUL", "line 3")
def nul_bytes(p: Path) -> Built:
    (p / "t.csv").write_bytes(b"text,label\nfine sentence,pos\nbad \0 sentence,neg\n")
    return p / "t.csv"


@case(DataError, "gzip")
def compressed_as_csv(p: Path) -> Built:
    (p / "t.csv").write_bytes(b"\x1f\x8b\x08\x00rest")
    return p / "t.csv"


@case(DataError, "longer than 16 MB")
def huge_field(p: Path) -> Built:
    return csv(p / "t.csv", "text,label", [*rows(), "x" * (33 << 20) + ",pos"])


@case(DataError, "10 of 30", "no label", "'label'", "row 1")
def labels_missing_for_many(p: Path) -> Built:
    return csv(
        p / "t.csv", "text,label", [r.rsplit(",", 1)[0] + "," if i % 3 == 0 else r for i, r in enumerate(rows())]
    )


@case(DataError, "'label' is empty")
def labels_missing_for_all(p: Path) -> Built:
    return csv(p / "t.csv", "text,label", [r.rsplit(",", 1)[0] + "," for r in rows()])


@case(DataError, "no input", "'text'", "row 1")
def empty_texts(p: Path) -> Built:
    return csv(p / "t.csv", "text,label", [",pos" if i % 3 == 0 else r for i, r in enumerate(rows())])


@case(DataError, "row 3", "inf")
def infinite_target(p: Path) -> Built:
    lines = [f"{i * 0.3 % 2:.2f},{i * 1.1:.2f}" for i in range(40)]
    lines[2] = "0.5,inf"
    return csv(p / "t.csv", "a,target", lines)


@case(DataError, "row 5", "'a'", "infinite")
def infinite_feature(p: Path) -> Built:
    lines = numbers()
    lines[4] = "inf,1.0,pos"
    return csv(p / "t.csv", "a,b,label", lines)


@case(DataError, "row 2", "step 4", "NaN")
def gap_in_series(p: Path) -> Built:
    lines = [",".join(str(v) for v in [i % 2, *np.round(np.sin(np.arange(20) * 0.3 + i), 3)]) for i in range(20)]
    cells = lines[1].split(",")
    cells[4] = ""
    lines[1] = ",".join(cells)
    return csv(p / "t.csv", "label," + ",".join(f"t{i}" for i in range(20)), lines)


@case(DataError, "row 3", "infinite")
def infinite_series(p: Path) -> Built:
    x = np.random.default_rng(0).normal(size=(20, 1, 30))
    x[2, 0, 7] = np.inf
    np.savez(p / "x.npz", X=x, y=np.arange(20) % 2)
    return p / "x.npz"


@case(DataError, "pickled")
def npz_with_objects(p: Path) -> Built:
    np.savez(p / "x.npz", X=np.array([{"a": 1}], dtype=object), y=np.array([1]))
    return p / "x.npz"


@case(DataError, "20 rows", "(19,)")
def npz_shapes_disagree(p: Path) -> Built:
    np.savez(p / "x.npz", X=np.zeros((20, 1, 30)), y=np.arange(19))
    return p / "x.npz"


@case(DataError, "'y'", "missing")
def npz_without_labels(p: Path) -> Built:
    np.savez(p / "x.npz", X=np.zeros((20, 1, 30)))
    return p / "x.npz"


@case(DataError, "no array X", "weights")
def npz_with_other_names(p: Path) -> Built:
    np.savez(p / "x.npz", weights=np.zeros(4))
    return p / "x.npz"


@case(DataError, "x.npz", "not a readable")
def npz_damaged(p: Path) -> Built:
    (p / "x.npz").write_bytes(b"PK\x03\x04 damaged")
    return p / "x.npz"


@case(DataError, "no series after @data")
def ts_with_bare_sign(p: Path) -> Built:
    return write(p / "x.ts", "@\n@classLabel true a b\n@data\n")


@case(DataError, "x.npz", "not a readable")
def npz_of_unknown_compression(p: Path) -> Built:
    np.savez(p / "x.npz", X=np.zeros((20, 1, 30)), y=np.arange(20) % 2)
    data = bytearray((p / "x.npz").read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.find(mark) + offset] = 77
    (p / "x.npz").write_bytes(bytes(data))
    return p / "x.npz"


@case(DataError, "row 3", "infinite")
def number_beyond_float32(p: Path) -> Built:
    lines = ["\t".join([str(i % 2), *(f"{np.sin(i + j / 4):.3f}" for j in range(24))]) for i in range(20)]
    lines[2] = lines[2].rsplit("\t", 1)[0] + "\t1e300"
    return write(p / "w.tsv", "\n".join(lines))


@case(DataError, "line 2", "@classlabel", "true or false")
def ts_bad_header(p: Path) -> Built:
    return write(p / "x.ts", "@problemName x\n@classLabel\n@data\n1,2:a\n")


@case(DataError, "no @data")
def ts_without_data(p: Path) -> Built:
    return write(p / "x.ts", "@problemName x\n@classLabel true a b\n")


@case(DataError, "line 4", "'x'", "no number")
def ts_bad_value(p: Path) -> Built:
    return write(p / "x.ts", "@classLabel true a b\n@data\n1,2:a\n1,x:b\n")


@case(DataError, "line 4", "class 'c'")
def ts_unknown_class(p: Path) -> Built:
    return write(p / "x.ts", "@classLabel true a b\n@data\n1,2:a\n1,3:c\n")


@case(DataError, "line 1", "before @data")
def ts_without_header(p: Path) -> Built:
    return write(p / "x.ts", "1,2,3:a\n")


@case(DataError, "line 3", "no JSON")
def jsonl_bad_line(p: Path) -> Built:
    return write(p / "t.jsonl", '{"text": "a b", "label": 1}\n{"text": "b c", "label": 0}\n{"text": "c\n')


@case(DataError, "line 2", "list", "not an object")
def jsonl_no_object(p: Path) -> Built:
    return write(p / "t.jsonl", '{"text": "a b", "label": 1}\n[1, 2]\n')


@case(DataError, "no column can be the target", "file, split, caption")
def no_target(p: Path) -> Built:
    lines = [
        f"a long caption number {i} of things,{'train' if i % 2 else 'test'},one more text {i} here" for i in range(20)
    ]
    return csv(p / "t.csv", "file,split,caption", lines)


@case(DataError, "'odd name'", "no number", "row 1")
def line_ends_in_names(p: Path) -> Built:
    return csv(p / "t.csv", "a,b,label", [r.replace("neg", '"odd\nname"') for r in numbers()]), {"task": "regress"}


@case(DataError, "row 4", "different lengths")
def json_series_with_ragged_channels(p: Path) -> Built:
    lines = [f'{{"values": [[1, {i}, 3], [2, 1, {i}]], "label": {i % 2}}}' for i in range(20)]
    lines[3] = '{"values": [[1, 2, 3], [2, 1]], "label": 1}'
    return write(p / "t.jsonl", "\n".join(lines))


@case(DataError, "7 of 20", "no input")
def json_series_missing(p: Path) -> Built:
    lines = [f'{{"values": {"null" if i % 3 == 0 else [1, i, 3]}, "label": {i % 2}}}' for i in range(20)]
    return write(p / "t.jsonl", "\n".join(lines))


@case(DataError, "line 1", "'meta'", "nested")
def jsonl_nested(p: Path) -> Built:
    return write(p / "t.jsonl", '{"text": "a b", "meta": {"k": 1}, "label": 1}\n')


@case(DataError, "t.parquet", "not a readable Parquet")
def corrupt_parquet(p: Path) -> Built:
    return write(p / "t.parquet", "PAR1 this is not parquet PAR1")


@case(DataError, "0 bytes")
def empty_parquet(p: Path) -> Built:
    return write(p / "t.parquet", "")


@case(UnknownName, "targt", "did you mean target")
def unknown_target_option(p: Path) -> Built:
    return csv(p / "t.csv", "a,b,target", numbers()), {"target": "targt"}


@case(UnknownName, "grp", "group column")
def unknown_group_option(p: Path) -> Built:
    return csv(p / "t.csv", "a,b,label", numbers()), {"group": "grp"}


@case(UnknownName, "imagge", "image")
def unknown_modality(p: Path) -> Built:
    return image_folder(p / "d", {"a": 4, "b": 4}), {"modality": "imagge"}


@case(UnknownName, "clasify", "classify")
def unknown_task(p: Path) -> Built:
    return image_folder(p / "d", {"a": 4, "b": 4}), {"task": "clasify"}


@case(UnknownName, "metric", "acuracy")
def unknown_metric(p: Path) -> Built:
    return csv(p / "t.csv", "a,b,label", numbers()), {"metric": "acuracy"}


@case(UsageError, "name:(", "regular expression")
def bad_group_pattern(p: Path) -> Built:
    return image_folder(p / "d", {"a": 4, "b": 4}), {"group": "name:("}


@case(UsageError, "brackets")
def group_pattern_without_group(p: Path) -> Built:
    return image_folder(p / "d", {"a": 4, "b": 4}), {"group": r"name:\d+"}


@case(DataError, "does not fit", "0.png")
def group_pattern_that_does_not_fit(p: Path) -> Built:
    return image_folder(p / "d", {"a": 4, "b": 4}), {"group": r"name:tile(\d+)"}


@case(DataError, "row 2", "'path'", "leaves the data folder")
def path_out_of_folder(p: Path) -> Built:
    image_folder(p / "d", {"a": 4, "b": 4})
    return csv(p / "d" / "t.csv", "path,label", ["a/0.png,a", "../../etc/x.png,b", "a/1.png,a", "b/0.png,b"])


@case(DataError, "row 1", "leaves the data folder")
def absolute_path(p: Path) -> Built:
    image_folder(p / "d", {"a": 4, "b": 4})
    return csv(p / "d" / "t.csv", "path,label", [f"{p}/d/a/0.png,a", "b/0.png,b"])


@case(DataError, "row 3", "'b/9.png'", "does not exist")
def path_missing_on_disk(p: Path) -> Built:
    image_folder(p / "d", {"a": 4, "b": 4})
    return csv(p / "d" / "t.csv", "path,label", ["a/0.png,a", "b/0.png,b", "b/9.png,b", "a/1.png,a"])


@case(DataError, "link out of the data folder")
def link_out_of_folder(p: Path) -> Built:
    image_folder(p / "d", {"a": 4, "b": 4})
    (p / "secret.png").write_bytes(png())
    (p / "d" / "a" / "link.png").symlink_to(p / "secret.png")
    return p / "d"


@case(DataError, "../evil.png", "leaves")
def archive_with_climbing_member(p: Path) -> Built:
    return zipped(p / "x.zip", {"a/0.png": png(), "../evil.png": png()})


@case(DataError, "/abs.png", "leaves")
def archive_with_absolute_member(p: Path) -> Built:
    return zipped(p / "x.zip", {"a/0.png": png(), "/abs.png": png()})


@case(DataError, "a/link.png", "is a link")
def archive_with_link(p: Path) -> Built:
    info = zipfile.ZipInfo("a/link.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(p / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return p / "x.zip"


@case(DataError, "decompression bomb", "a/0.png")
def archive_bomb(p: Path) -> Built:
    return zipped(p / "x.zip", {"a/0.png": b"\0" * (12 << 20), "b/0.png": png()})


@case(DataError, "password")
def archive_with_password(p: Path) -> Built:
    path = zipped(p / "x.zip", {"a/0.png": png(), "b/0.png": png(1)})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    path.write_bytes(bytes(data))
    return path


@case(DataError, "not a readable zip")
def archive_damaged(p: Path) -> Built:
    return write(p / "x.zip", "this is no archive")


@case(DataError, "empty")
def archive_empty(p: Path) -> Built:
    return zipped(p / "x.zip", {})


@case(DataError, "holds tables in several folders (a, b)", "unpack")
def archive_with_tables_apart(p: Path) -> Built:
    return zipped(p / "x.zip", {f"{d}/t.csv": b"text,label\na b,1\n" for d in "ab"})


@case(DataError, "all 2 feature columns are constant")
def constant_features(p: Path) -> Built:
    return csv(p / "t.csv", "a,b,label", [f"1,x,{'pos' if i % 2 else 'neg'}" for i in range(20)])


@case(DataError, "no feature column")
def only_a_target(p: Path) -> Built:
    return csv(p / "t.csv", "label", ["pos", "neg"] * 10)


@case(DataError, "test.csv row 4", "'strange'", "no train row")
def class_of_test_unseen_in_train(p: Path) -> Built:
    csv(p / "d" / "train.csv", "text,label", rows())
    csv(p / "d" / "test.csv", "text,label", [*rows(3), "an odd sentence here,strange", "an odd sentence there,strange"])
    return p / "d"


@case(DataError, "test.csv", "'text'", "missing")
def second_file_without_column(p: Path) -> Built:
    csv(p / "d" / "train.csv", "text,label", rows())
    csv(p / "t" / "test.csv", "sentence,label", rows(6))
    return p / "d" / "train.csv", {"test": p / "t" / "test.csv"}


@case(DataError, "--test", "no such file")
def file_of_option_missing(p: Path) -> Built:
    return csv(p / "t.csv", "text,label", rows()), {"test": p / "nothing.csv"}


@case(DataError, "several files are the same split")
def two_train_files(p: Path) -> Built:
    csv(p / "d" / "train.csv", "text,label", rows())
    csv(p / "d" / "training.csv", "text,label", rows())
    return p / "d"


@case(DataError, "holds 2 tables", "name one")
def two_tables(p: Path) -> Built:
    csv(p / "d" / "cats.csv", "text,label", rows())
    csv(p / "d" / "dogs.csv", "text,label", rows())
    return p / "d"


@case(DataError, "2 rows", "too few")
def two_rows(p: Path) -> Built:
    lines = ["1.5,2.25", "2.5,3.75"]
    return csv(p / "t.csv", "a,target", lines), {"task": "regress"}


@case(DataError, "distinct values", "free text")
def target_is_free_text(p: Path) -> Built:
    return csv(p / "t.csv", "text,label", [f"sentence number {i} of the lot,value number {i}" for i in range(40)])


@case(DataError, "'neg' is no number", "row 1")
def regress_on_words(p: Path) -> Built:
    return csv(p / "t.csv", "a,b,label", numbers()), {"task": "regress"}


@case(UsageError, "'c'", "not 0 or 1")
def several_targets_not_binary(p: Path) -> Built:
    lines = [f"some words in row {i},{i % 2},{i % 5}" for i in range(30)]
    return csv(p / "t.csv", "text,b,c", lines), {"target": "b,c"}


@case(DataError, "'when'", "row 8", "no time")
def time_that_cannot_be_read(p: Path) -> Built:
    lines = [f"{i},2024-01-{i + 1:02d},{'pos' if i % 2 else 'neg'}" for i in range(28)]
    lines[7] = "7,someday,pos"
    return csv(p / "t.csv", "a,when,label", lines), {"time": "when"}


@case(DataError, "series 's1' has two labels")
def long_table_with_two_labels(p: Path) -> Built:
    lines = [f"s{i // 5},{i % 5},{i * 0.1:.1f},{'pos' if i // 5 % 2 else 'neg'}" for i in range(100)]
    lines[7] = lines[7].replace("pos", "neg")
    return csv(p / "t.csv", "id,time,value,label", lines)


@case(DataError, "repeats a step of series 's1'")
def long_table_with_repeated_step(p: Path) -> Built:
    lines = [f"s{i // 5},{i % 5},{i * 0.1:.1f},{'pos' if i // 5 % 2 else 'neg'}" for i in range(100)]
    lines[7] = lines[6]
    return csv(p / "t.csv", "id,time,value,label", lines)


@case(DataError, "state.json", "not readable as JSON")
def saved_set_damaged(p: Path) -> Built:
    write(p / "d" / "state.json", "{")
    return p / "d"


@case(DataError, "data-0.arrow", "not a readable Arrow file")
def saved_set_with_damaged_data(p: Path) -> Built:
    write(p / "d" / "data-0.arrow", "nothing of Arrow here")
    write(p / "d" / "state.json", '{"_data_files": [{"filename": "data-0.arrow"}]}')
    return p / "d"


@case(DataError, "leaves the data folder")
def saved_set_that_climbs(p: Path) -> Built:
    write(p / "d" / "state.json", '{"_data_files": [{"filename": "../../x.arrow"}]}')
    return p / "d"


def _listing(root: Path) -> list[tuple[str, int]]:
    return sorted((str(f), f.lstat().st_size) for f in root.rglob("*"))


@pytest.mark.parametrize(("name", "build", "kind", "words"), CASES, ids=[c[0] for c in CASES])
def test_bad_input_is_one_line(
    tmp_path: Path, name: str, build: Callable[[Path], Built], kind: type[LandbridgeError], words: tuple[str, ...]
) -> None:
    built = build(tmp_path)
    path, options = built if isinstance(built, tuple) else (built, {})
    before = _listing(tmp_path)
    with pytest.raises(LandbridgeError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert type(caught.value) is kind, message
    assert caught.value.exit_code in (2, 3)
    assert "\n" not in message
    assert "Traceback" not in message
    assert len(message) < 600
    for word in words:
        assert word in message
    if kind is DataError:
        assert str(tmp_path) in message, "the file is not named"
    assert _listing(tmp_path) == before


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
    assert len({c[0] for c in CASES}) == len(CASES)


def _closed(path: Path) -> None:
    """Take all permissions away; skip where that stops nobody, as for the superuser."""
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")


def test_unreadable_file(tmp_path: Path) -> None:
    path = text_csv(tmp_path / "t.csv")
    _closed(path)
    with pytest.raises(DataError, match="ermission"):
        read(path)


@pytest.mark.parametrize("closed", ["a", "."])
def test_unreadable_folder(tmp_path: Path, closed: str) -> None:
    folder = image_folder(tmp_path / "d", {"a": 4, "b": 4})
    _closed(folder / closed)
    try:
        with pytest.raises(DataError, match="ermission"):
            read(folder)
    finally:
        (folder / closed).chmod(0o755)


def test_unreadable_image(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "d", {"a": 4, "b": 4})
    _closed(folder / "a" / "2.png")
    with pytest.raises(DataError, match=r"2\.png.*ermission"):
        read(folder)


def test_a_good_table_passes_the_same_door(tmp_path: Path) -> None:
    assert len(read(table_csv(tmp_path / "t.csv"))) == 40
