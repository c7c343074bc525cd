"""A path becomes a domain without labels: what a source goes on learning from before anybody names anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.core import registry
from landbridge.core.contracts import Modality
from landbridge.core.domain import Assumption, Domain, Fold, Pair
from landbridge.core.errors import DataError
from landbridge.reading import archive, hashes
from landbridge.reading.arrow_files import is_saved, read_saved
from landbridge.reading.cells import Chosen, Joined
from landbridge.reading.columns import media_of
from landbridge.reading.folders import hidden, listing
from landbridge.reading.idx_files import holds_idx
from landbridge.reading.inputs import read_inputs
from landbridge.reading.material import Material
from landbridge.reading.options import Options
from landbridge.reading.packed import ending, extracted, stem
from landbridge.reading.places import check_suffix
from landbridge.reading.scan import scan
from landbridge.reading.sheets import unlabelled_rows
from landbridge.reading.tables import SUFFIXES, Part, join, load_sheet

LEAST = 2  # examples: fewer cannot make a batch
SERIES = (".ts", ".npz")


def read_unlabelled(
    path: str | Path, *, modality: str | None = None, input: str | None = None, target: str | None = None
) -> Domain:
    """Read data without labels from a file or folder: all pictures, sounds or texts below it, or the rows of a table.

    Class folders are just folders here. A column that looks like a label, or that `target` names, is left out, so that
    no label can be learnt; the targets of the domain are zeros. `input` names the column of texts or paths. Every row
    trains: there is neither validation nor test.

    Raises DataError or UsageError in one line that names the file, what is wrong, and the way out.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise DataError(f"{place}: there is no such file or folder; check the path")
    options = Options(modality=modality, input=input, target=target)
    material = _material(place, options)
    if len(material) < LEAST:
        raise DataError(f"{place}: holds {len(material)} examples without labels; {LEAST} or more are needed")
    part: Modality = registry.find("modalities", material.modality)()
    material, cells = scan(material, part)
    rows = np.arange(len(material))
    none = rows[:0]
    return Domain(
        name=stem(place.absolute()),
        modality=part,
        task=registry.find("tasks", "regress").from_labels([-1.0, 1.0]),
        cells=cells,
        targets=np.zeros(len(material), np.float32),
        folds=(Fold(test=none, pairs=(Pair(train=rows, validation=none),)),),
        fingerprint=hashes.fingerprint(material, cells.hashes),
        labels=material.names,
        assumptions=material.assumptions,
        facts={"rows": len(material), "split": "none, as there are no labels", "checks": list(material.checks)},
        reading=material.reading,
    )


def pooled(domain: Domain, path: str | Path) -> tuple[Domain, int]:
    """The examples at a path, read as the domain's own, and the domain's rows that no fold tests, all without labels.

    Examples that are test rows of the domain are left out; the second value counts them.
    """
    place, kind = Path(path).expanduser(), domain.modality.part_name
    names, cells = read_inputs([place], domain.reading, domain.modality)
    found = Material(name=str(place), modality=kind, cells=cells, names=names, reading=domain.reading)
    found, scanned = scan(found, domain.modality)
    tested = np.unique(np.concatenate([fold.test for fold in domain.folds]))
    known = domain.cells.hashes[tested] if isinstance(domain.cells, hashes.Scanned) else np.zeros(0, np.uint64)
    new = np.flatnonzero(~np.isin(scanned.hashes, known))
    own = np.setdiff1d(np.arange(len(domain)), tested)
    if len(new) < LEAST:
        raise DataError(f"{place}: holds {len(new)} examples besides the test rows; {LEAST} or more are needed")
    everything = Joined(Chosen(scanned, new), Chosen(domain.cells, own)) if len(own) else Chosen(scanned, new)
    rows = np.arange(len(everything))
    made = replace(
        domain,
        name=stem(place.absolute()),
        task=registry.find("tasks", "regress").from_labels([-1.0, 1.0]),
        cells=everything,
        targets=np.zeros(len(rows), np.float32),
        folds=(Fold(test=rows[:0], pairs=(Pair(train=rows, validation=rows[:0]),)),),
        fingerprint=f"{domain.fingerprint}+{hashes.fingerprint(found, scanned.hashes)}",
        labels=(),
        groups=None,
        slices={},
        assumptions=(),
        facts={"rows": len(rows), "unlabelled": len(new), "own": len(own), "checks": []},
    )
    return made, len(scanned) - len(new)


def _material(place: Path, options: Options) -> Material:
    """The rows, by what stands at the place: files that are examples each, or a table."""
    if place.is_dir() and is_saved(place):
        saved = read_saved(place)
        sheet = join([Part(path=p, split=s) for s, _, p in saved], [t for _, t, _ in saved], place)
        return unlabelled_rows(sheet, options)
    files = _files(place)
    if not files:
        raise DataError(f"{place}: the folder is empty; give images, sounds, texts, or a table")
    kind = options.modality if options.modality in ("image", "audio") else None
    kind = kind or ("image" if holds_idx(place) else _kind(place, files))
    if kind in ("image", "audio", "text", "series"):
        return _examples(place, kind, options)
    tables = [f for f in files if ending(f) in SUFFIXES]
    if tables and place.suffix.lower() == ".zip":
        with extracted(place, tables, options.cache) as inside:
            return _material(inside, options)
    if not tables:
        check_suffix(place if place.is_file() else place / files[0])
        raise DataError(f"{place}: no images, sounds, texts or tables found (first file: {files[0]}); name the table")
    parts = [Part(path=place if place.is_file() else place / f) for f in tables]
    return unlabelled_rows(load_sheet(parts, options.cache), options)


def _files(place: Path) -> list[str]:
    """Relative paths of what is not hidden below a folder or in an archive; a file is itself."""
    if place.is_dir():
        return [f for f in listing(place) if not hidden(f)]
    if place.suffix.lower() == ".zip":
        return sorted(f for f in archive.members(place) if not hidden(f))
    return [place.name]


def _kind(place: Path, files: list[str]) -> str:
    """The modality that most files are of themselves; "rows" where they are tables. DataError where they are mixed."""
    kinds: Counter[str] = Counter()
    for file in files:
        last = ending(file)
        own = media_of(file) or ("text" if last == ".txt" else "series" if last in SERIES else "")
        kinds[own or ("rows" if last in SUFFIXES else "")] += 1
    del kinds[""]
    media = [k for k in ("image", "audio") if kinds[k]]
    if len(media) > 1:
        raise DataError(f"{place}: {kinds['image']} images and {kinds['audio']} sounds; choose one with --modality")
    return media[0] if media else kinds.most_common(1)[0][0] if kinds else "rows"


def _examples(place: Path, kind: str, options: Options) -> Material:
    """Files that are examples each, or that hold one a line."""
    part: Modality = registry.find("modalities", kind)()
    reading: dict[str, Any] = {"modality": kind, "form": "folder" if place.is_dir() else "file", "input": None}
    names, cells = read_inputs([place], reading, part)
    note = Assumption(what=f"the data is {kind}", because="of the files' endings", option="--modality NAME")
    material = Material(name=str(place), modality=kind, cells=cells, names=names, reading=reading)
    return material if options.modality else replace(material, assumptions=(note,))
