"""The artifact's format: a folder of JSON documents, one safetensors file and small files, sealed by a manifest.

    recipe.json labels.json preprocess.json evidence.json card.md report.html
    model.safetensors source/ reference/ adapter/ manifest.json

The manifest is written last and holds the size and sha256 of every other file, so that a torn, changed or padded
folder is refused before a byte of it is used. Nothing in it is code: no pickle, no scripts, no paths to follow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as tensor_bytes

from landbridge.core.errors import ArtifactError
from landbridge.core.files import new_folder, write_bytes
from landbridge.core.store import Store, check_name, open_store

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
MANIFEST = "manifest.json"
ARRAYS = "model.safetensors"
TARGET = "reference/target.safetensors"  # moments of the target in the source's features; may be absent
BESIDE = "beside/"  # before the names of arrays and source files of all members of an ensemble but the first
DOCUMENT_FOLDERS = (".", "reference")  # a .json file here is a document, elsewhere it is a file like any other
MOST_JSON = 64 * 2**20  # bytes of one document: evidence is capped well below
_UNPARSABLE = (SafetensorError, KeyError, ValueError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What a folder held, verified: documents as JSON, arrays as NumPy, all other files as bytes.

    `digest` is the sha256 of the manifest and so names the whole content.
    """

    folder: Path
    digest: str
    documents: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    files: Mapping[str, bytes]

    def document(self, name: str) -> dict[str, Any]:
        """A document that must be there and be a JSON object; ArtifactError otherwise."""
        value = self.documents.get(name)
        if not isinstance(value, dict):
            raise ArtifactError(f"{self.folder}/{name}: is missing or not an object; this is no adapted model")
        return cast("dict[str, Any]", value)


def write_artifact(
    folder: Path,
    *,
    documents: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray | Tensor],
    files: Mapping[str, bytes],
) -> str:
    """Write an artifact whole or not at all and return its digest; an older one at `folder` is replaced at the end.

    Arrays are booleans, whole numbers or floats without NaN; bfloat16 tensors are widened to float32, which is exact.
    """
    contents = dict(files)
    for name, value in documents.items():
        if not _is_document(name) or name in contents:
            raise ArtifactError(f"{folder}/{name}: a document is a .json file of its own at the top or in reference/")
        contents[name] = _encode(f"{folder}/{name}", value)
    for name in files:
        if _is_document(name) or name in (MANIFEST, ARRAYS):
            raise ArtifactError(f"{folder}/{name}: this name belongs to the format; put the file into a folder")
    if arrays:
        contents[ARRAYS] = to_bytes(f"{folder}/{ARRAYS}", arrays)
    table = {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in sorted(contents.items())}
    manifest = _encode(MANIFEST, {"schema": SCHEMA, "kind": "landbridge artifact", "files": table})
    with new_folder(folder) as draft:
        for name, data in contents.items():
            check_name(str(folder), name)
            write_bytes(draft / name, data)
        write_bytes(draft / MANIFEST, manifest)
    return _sha256(manifest)


def read_artifact(folder: str | Path) -> Artifact:
    """Read and verify an artifact folder or its `.zip`; ArtifactError names the file that is torn or changed."""
    path = Path(folder)
    store = open_store(path)
    digest, table = _manifest(store)
    documents: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    files: dict[str, bytes] = {}
    for name, (size, sha256) in table.items():
        where = f"{store.name}/{name}"
        if size != store.sizes[name]:
            raise ArtifactError(f"{where}: has another size than the manifest says; copy the artifact again")
        if _is_document(name) and size > MOST_JSON:
            raise ArtifactError(f"{where}: is larger than {MOST_JSON // 2**20} MB; this is not a document of ours")
        data = store.read(name, size)
        if _sha256(data) != sha256:
            raise ArtifactError(f"{where}: was changed or damaged after it was written; copy the artifact again")
        if _is_document(name):
            documents[name] = _decode(where, data)
        elif name == ARRAYS:
            arrays = from_bytes(where, data)
        else:
            files[name] = data
    return Artifact(folder=path, digest=digest, documents=documents, arrays=arrays, files=files)


def first_source_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The source's small files by their own names, of an ensemble those of its first member."""
    own = {n.removeprefix("source/"): data for n, data in files.items() if n.startswith("source/")}
    return {n: data for n, data in own.items() if not n.startswith(BESIDE)}


