"""Proof that what was written predicts what was trained: the artifact is loaded in a new process on real rows.

The new process runs `landbridge.delivery.reload`; rows go there and outputs come back as folders in the artifact's own
format, so that they travel exactly and without pickle.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from landbridge.core.artifact import read_artifact, write_artifact
from landbridge.core.contracts import Task
from landbridge.core.errors import ArtifactError, ResourceError
from landbridge.core.examples import Sound
from landbridge.core.files import resources
from landbridge.core.model import Example

TOLERANCE = 1e-4  # of a probability, or of a value relative to its size
PATIENCE = 600.0  # seconds a new process may take to start and predict some rows


@contextmanager
def draft(out: Path) -> Iterator[Path]:
    """A folder name beside `out`, so that a full disk shows before the old artifact is touched; removed at the end."""
    with resources(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.proof.") as folder:
            yield Path(folder) / "draft"


def compare(task: Task, expected: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """`{"rows", "max_difference", "labels_agree"}`; ArtifactError when the artifact would answer otherwise."""
    if expected.shape != found.shape:
        raise ArtifactError(f"the artifact answers with shape {found.shape} where training gave {expected.shape}")
    before, after = task.probabilities(expected), task.probabilities(found)
    gap = np.abs(before - after) / np.maximum(1.0, np.abs(before))
    difference = float(gap.max()) if gap.size else 0.0
    pairs = list(zip(task.decode(expected), task.decode(found), strict=True))
    agree = sum(a == b or _alike(a, b) for a, b in pairs) / max(1, len(pairs))
    if not difference <= TOLERANCE:  # also true for NaN
        raise ArtifactError(
            f"the written model does not predict like the trained one (largest difference {difference:.2g} on "
            f"{len(gap)} rows, {agree:.1%} of labels agree); nothing was written, please report this"
        )
    return {"rows": len(gap), "max_difference": difference, "labels_agree": agree, "tolerance": TOLERANCE}


def _alike(first: Any, second: Any) -> bool:
    """Regression values within the tolerance are the same answer."""
    if isinstance(first, float) and isinstance(second, float):
        return abs(first - second) <= TOLERANCE * max(1.0, abs(first))
    return False


def in_new_process(folder: Path, examples: Sequence[Example]) -> np.ndarray:
    """output_NC of the artifact at `folder`, loaded by a new Python that knows nothing of this one."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".rows.") as name:
        rows, out = Path(name) / "rows", Path(name) / "out"
        documents, arrays = pack(examples)
        write_artifact(rows, documents=documents, arrays=arrays, files={})
        # -P: a file in the working folder must not shadow a library
        command = [sys.executable, "-P", "-m", "landbridge.delivery.reload", str(folder), str(rows), str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise ResourceError(
                f"{folder.name}: loading it again took over {PATIENCE:.0f} s; free some memory"
            ) from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ArtifactError(f"the written model does not load in a new process: {last}")
        return np.array(read_artifact(out).arrays["output"])


def pack(examples: Sequence[Example]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Examples as JSON and arrays without loss: pictures as uint8 HxWx3, sounds and series as float32."""
    kinds: list[Any] = []
    arrays: dict[str, np.ndarray] = {}
    for number, example in enumerate(examples):
        if isinstance(example, Image.Image):
            kinds.append({"kind": "image"})
            arrays[str(number)] = np.asarray(example)
        elif isinstance(example, Sound):
            kinds.append({"kind": "sound", "rate": int(example.rate)})
            arrays[str(number)] = example.wave
        elif isinstance(example, np.ndarray):
            kinds.append({"kind": "array"})
            arrays[str(number)] = example
        elif isinstance(example, str):
            kinds.append({"kind": "text", "value": example})
        else:
            kinds.append({"kind": "row", "value": {k: _cell(v) for k, v in example.items()}})
    return {"rows.json": kinds}, arrays


def _cell(value: Any) -> Any:
    """NaN is not JSON; a missing number is None, which rows may hold as well."""
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else float(value)
    return value
