"""Folders of class folders, on disk or inside a zip archive: split/class/file, class/file, or domain/class/file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from landbridge.core import registry
from landbridge.core.domain import Assumption
from landbridge.core.errors import DataError
from landbridge.reading import archive
from landbridge.reading.cells import Blobs
from landbridge.reading.columns import media_of, media_suffixes, suffix
from landbridge.reading.material import Material, check, split_name
from landbridge.reading.options import Options

_SILENT = ("__MACOSX", "Thumbs.db", "desktop.ini", "truth.jsonl")  # the last: what a generated world is made from
# fmt: off
_KNOWN_OTHERS = frozenset(
    [
    ".heic", ".heif", ".avif", ".svg", ".psd", ".raw", ".cr2", ".nef", ".dng", ".dcm", ".nii", ".ico", ".pdf",
    ".mov", ".mp4", ".avi", ".mkv", ".webm", ".m4a", ".aac", ".wma", ".opus", ".aiff", ".aif", ".mid", ".amr",
    ".npy", ".h5", ".mat", ".pkl", ".pt", ".docx",
    ]
)
# fmt: on


def listing(path: Path) -> list[str]:
    """The relative paths of all files below a folder or in a zip, in order; links out of the folder are refused."""
    if path.is_file():
        return sorted(archive.members(path))
    root = path.resolve()
    found: list[str] = []
    for folder, _, files in os.walk(path, onerror=_unreadable):
        for name in files:
            full = Path(folder) / name
            if full.is_symlink() and not full.resolve().is_relative_to(root):
                raise DataError(f"{full}: is a link out of the data folder; copy the file into it")
            found.append(full.relative_to(path).as_posix())
    return sorted(found)


def from_folder(path: Path, options: Options, files: Sequence[str] | None = None) -> Material:
    """Class folders as material; DataError when the files are of several kinds, or stand outside class folders."""
    files = listing(path) if files is None else files
    seen = [f for f in files if not hidden(f)]
    notes: list[Assumption] = []
    if len(seen) < len(files):
        skipped = sorted({next(p for p in PurePosixPath(f).parts if _hides(p)) for f in files if hidden(f)})
        what = f"{len(files) - len(seen)} hidden files are ignored"
        notes.append(Assumption(what=what, because=f"of {', '.join(skipped[:4])}", option="another name"))
    modality, chosen = _one_kind(path, seen, options)
    if options.modality is None:
        because = f"{len(chosen)} files end in {', '.join(sorted({suffix(f) for f in chosen})[:4])}"
        notes.append(Assumption(what=f"the data is {modality}", because=because, option="--modality NAME"))
    labels, split, areas, stray, how = _classes(path, chosen)
    keep = [i for i, label in enumerate(labels) if label is not None]
    chosen = [chosen[i] for i in keep]
    notes.append(Assumption(what="each file's class is its folder", because=how, option="a table of paths and labels"))
    material = Material(
        name=path.stem,
        modality=modality,
        cells=Blobs(path, chosen, archive=path.is_file()),
        names=chosen,
        labels=[labels[i] for i in keep],
        split=None if split is None else np.array([split[i] for i in keep], dtype=object),
        slices={} if areas is None else {"folder": np.array([areas[i] for i in keep], dtype=object)},
        reading={"modality": modality, "form": "folder", "input": None, "target": None},
        assumptions=tuple(notes),
    )
    others = len(seen) - len(labels)
    if others:
        material = material.noting(check("other files", others, f"{others} files of other kinds are not used"))
    if stray:
        detail = f"not in a class folder, not used: {', '.join(stray[:3])}"
        material = material.noting(check("files without a class", len(stray), detail))
    return material


def hidden(path: str) -> bool:
    """Whether a file or one of its folders is hidden, or left behind by an operating system."""
    return any(_hides(part) for part in PurePosixPath(path).parts)


def of_modality(files: Sequence[str], modality: str) -> list[str]:
    """The files whose ending belongs to a modality."""
    suffixes = registry.find("modalities", modality).suffixes
    return [f for f in files if suffix(f) in suffixes]


def _hides(part: str) -> bool:
    return part.startswith(".") or part in _SILENT


def _unreadable(error: OSError) -> None:
    raise DataError(f"{error.filename}: the folder cannot be read ({error.strerror}); check its permissions") from error


def _one_kind(path: Path, files: Sequence[str], options: Options) -> tuple[str, list[str]]:
    """The modality of the files and those that belong to it."""
    if not files:
        raise DataError(f"{path}: the folder holds no files; give class folders of images or sounds, or a table")
    if options.modality is not None:
        chosen = of_modality(files, options.modality)
        if not chosen:
            raise DataError(f"{path}: no file is of the kind {options.modality}; check --modality or the folder")
        return options.modality, chosen
    kinds = Counter(m for m in (media_of(f) for f in files) if m)
    if len(kinds) > 1:
        shown = " and ".join(
            f"{n} {kind} ({next(f for f in files if media_of(f) == kind)})" for kind, n in kinds.most_common()
        )
        raise DataError(f"{path}: mixed kinds of files: {shown}; keep one kind or choose it with --modality")
    if kinds:
        kind = next(iter(kinds))
        return kind, of_modality(files, kind)
    texts = of_modality(files, "text")
    if texts and any("/" in f for f in texts):
        return "text", texts
    odd = next((f for f in files if suffix(f) in _KNOWN_OTHERS), None)
    supported = ", ".join(sorted(media_suffixes()))
    if odd:
        raise DataError(f"{path}: files of type {suffix(odd)} ({odd}) are not supported; convert them ({supported})")
    raise DataError(f"{path}: no images, sounds or tables found (first file: {files[0]}); supported are {supported}")


Found = tuple[list[str | None], list[str | None] | None, list[str | None] | None, list[str], str]


def _classes(path: Path, files: Sequence[str]) -> Found:
    """Class, split and area of each file, the files without class, and how it was read."""
    parts = [PurePosixPath(f).parts for f in files]
    parts = _without_common_top(parts)
    first = {p[0] for p in parts if len(p) > 1}
    roles = {name: split_name(name) for name in first}
    splits: list[str | None] | None = None
    how = "the folders are class/file"
    if first and all(roles.values()) and "train" in roles.values():
        splits = [roles[p[0]] if len(p) > 1 else None for p in parts]
        parts = [p[1:] for p in parts]
        how = "the folders are split/class/file"
    areas = _areas(parts)
    labels: list[str | None]
    if areas is not None:
        labels = [p[1] for p in parts]
        how = f"all {len(set(areas))} top folders hold the same class folders"
    else:
        labels = [p[0] if len(p) > 1 else None for p in parts]
    stray = [f for f, label in zip(files, labels, strict=True) if label is None]
    if len(stray) == len(files):
        raise DataError(
            f"{path}: the files are not in class folders (first: {files[0]}); make a folder per class, "
            "or give a table with a path and a label column"
        )
    if len(stray) > 0.2 * len(files) and not (splits and _unlabelled_split(splits, labels)):
        raise DataError(
            f"{path}: {len(stray)} of {len(files)} files have no class folder (first: {stray[0]}); move or remove them"
        )
    return labels, splits, areas, stray, how


def _unlabelled_split(splits: Sequence[str | None], labels: Sequence[str | None]) -> bool:
    """Whether the files without class are a whole test split, as contests give it."""
    return all(s == "test" for s, label in zip(splits, labels, strict=True) if label is None)


def _without_common_top(parts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Drop folders around everything, as archives have, while a folder remains below them."""
    while all(len(p) > 2 for p in parts) and len({p[0] for p in parts}) == 1 and split_name(parts[0][0]) is None:
        parts = [p[1:] for p in parts]
    return parts


def _areas(parts: Sequence[tuple[str, ...]]) -> list[str | None] | None:
    """The top folder of each file, where several hold nearly the same folders, which then are the classes."""
    if any(len(p) < 3 for p in parts):
        return None
    below: dict[str, set[str]] = {}
    for p in parts:
        below.setdefault(p[0], set()).add(p[1])
    common = set.intersection(*below.values())
    if len(below) < 2 or len(common) < 2 or any(len(common) < 0.8 * len(b) for b in below.values()):
        return None
    return [p[0] for p in parts]
