"""A new process that loads an artifact and predicts: `python -m landbridge.delivery.reload ARTIFACT ROWS OUT`.

ROWS and OUT are folders in the artifact's own format; `parity.pack` writes the rows.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from landbridge.core.artifact import read_artifact, write_artifact
from landbridge.core.examples import Sound
from landbridge.core.model import Example
from landbridge.delivery.artifact import load


def unpack(documents: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[Example]:
    """The examples that `parity.pack` took apart."""
    found: list[Example] = []
    for number, entry in enumerate(documents["rows.json"]):
        match entry["kind"]:
            case "image":
                found.append(Image.fromarray(np.array(arrays[str(number)])))
            case "sound":
                found.append(Sound(np.array(arrays[str(number)]), entry["rate"]))
            case "array":
                found.append(np.array(arrays[str(number)]))
            case _:
                found.append(entry["value"])
    return found


def main(folder: str, rows: str, out: str) -> None:
    """Load, predict, write the outputs: the whole life of the new process."""
    packed = read_artifact(rows)
    output = load(folder).output(unpack(packed.documents, packed.arrays))
    write_artifact(Path(out), documents={}, arrays={"output": output}, files={})


if __name__ == "__main__":
    main(*sys.argv[1:])
