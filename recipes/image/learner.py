"""The state of training: encoder, goals and optimiser, one step of it, and how it is kept to go on exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from augment import seen
from goals import Goals
from safetensors.torch import load, save
from stream import Batch, classes
from together import Together
from torch import Tensor, nn

from landbridge.core.files import write_bytes
from landbridge.core.seeds import drawn, torch_generator
from landbridge.engine.schedule import rate
from landbridge.nn.encoder import Encoder

CLIP = 5.0


@dataclass(kw_only=True)
class Learner:
    """Everything that training changes; `step` counts optimiser steps, `minutes` those of all runs so far.

    Randomness is a function of seed, step and process, so tensors and the plain fields are all there is to keep.
    """

    seed: int
    network: Mapping[str, Any]
    scale: float
    lr: float
    decay: float
    step: int = 0
    steps: int = 0  # of the whole schedule
    images: int = 0
    minutes: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with drawn(self.seed, "encoder"):
            self.net = Encoder(**self.network).to(memory_format=torch.channels_last)
            self.goals = Goals(self.net.width, sum(classes(self.scale).values()))
        self.parameters = [*self.net.parameters(), *self.goals.parameters()]
        self.statistics = [b for b in self.net.buffers() if b.is_floating_point()]
        groups = [
            {"params": [p for p in self.parameters if p.dim() > 1], "weight_decay": self.decay},
            {"params": [p for p in self.parameters if p.dim() <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=self.lr, fused=True)

    @property
    def numbers(self) -> int:
        """How many floats the processes exchange each step, with one more to agree on."""
        return sum(t.numel() for t in [*self.parameters, *self.statistics]) + 1

    def learn(self, batch: Batch, together: Together, rank: int, stop: bool) -> tuple[dict[str, float], bool]:
        """One step over the pictures of all processes; what the log shows, and whether any process wants to stop."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.lr * rate(self.step, self.steps)
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        pixels = seen(batch, torch_generator(self.seed, "views", self.step, rank))
        targets = {name: torch.from_numpy(values) for name, values in batch.targets.items()}
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, shown = self.goals(self.net(pixels), targets)
        loss.backward()
        stop = self._share(together, rank, stop)
        nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.optimiser.step()
        self.step += 1
        self.images += len(pixels) * together.ranks
        return {"loss": float(loss.detach()), **shown}, stop

    def _share(self, together: Together, rank: int, stop: bool) -> bool:
        """Gradients and the running statistics become their mean over all processes."""
        if together.ranks == 1:
            return stop
        grads = [p.grad for p in self.parameters if p.grad is not None]
        shared = [*grads, *self.statistics, torch.tensor([float(stop)])]
        mean = together.mean(rank, torch.cat([t.detach().flatten() for t in shared]))
        pieces = mean.split([t.numel() for t in shared])
        with torch.no_grad():
            for tensor, piece in zip(shared[:-1], pieces, strict=False):
                tensor.copy_(piece.view_as(tensor))
        return bool(pieces[-1] > 0)

    def keep(self, path: Path) -> None:
        """Write everything, atomically."""
        tensors = {f"net.{n}": t for n, t in self.net.state_dict().items()}
        tensors |= {f"goals.{n}": t for n, t in self.goals.state_dict().items()}
        for i, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{n}": torch.as_tensor(t) for n, t in values.items()}
        plain = {n: getattr(self, n) for n in ("step", "steps", "images", "minutes", "log")}
        whole = {n: t.detach().contiguous().clone() for n, t in tensors.items()}
        write_bytes(path, save(whole, metadata={"plain": json.dumps(plain)}))

    def restore(self, path: Path) -> bool:
        """Go on from what was kept, if anything was."""
        if not path.exists():
            return False
        data = path.read_bytes()
        tensors, head = load(data), json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        plain = json.loads(head["__metadata__"]["plain"])
        self.net.load_state_dict(_under("net.", tensors))
        self.goals.load_state_dict(_under("goals.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        moved = [p for group in self.optimiser.param_groups for p in group["params"]]
        for name, tensor in _under("optimiser.", tensors).items():
            number, _, kind = name.partition(".")
            like = moved[int(number)]  # the fused optimiser reads memory as it lies, so moments lie as weights do
            state.setdefault(int(number), {})[kind] = torch.empty_like(like).copy_(tensor) if tensor.dim() else tensor
        self.optimiser.load_state_dict({"state": state, "param_groups": self.optimiser.state_dict()["param_groups"]})
        for name, value in plain.items():
            setattr(self, name, value)
        return True


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