def to_bytes(where: str, arrays: Mapping[str, np.ndarray | Tensor]) -> bytes:
    """Arrays as a safetensors file; ArtifactError naming `where` and the array that does not fit."""
    named = {name: _as_array(where, name, value) for name, value in arrays.items()}
    return tensor_bytes(named, {"format": "pt"})


def from_bytes(where: str, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file; ArtifactError naming `where` when it is none or holds NaN."""
    try:
        found = parse_tensors(data)
    except _UNPARSABLE as error:
        raise ArtifactError(f"{where}: is not a readable safetensors file ({str(error)[:80]})") from error
    return {name: _without_nan(where, name, array) for name, array in found.items()}


def _manifest(store: Store) -> tuple[str, dict[str, tuple[int, str]]]:
    """Digest and the table of files, which must be exactly the files that are there."""
    where = f"{store.name}/{MANIFEST}"
    if MANIFEST not in store.sizes:
        raise ArtifactError(f"{where}: is missing, so the artifact is torn or not one; run or copy it again")
    size = store.sizes[MANIFEST]
    if size > MOST_JSON // 16:
        raise ArtifactError(f"{where}: is too large ({size} bytes); this is not an artifact")
    data = store.read(MANIFEST, size)
    manifest = _decode(where, data)
    if not isinstance(manifest, dict) or cast("dict[str, Any]", manifest).get("kind") != "landbridge artifact":
        raise ArtifactError(f"{where}: is not the manifest of a landbridge artifact; give the folder `run` wrote")
    fields = cast("dict[str, Any]", manifest)
    if type(fields.get("schema")) is not int or fields["schema"] != SCHEMA:
        got = str(fields.get("schema"))[:20]
        raise ArtifactError(f"{where}: has schema {got}, this version reads {SCHEMA}; install the matching landbridge")
    table: dict[str, tuple[int, str]] = {}
    for name, entry in cast("dict[str, Any]", fields["files"] if isinstance(fields.get("files"), dict) else {}).items():
        check_name(where, name)
        match entry:
            case {"bytes": int(size), "sha256": str(sha256)} if size >= 0 and type(size) is int:
                table[name] = (size, sha256)
            case _:
                raise ArtifactError(f"{where}: the entry of '{name}' is damaged; copy the artifact again")
    missing, extra = sorted(set(table) - set(store.sizes)), sorted(set(store.sizes) - set(table) - {MANIFEST})
    if missing:
        raise ArtifactError(f"{store.name}/{missing[0]}: is missing, so the artifact is torn; copy it again")
    if extra:
        raise ArtifactError(f"{store.name}/{extra[0]}: does not belong to the artifact; remove it or copy it again")
    return _sha256(data), table


def _is_document(name: str) -> bool:
    pure = PurePosixPath(name)
    return pure.suffix == ".json" and str(pure.parent) in DOCUMENT_FOLDERS and name != MANIFEST


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _encode(where: str, value: Any) -> bytes:
    try:
        return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{where}: holds a value that is not JSON ({error}); write finite values") from error


def _decode(where: str, data: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no key twice, no nesting that exhausts the parser."""

    def constant(text: str) -> NoReturn:
        raise ValueError(f"{text} is not JSON")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ValueError("a key comes twice")
        return found

    try:
        return json.loads(data.decode("utf-8"), parse_constant=constant, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: is not readable as JSON ({str(error)[:80]}); copy the artifact again") from error


def _as_array(where: str, name: str, value: np.ndarray | Tensor) -> np.ndarray:
    """A little-endian C-ordered array that safetensors can hold."""
    if isinstance(value, np.ndarray):
        array = value
    else:
        tensor = value.detach().cpu()
        array = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ArtifactError(f"{where}: '{name}' has type {array.dtype}; only booleans, whole numbers and floats fit")
    return _without_nan(where, name, np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C"))


def _without_nan(where: str, name: str, array: np.ndarray) -> np.ndarray:
    # infinity is left alone: attention masks and tree thresholds use it; NaN never means anything in weights
    if array.dtype.kind == "f" and bool(np.isnan(array).any()):
        raise ArtifactError(f"{where}: '{name}' holds NaN, so its predictions would be void; train again")
    return array
