"""Exact resume: at the end of an epoch everything the loop holds is written whole, as tensors and JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from landbridge.core.files import write_bytes
from landbridge.engine.average import Average

if TYPE_CHECKING:
    from landbridge.engine.loop import Loop, Progression

EVERY = 15.0  # seconds between writes


class Checkpoint:
    """One file for one stage of one trial; `every=0` writes after each epoch.

    Randomness is a function of seed and epoch, so no generator state needs keeping.
    """

    def __init__(self, path: Path, *, every: float = EVERY) -> None:
        self.path = path
        self.every = every
        self.last = time.monotonic()

    def save(self, loop: Loop, seen: Progression, *, now: bool = False) -> None:
        """Write the state of the loop, atomically, if the last write is long enough ago, or at any rate `now`."""
        if not now and time.monotonic() - self.last < self.every:
            return
        tensors = {f"model/{n}": t for n, t in loop.model.state_dict().items()}
        tensors |= {f"best/{n}": t for n, t in seen.best.items()}
        tensors |= {f"average/{n}": t for n, t in loop.average.kept.items()}
        tensors |= {f"start/{n}": t for n, t in loop.average.start.items()}
        for i, state in enumerate(loop.states):
            tensors |= {f"state/{i}/{n}": t for n, t in state.state_dict().items()}
        for i, values in loop.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{i}/{n}": torch.as_tensor(t) for n, t in values.items()}
        scalars = {k: v for k, v in vars(seen).items() if k != "best"}  # infinities in Python's own JSON spelling
        scalars |= {"averaged": loop.average.count, "micro": loop.micro}
        scalars |= {"epochs": loop.epochs, "stop_after": loop.stop_after}
        head = {"progression": json.dumps(scalars)}
        write_bytes(self.path, save({n: t.contiguous().clone() for n, t in tensors.items()}, metadata=head))
        self.last = time.monotonic()

    def restore(self, loop: Loop, fresh: Progression) -> Progression:
        """The state that was written, or `fresh` when there is none or it is torn."""
        if not self.path.exists():
            return fresh
        data = self.path.read_bytes()
        try:
            tensors = load(data)
            size = int.from_bytes(data[:8], "little")
            scalars: dict[str, Any] = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["progression"])
        except (SafetensorError, ValueError, KeyError):
            self.path.unlink()
            return fresh
        # the schedule goes on as it was planned, however much time this run would have given it
        loop.epochs, loop.stop_after = scalars.pop("epochs"), scalars.pop("stop_after")
        loop.average = Average(loop.stage.average, loop.moving, loop.epochs * loop.feed.steps)
        loop.average.count, loop.micro = scalars.pop("averaged"), scalars.pop("micro")
        seen = type(fresh)(**scalars, best=_under("best/", tensors))
        if seen.level:
            loop._start(loop.handle.levels[seen.level - 1])
        loop.model.load_state_dict(_under("model/", tensors))
        loop.average.kept, loop.average.start = _under("average/", tensors), _under("start/", tensors)
        for i, state in enumerate(loop.states):
            state.load_state_dict(_under(f"state/{i}/", tensors))
        packed = loop.optimiser.state_dict()
        for i in sorted({int(n.split("/")[1]) for n in tensors if n.startswith("optimiser/")}):
            packed["state"][i] = _under(f"optimiser/{i}/", tensors)
        loop.optimiser.load_state_dict(packed)
        return seen

    def clear(self) -> None:
        """Remove the file: the stage is complete."""
        self.path.unlink(missing_ok=True)


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
