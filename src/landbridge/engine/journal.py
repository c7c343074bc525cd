"""What a run has finished so far, on disk, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from landbridge.core.errors import UsageError
from landbridge.core.files import resources, write_bytes
from landbridge.core.finding import Trial
from landbridge.core.recipe import Recipe
from landbridge.engine.attempt import Attempt
from landbridge.engine.claim import claim

CLAIM = "claim"


class Journal:
    """One file for each finished attempt: its record and validation outputs; weights are trained again by a refit.

    Inside `with` no other run may use the same folder, and a folder in which nothing was finished is removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken = 0  # attempts that an earlier, interrupted run had finished

    def __enter__(self) -> Journal:
        with resources(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            held = claim(self.folder / CLAIM)
        if held is None:
            raise UsageError(f"--out {_out(self.folder)}: another run writes there; wait for it or name another folder")
        self._held = held
        return self

    def __exit__(self, *ended: object) -> None:
        self._held.release()
        if self.folder.is_dir() and all(p.name.startswith(CLAIM) for p in self.folder.iterdir()):
            shutil.rmtree(self.folder, ignore_errors=True)

    def checkpoint(self, key: str) -> Path:
        """Where the loop of an attempt keeps its state."""
        return self.folder / key

    def keep(self, key: str, done: Attempt) -> None:
        """Write a finished attempt, whole or not at all."""
        record = {"trial": done.trial.to_json(), "lengths": done.lengths, "shares": done.shares}
        tensors = {"output": np.ascontiguousarray(done.output)}
        write_bytes(self.folder / f"{key}.attempt", save(tensors, metadata={"record": json.dumps(record)}))

    def find(self, key: str) -> Attempt | None:
        """A finished attempt without its predictor; None when there is none that can be read."""
        path = self.folder / f"{key}.attempt"
        if not path.exists():
            return None
        data = path.read_bytes()
        try:
            output = load(data)["output"]
            head = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            record = json.loads(head["__metadata__"]["record"])
            trial = Trial(**record["trial"])
            lengths = tuple((int(a), int(b)) for a, b in record["lengths"])
            shares = tuple(float(s) for s in record["shares"])
        except (SafetensorError, ValueError, KeyError, TypeError):  # torn, or of another version: it is done again
            return None
        self.taken += 1
        return Attempt(trial=trial, predictor=None, output=output, lengths=lengths, shares=shares)


def _out(state: Path) -> str:
    """The destination that a state folder belongs to."""
    return state.name.removeprefix(".").removesuffix(".state")


def key_of(recipe: Recipe, fold: int, pair: int, seed: int, data: str) -> str:
    """The name of an attempt, `data` being the fingerprint of what it sees."""
    text = json.dumps([recipe.to_json(), fold, pair, seed, data], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def state_folder(out: Path) -> Path:
    """Where a run keeps what an interrupted one goes on from."""
    return out.with_name(f".{out.name}.state")
