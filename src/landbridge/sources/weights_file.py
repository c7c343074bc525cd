"""What is said about a file of weights, its hash and its licence, and how one of our own is written with its card."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from landbridge.core.files import write_bytes, write_json


def sha256(path: Path) -> str:
    """sha256 of a file, remembered within this process as long as size and time of change stay the same."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def licence(folder: Path) -> str:
    """The licence a model folder states (model card, configuration or LICENSE file), or an empty text."""
    card = folder / "README.md"
    if card.is_file():
        found = re.search(r"^license:\s*[\"']?([\w.+-]+)", card.read_text("utf-8", "replace")[:4000], re.MULTILINE)
        if found:
            return found[1]
    stated = json_file(folder / "config.json").get("license")
    if isinstance(stated, str):
        return stated
    for name, text in (("apache-2.0", "Apache License"), ("mit", "MIT License"), ("bsd", "Redistribution and use")):
        file = folder / "LICENSE"
        if file.is_file() and text in file.read_text("utf-8", "replace")[:2000]:
            return name
    return ""


def json_file(path: Path) -> dict[str, Any]:
    """A JSON object on disk, empty where the file is missing or holds something else."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_carded(weights: Path, tensors: Mapping[str, Tensor], card: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Write tensors, then a card with their sha256; the card as written. Each file appears whole or not at all."""
    write_bytes(weights, save(dict(tensors)))
    whole = {"sha256": sha256(weights), **told}
    write_json(card, whole)
    return whole
