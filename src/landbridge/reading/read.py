"""A path becomes a domain: found, checked, its task settled, split once."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.core import registry
from landbridge.core.contracts import Modality, Task
from landbridge.core.domain import Assumption, Domain
from landbridge.core.errors import DataError, UsageError
from landbridge.reading import hashes, splits
from landbridge.reading.duplicates import alike_by_nature
from landbridge.reading.gaps import without_gaps
from landbridge.reading.labels import settle
from landbridge.reading.material import Material, check
from landbridge.reading.options import Options, off
from landbridge.reading.packed import stem
from landbridge.reading.places import open_material, split_of
from landbridge.reading.scan import scan

COLUMNLESS = {"folder": "class folders", "npz": "arrays", "ts": "series of a .ts file"}  # by form


def read(
    path: str | Path,
    *,
    modality: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    input: str | None = None,
    target: str | None = None,
    id: str | None = None,
    group: str | None = None,
    time: str | None = None,
    split: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Domain:
    """Read labelled data of any supported kind from a file or folder.

    What is not given is detected, and said in the domain's `assumptions`. `target` may be several 0/1 columns joined
    by commas. `group` is a column, or `name:REGEX` whose first group is taken from each file's name. The value "none"
    switches the detection of id, group, time, split, validation or test off. Nothing is written beside the data;
    large tables are converted once in `cache` (default: the user's cache folder).

    Raises DataError or UsageError in one line that names file, row or column, what is wrong, and the way out.
    """
    options = Options(
        modality=modality,
        task=task,
        metric=metric,
        input=input,
        target=target,
        id=id,
        group=group,
        time=time,
        split=split,
        validation=None if validation is None else Path(validation),
        test=None if test is None else Path(test),
        seed=seed,
        cache=None if cache is None else Path(cache),
    )
    place = Path(path).expanduser()
    material = replace(open_material(place, options), name=str(place))
    _has_columns(material, options)
    if options.split is not None and options.split.lower() == "none":
        material = replace(material, split=None)
    if options.group is not None and options.group.startswith("name:"):
        material = _grouped_by_name(material, options.group.removeprefix("name:"))
    return replace(domain_from(without_gaps(material), options), name=_title(place))


def _has_columns(material: Material, options: Options) -> None:
    """UsageError where a column is named and there are none: a group that is not heeded would be a leak."""
    held = COLUMNLESS.get(str(material.reading.get("form")))
    if held is None:
        return
    for name in ("input", "target", "id", "group", "time", "split"):
        said = getattr(options, name)
        if said is None or off(said) or (name == "group" and said.startswith("name:")):
            continue
        other = "--group 'name:REGEX'" if name == "group" and held == "class folders" else "leave it out"
        way = f"give a table{' with a column of paths' if held == 'class folders' else ''}, or {other}"
        raise UsageError(f"--{name} {said}: {material.name} holds {held}, which have no columns; {way}")


def _title(path: Path) -> str:
    """What the data is called in reports: its file or folder, the folder around it where that name says nothing."""
    whole = path.absolute()
    name = whole.name if whole.is_dir() else stem(whole)
    plain = ("data", "train", "images", "labels", "dataset", "table", "archive", "wav", "crops", "metadata")
    if name.lower() in plain and whole.parent.name:
        return whole.parent.name
    return name if whole.is_dir() else split_of(name)[0] or name


def domain_from(material: Material, options: Options) -> Domain:
    """The domain of what was found, wherever it came from: task settled, every row looked at, split once."""
    part: Modality = registry.find("modalities", material.modality)()
    settled, task = settle(material, options.task, options.metric)
    checked, cells = scan(settled, part)
    if len(checked) < len(settled):
        checked, task = settle(checked, task.part_name, options.metric)
    material = _official_groups(checked, options)
    material = _known_in_train(material, task)
    task = _task_of_training(material, task, options.metric)
    targets = task.encode(material.labels or ())
    material, folds, how = _split(material, task, targets, cells.hashes, options.seed)
    _notes_on_size(material)
    return Domain(
        name=material.name,
        modality=part,
        task=task,
        cells=cells,
        targets=targets,
        folds=folds,
        fingerprint=hashes.fingerprint(material, cells.hashes),
        labels=material.names,
        groups=material.groups,
        slices=material.slices,
        assumptions=material.assumptions,
        facts=_facts(material, task, targets, how),
        reading=material.reading,
    )


def _grouped_by_name(material: Material, pattern: str) -> Material:
    """Groups from file names; UsageError for a bad pattern, DataError naming a file that it does not fit."""
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--group 'name:{pattern}': not a regular expression ({error}); see the re module") from error
    if regex.groups < 1:
        raise UsageError(f"--group 'name:{pattern}': there is no group in brackets; write the part to take as (...)")
    groups = []
    for name in material.names:
        match = regex.search(name.rsplit("/", 1)[-1]) or regex.search(name)
        if match is None or match[1] is None:
            raise DataError(
                f"{material.name}: --group 'name:{pattern}' does not fit the file '{name}'; widen the pattern"
            )
        groups.append(match[1])
    reading = {**material.reading, "group": f"name:{pattern}"}
    return replace(material, groups=np.array(groups, dtype=object), asked_group=True, reading=reading)


def _official_groups(material: Material, options: Options) -> Material:
    """Groups that a person named outrank an official split that parts them; guessed ones do not, but it is said."""
    if material.groups is None:
        return material
    if len(set(material.groups)) < 3 and material.asked_group:
        raise DataError(
            f"{material.name}: --group {options.group} gives {len(set(material.groups))} groups; three are needed"
        )
    if material.split is None:
        return material
    test = material.split == "test"
    shared = set(material.groups[test]) & set(material.groups[~test])
    if not shared:
        return material
    if material.asked_group:
        because = f"{len(shared)} groups stand on both sides of it"
        note = Assumption(what="the given split is set aside for one by group", because=because, option="--group none")
        return replace(material, split=None).noting(note)
    return material.noting(
        check("groups across splits", len(shared), f"also in the test: {', '.join(sorted(shared)[:5])}")
    )


def _known_in_train(material: Material, task: Task) -> Material:
    """DataError when the given test or validation has a class that the given train rows have not."""
    if material.split is None or task.part_name != "classify":
        return material
    labels = np.array([str(v) for v in material.labels or ()], dtype=object)
    known = set(labels[material.split == "train"])
    for row in np.flatnonzero(material.split != "train"):
        if labels[row] not in known:
            raise DataError(
                f"{material.name}: {material.split[row]} {material.names[int(row)]} has class '{labels[row]}', "
                "which no train row has; add examples to train or remove the row"
            )
    return material


def _task_of_training(material: Material, task: Task, metric: str | None) -> Task:
    """For numbers, centre and scale come from rows that are not the given test."""
    if task.part_name != "regress" or material.split is None:
        return task
    rows = np.flatnonzero(material.split != "test")
    labels = [(material.labels or ())[int(i)] for i in rows]
    fresh: Task = registry.find("tasks", "regress").from_labels(labels, metric)
    return fresh


def _split(
    material: Material, task: Task, targets: np.ndarray, contents: np.ndarray, seed: int
) -> tuple[Material, tuple[Any, ...], str]:
    """The folds: by group, else with equal rows kept together; by time only where no class is lost by it."""
    strata = task.strata(targets)
    strata = np.zeros(len(material), dtype=np.int64) if strata is None else np.unique(strata, return_inverse=True)[1]
    plan = splits.Plan(
        strata=strata,
        units=_units(material, contents, targets),
        seed=seed,
        per_class=_per_class(task, targets),
        times=material.times,
        official=material.split,
        leave_out=material.asked_group,
    )
    folds, how = splits.make_folds(plan)
    if material.times is not None and material.split is None and not _covered(task, targets, folds):
        if material.asked_time:
            raise DataError(
                f"{material.name}: the latest rows have classes that the earlier ones lack; give --time none"
            )
        folds, how = splits.make_folds(replace(plan, times=None))
        note = Assumption(what="the split is not by time", because="a class occurs late only", option="--time COLUMN")
        material = material.noting(note)
    if any(len(f.test) == 0 or any(len(p.train) == 0 or len(p.validation) == 0 for p in f.pairs) for f in folds):
        raise DataError(f"{material.name}: {len(material)} rows are too few to split three ways; add examples")
    if not how.endswith("as given"):
        material = material.noting(
            Assumption(what=f"the split is {how}", because="of the data", option="--split COLUMN")
        )
    return material, folds, how


def _units(material: Material, contents: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What stays together: groups, or equal rows; rows of a table that mostly repeats are apart by nature."""
    if material.groups is not None:
        return np.unique(material.groups.astype(str), return_inverse=True)[1]
    if material.modality == "table" and alike_by_nature(contents, targets):
        return np.arange(len(contents))
    return np.unique(contents, return_inverse=True)[1]


def _per_class(task: Task, targets: np.ndarray) -> float:
    """Examples a class on average; a regression counts as five classes."""
    if task.part_name == "regress":
        return len(targets) / 5
    return float(targets.sum() if targets.ndim == 2 else len(targets)) / max(1, task.outputs)


def _covered(task: Task, targets: np.ndarray, folds: tuple[Any, ...]) -> bool:
    if task.part_name != "classify":
        return True
    return all(
        np.isin(targets[f.rest], targets[p.train]).all() and np.isin(targets[f.test], targets[p.train]).all()
        for f in folds
        for p in f.pairs
    )


def _notes_on_size(material: Material) -> None:
    if len(material) < 6:
        raise DataError(f"{material.name}: {len(material)} rows are too few to learn from and to test on; add examples")


def _facts(material: Material, task: Task, targets: np.ndarray, how: str) -> dict[str, Any]:
    """Plain JSON for reports."""
    facts: dict[str, Any] = {"rows": len(material), "split": how, "checks": list(material.checks)}
    if task.part_name == "classify":
        facts["classes"] = {str(k): v for k, v in Counter(material.labels or ()).most_common()}
    elif targets.ndim == 2:
        facts["classes"] = {str(c): int(n) for c, n in zip(task.to_json()["classes"], targets.sum(0), strict=True)}
    else:
        low, high = float(np.min(targets)), float(np.max(targets))
        facts["target"] = {"min": low, "max": high, "mean": float(np.mean(targets))}
    if material.groups is not None:
        facts["groups"] = len(set(material.groups))
    if "columns" in material.reading:
        facts["columns"] = dict(Counter(material.reading["columns"].values()))
    return facts
