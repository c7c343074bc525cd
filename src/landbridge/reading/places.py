"""What stands at a path: a table, several files of one data set, class folders, an archive, a saved data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.reading import archive
from landbridge.reading.arrow_files import is_saved, read_saved
from landbridge.reading.cells import Joined
from landbridge.reading.columns import media_of
from landbridge.reading.folders import from_folder, hidden, listing
from landbridge.reading.idx_files import holds_idx, idx_arrays
from landbridge.reading.material import Material, split_name
from landbridge.reading.options import Options
from landbridge.reading.packed import PACKED, ending, extracted, stem
from landbridge.reading.series_files import from_arrays, from_npz, from_ts
from landbridge.reading.sheets import from_sheet
from landbridge.reading.tables import SUFFIXES, Part, join, load_sheet

_FILES = SUFFIXES | {".ts", ".npz"}
_STEM = re.compile(
    r"^(?:(?P<set>.*?)(?:[-_. ]|(?<=\d)|(?-i:(?<=[a-z])(?=[A-Z]))))?"  # a split is a word of its own
    r"(?P<split>train|training|test|testing|val|valid|validation|dev|eval)"
    r"(?P<shard>[-_]\d+(-of-\d+)?)?$",
    re.IGNORECASE,
)
_HINTS = {
    ".npy": "a single array has no labels; save X and y together with numpy.savez",
    ".pkl": "pickle files can run code and are never loaded; save CSV or Parquet",
    ".pickle": "pickle files can run code and are never loaded; save CSV or Parquet",
    ".pt": "torch files can run code and are never loaded as data; save .npz",
    ".pth": "torch files can run code and are never loaded as data; save .npz",
    ".joblib": "joblib files can run code and are never loaded; save CSV or Parquet",
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".ods": "save the sheet as CSV",
    ".arff": "save it as CSV or .ts",
    ".h5": "save the arrays as .npz or the table as Parquet",
    ".hdf5": "save the arrays as .npz or the table as Parquet",
    ".mat": "save the arrays as .npz",
    **dict.fromkeys(PACKED, "unpack it first; of packed files text tables are read, such as .csv.gz"),
    ".tar": "unpack it and name the folder",
    ".tgz": "unpack it and name the folder",
    ".7z": "unpack it and name the folder",
    ".rar": "unpack it and name the folder",
    ".txt": "for text give a CSV with a text and a label column",
    ".conll": "tagging of words is not supported; give one text a row",
}


def open_material(path: Path, options: Options) -> Material:
    """Rows and labels of whatever stands at `path`; DataError or UnknownName in one line otherwise."""
    try:
        if path.is_dir():
            return _folder(path, options)
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder; check the path")
        if not path.is_file():
            raise DataError(f"{path}: is neither a file nor a folder; give one of them")
        return _file(path, options)
    except PermissionError as error:
        name = error.filename or path
        raise DataError(f"{name}: permission denied; make it readable or choose another file") from error


def _with_asked_folders(material: Material, options: Options) -> Material:
    """Class folders given as validation or test beside the others; `none` removes what the folders themselves say."""
    for role, asked in (("validation", options.validation), ("test", options.test)):
        if asked is None:
            continue
        if material.split is not None:
            material = material.take(np.flatnonzero(material.split != role))
        if str(asked).lower() == "none":
            continue
        if not asked.exists():
            raise DataError(f"--{role} {asked}: there is no such folder; check the path")
        bare = replace(options, modality=material.modality, validation=None, test=None)
        other = from_folder(asked, bare)
        here = material.split if material.split is not None else np.full(len(material), "train", dtype=object)
        material = replace(
            material,
            cells=Joined(material.cells, other.cells),
            names=Joined(material.names, [f"{asked.name}/{n}" for n in other.names]),
            labels=[*(material.labels or ()), *(other.labels or ())],
            split=np.concatenate([here, np.full(len(other), role, dtype=object)]),
            slices={},
        )
    return material


def check_suffix(path: Path) -> None:
    """DataError with a way out for a file that is of no kind read here."""
    suffix = ending(path)
    if suffix in _FILES or suffix == ".zip":
        return
    if suffix in _HINTS:
        raise DataError(f"{path}: files of type {suffix} cannot be read here; {_HINTS[suffix]}")
    if media_of(path.name):
        raise DataError(
            f"{path}: is a single {media_of(path.name)}; give a folder of class folders, or a table of paths"
        )
    kinds = ", ".join(sorted(_FILES | {".zip"}))
    raise DataError(f"{path}: files of type '{suffix}' are not known; give a folder or one of {kinds}")


def split_of(stem: str) -> tuple[str, str | None]:
    """Set name and split of a file name without its ending: `ECG200_TRAIN` to (`ECG200`, `train`), but `contest` to
    (`contest`, None)."""
    match = _STEM.match(stem)
    if match is None:
        return re.sub(r"[-_]\d+(-of-\d+)?$", "", stem), None
    return (match["set"] or "").strip("-_. "), split_name(match["split"])


def _file(path: Path, options: Options) -> Material:
    if holds_idx(path):
        return from_arrays(path, idx_arrays(path, options), options)
    check_suffix(path)
    if path.suffix.lower() == ".zip":
        return _archive(path, options)
    return _tables(_with_partners(path, options), options)


def _archive(path: Path, options: Options) -> Material:
    """Class folders in a zip, read in place; tables in one are unpacked, as they are memory-mapped."""
    members = archive.members(path)
    if not members:
        raise DataError(f"{path}: the archive is empty; give one with class folders")
    shown = [m for m in members if not hidden(m)]
    tables = [m for m in shown if ending(m) in _FILES]
    if tables and not any(media_of(m) for m in shown):
        with extracted(path, tables, options.cache) as place:
            return _folder(place, options) if place.is_dir() else _file(place, options)
    return _with_asked_folders(from_folder(path, options, sorted(members)), options)


def _folder(path: Path, options: Options) -> Material:
    if is_saved(path):
        saved = read_saved(path)
        parts = [Part(path=place, split=split) for split, _, place in saved]
        return from_sheet(join(parts, [t for _, t, _ in saved], path), options)
    entries = sorted(p for p in path.iterdir() if not hidden(p.name))
    tables = [p for p in entries if p.is_file() and ending(p) in _FILES]
    if not tables and (path / "data").is_dir():
        tables = sorted(p for p in (path / "data").iterdir() if p.suffix.lower() in (".parquet", ".arrow"))
    named = [p for p in tables if split_of(stem(p))[1] is not None or ending(p) != ".json"]
    parts = _parts(path, named)
    if parts:
        return _tables(_with_asked(parts, options), options)
    if holds_idx(path):
        return from_arrays(path, idx_arrays(path, options), options)
    zips = [p for p in entries if p.suffix.lower() == ".zip"]
    folders = [p for p in entries if p.is_dir() and p.name != "__MACOSX"]
    if len(zips) == 1 and not folders:
        return _archive(zips[0], options)
    if len(zips) > 1 and not folders:
        raise DataError(f"{path}: holds {len(zips)} archives ({', '.join(z.name for z in zips[:4])}); name one of them")
    files = listing(path)
    if not files:
        raise DataError(f"{path}: the folder is empty; give class folders of images or sounds, or a table")
    lone = [p for p in entries if p.is_file() and ending(p) in _HINTS and ending(p) != ".txt"]
    if lone and not folders and not any(media_of(f) for f in files):
        check_suffix(lone[0])
    return _with_asked_folders(from_folder(path, options, files), options)


def _parts(path: Path, tables: Sequence[Path]) -> list[Part]:
    """The table files of a folder that make one data set, empty when class folders matter more."""
    if not tables:
        return []
    splits: dict[str, list[Part]] = {}
    for p in tables:
        name, split = split_of(stem(p))
        splits.setdefault(name.lower(), []).append(Part(path=p, split=split, guessed=True))
    with_train = {n: ps for n, ps in splits.items() if any(p.split == "train" for p in ps)}
    if len(with_train) == 1:
        parts = next(iter(with_train.values()))
        roles = [p.split for p in parts if p.split]
        shards = all(_STEM.match(stem(p.path)) and _STEM.match(stem(p.path))["shard"] for p in parts)  # type: ignore[index]
        kinds = {ending(p.path) for p in parts}
        if len(kinds) > 1:
            raise DataError(f"{path}: the files are of several types ({', '.join(sorted(kinds))}); name one of them")
        if len(set(roles)) < len(roles) and not shards:
            raise DataError(f"{path}: several files are the same split ({_names(parts)}); name one of them")
        order = {"train": 0, "validation": 1, "test": 2}
        return sorted((p for p in parts if p.split), key=lambda p: (order[str(p.split)], p.path.name))
    if len(with_train) > 1:
        shown = ", ".join(ps[0].path.name for ps in list(with_train.values())[:4])
        raise DataError(f"{path}: holds {len(with_train)} data sets; name one file, such as {shown}")
    if len(tables) == 1:
        return [Part(path=tables[0])]
    if len(splits) == 1 and len({ending(p) for p in tables}) == 1:
        return [Part(path=p) for p in tables]
    raise DataError(f"{path}: holds {len(tables)} tables ({', '.join(p.name for p in tables[:4])}); name one of them")


def _names(parts: Sequence[Part]) -> str:
    return ", ".join(p.path.name for p in parts[:4])


def _with_partners(path: Path, options: Options) -> list[Part]:
    """The file, and the test and validation files that its name ending in `train` promises beside it."""
    name, split = split_of(stem(path))
    parts = [Part(path=path, split="train" if split == "train" else None)]
    if split == "train":
        for p in sorted(path.parent.iterdir()):
            other = split_of(stem(p))
            same = ending(p) == ending(path) and other[0].lower() == name.lower()
            if same and other[1] in ("test", "validation"):
                parts.append(Part(path=p, split=other[1], guessed=True))
    return _with_asked(parts, options)


def _with_asked(parts: list[Part], options: Options) -> list[Part]:
    """Files named by options replace the found ones; the file `none` removes them."""
    for role, asked in (("validation", options.validation), ("test", options.test)):
        if asked is None:
            continue
        parts = [p for p in parts if p.split != role]
        if str(asked).lower() == "none":
            continue
        if not asked.is_file():
            raise DataError(f"--{role} {asked}: there is no such file; check the path")
        check_suffix(asked)
        parts = [replace(p, split=p.split or "train") for p in parts]
        parts.append(Part(path=asked, split=role))
    return parts


def _tables(parts: Sequence[Part], options: Options) -> Material:
    kinds = {ending(p.path) for p in parts}
    if ".npz" in kinds:
        if len(parts) > 1:
            raise DataError(f"{parts[0].path}: several .npz files; put X_train, y_train, X_test, y_test into one")
        return from_npz(parts[0].path, options)
    if ".ts" in kinds:
        if kinds != {".ts"}:
            raise DataError(f"{parts[0].path}: .ts and other files cannot be joined; give files of one type")
        material = from_ts(parts)
    else:
        material = from_sheet(load_sheet(parts, options.cache), options)
    guessed = [p.path.name for p in parts[1:] if p.guessed and p.split]
    if guessed:
        note = Assumption(
            what=f"{', '.join(guessed)} belongs to it", because="of its name", option="--test none, --validation none"
        )
        material = material.noting(note)
    return material
