"""A world as a data set on disk that `landbridge run` reads: class folders, or a table, with truth and a card.

What the examples are is told by the class folders or by one table; `truth.jsonl` is never read as data.
"""

from __future__ import annotations

import csv
import hashlib
import json
import wave
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from landbridge.core import codec
from landbridge.core.contracts import Made, World
from landbridge.core.errors import UsageError
from landbridge.core.examples import Sound
from landbridge.core.files import new_folder, resources

CHUNK = 512
_ENDINGS = {"image": ".png", "audio": ".wav", "video": ".npz"}


def write(world: World, count: int, out: Path, *, seed: int = 0) -> dict[str, Any]:
    """Write the first examples of a world to a new or empty folder, whole or not at all; returns what the card says.

    UsageError when the folder holds something already, ResourceError when it cannot be written.
    """
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UsageError(f"--out {out}: something is there already; name a new or an empty folder")
    with resources(out), new_folder(out) as folder:
        digest, classes = hashlib.sha256(), set[str]()
        rows: list[dict[str, Any]] = []
        series: list[np.ndarray] = []
        labels: list[Any] = []
        several = False  # tellings of one example
        with (folder / "truth.jsonl").open("w", encoding="utf-8") as truths:
            for made, first in _slices(world, count, seed):
                digested(digest, made)
                several = bool(made.views)
                for offset, (label, truth) in enumerate(zip(made.labels, made.truth, strict=True)):
                    number = f"{first + offset:0{len(str(count - 1))}d}"
                    example, views = made.examples[offset], {k: v[offset] for k, v in made.views.items()}
                    path = _placed(world, folder, label, number, example, views)
                    truths.write(_line({"index": first + offset, **({"path": path} if path else {}), **truth}))
                    rows += _row(world, label, path, example)
                    if world.modality == "series":
                        series.append(np.asarray(example))
                    labels.append(label)
                    classes.add(str(label))
        if series:
            np.savez(folder / "data.npz", X=np.stack(series), y=np.array(labels))
        elif several or world.modality in ("text", "table") or not isinstance(labels[0], str):
            _table(folder / "data.csv", rows)
        facts = _facts(world, count, seed, labels, classes, digest.hexdigest())
        (folder / "card.md").write_text(_card(world, facts), encoding="utf-8")
    return facts


def digested(digest: Any, made: Made) -> None:
    """Feed numbers and texts of examples and views, not their files: compressed bytes depend on the zlib build."""
    for cells in (made.examples, *(made.views[k] for k in sorted(made.views))):
        for cell in cells:
            value = cell.wave if isinstance(cell, Sound) else cell
            if isinstance(value, np.ndarray):
                digest.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
            else:
                digest.update(json.dumps(value).encode())
    digest.update(json.dumps(list(made.labels)).encode())


def _slices(world: World, count: int, seed: int) -> Iterator[tuple[Made, int]]:
    for first in range(0, count, CHUNK):
        yield world.make(seed, np.arange(first, min(count, first + CHUNK))), first


def _placed(world: World, folder: Path, label: Any, number: str, example: Any, views: Mapping[str, Any]) -> str | None:
    """Write the files of an example and its views; the path of the example's own, from the folder."""
    path = None
    if world.modality in _ENDINGS:
        home = world.modality if views else str(label) if isinstance(label, str) else "files"
        path = f"{home}/{number}{_ENDINGS[world.modality]}"
        _file(folder / path, example)
    for name, view in views.items():
        if name in _ENDINGS:
            _file(folder / name / f"{number}{_ENDINGS[name]}", view)
    return path


def _file(path: Path, cell: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    if isinstance(cell, Sound):
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, cell.rate, 0, "NONE", ""))
            file.writeframes(np.rint(cell.wave * 32768.0).astype("<i2").tobytes())
    elif path.suffix == ".npz":
        np.savez_compressed(path, frames=cell)
    else:
        Image.fromarray(cell).save(path, compress_level=1)


def _row(world: World, label: Any, path: str | None, example: Any) -> list[dict[str, Any]]:
    """The example's row of the table, none where the data is no table."""
    target = "label" if isinstance(label, str) else "target"
    if world.modality == "table":
        return [{**example, target: label}]
    if world.modality == "text":
        return [{"text": example, target: label}]
    return [{"path": path, target: label}] if path else []


def _table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, allow_nan=False) + "\n"


def _facts(
    world: World, count: int, seed: int, labels: Sequence[Any], classes: set[str], digest: str
) -> dict[str, Any]:
    return {
        "world": codec.text(world), "fields": codec.to_json(world), "modality": world.modality, "examples": count,
        "seed": seed, "classes": len(classes) if isinstance(labels[0], str) else None, "sha256": digest,
    }  # fmt: skip


def _card(world: World, facts: Mapping[str, Any]) -> str:
    """The card: what made the data, from what, under which licence, and how to check it."""
    about = " ".join((type(world).__doc__ or "").split())
    target = f"{facts['classes']} classes" if facts["classes"] else "a number for each"
    fields = "\n".join(f"- {name}: {value!r}" for name, value in facts["fields"].items() if name != "part")
    return f"""# {facts["world"]}

{facts["examples"]} generated examples ({facts["modality"]}, {target}), seed {facts["seed"]}. {about}

Made by `landbridge world {facts["world"]!r} --n {facts["examples"]} --seed {facts["seed"]}`.

{fields}

After: {world.paper}.

`truth.jsonl` has one line an example, in order of its number: all that it was made from. It is not read as data.

Licence: CC0 1.0. The data is the output of a program and shows nothing and nobody.

sha256 of all examples and labels, decoded, in order: `{facts["sha256"]}`
"""
