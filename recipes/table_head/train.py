"""Train the table head of `embedded:tables`: a network that learns tables in context, from generated tables alone.

    python recipes/table_head/train.py OUT --minutes 170 [--start FOLDER]

Each step draws tables of fresh causal models (`prior.py`), shows the network some rows with labels and asks for those
of the others; what minimises that cross-entropy is the Bayesian answer under the prior (Müller et al. 2022,
arXiv:2112.10510). Tables are small at first, so that a step holds many, and grow over the first half of the schedule
(Bengio et al. 2009). Muon (Jordan et al. 2024) moves the matrices within layers, AdamW the rest; warm-up and cosine,
bfloat16. `OUT/checkpoint.safetensors` is written every few minutes, and the same command goes on from it to the same
weights bit for bit; `OUT/log.jsonl` tells loss and validation. `--start` begins with the weights of another run. At the
end OUT holds `tables.safetensors` and `tables.json`, which `--source tables:OUT` opens, and which become
`embedded:tables` when they are copied to `src/landbridge/sources/weights/tables/`.

Expected: README.md beside this file says what two CPU cores reach.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from prior import MOST_CLASSES, Draw, Size, Tables, size_of, tables
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from landbridge.core.seeds import torch_generator
from landbridge.nn.table_net import TableNet, TableShape
from landbridge.sources.tables import CARD, WEIGHTS, write_folder

PEAK, LOWEST, WARM, DECAY, CLIP = 3e-3, 3e-5, 100, 0.01, 1.0
GROWN = 0.5  # of the schedule, from which on tables have any size
EVERY = 50  # steps between two lines of the log
CHECKED = (Size(8, 160, 5, 80), Size(8, 400, 10, 240), Size(8, 800, 16, 500), Size(8, 1152, 8, 900))


@dataclass
class Run:
    """Everything that a checkpoint holds."""

    net: TableNet
    optimisers: tuple[torch.optim.Optimizer, ...]
    seed: int
    cells: int
    total: int
    step: int = 0
    seconds: float = 0.0
    seen: int = 0  # tables
    losses: list[float] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Weights, moments and counters, whole or not at all."""
        arrays = {f"net/{n}": t for n, t in self.net.state_dict().items()}
        for name, state in self._states():
            arrays |= {f"{key}/{name}": value.reshape(-1) if key == "step" else value for key, value in state.items()}
        facts = {n: getattr(self, n) for n in ("seed", "cells", "total", "step", "seconds", "seen", "losses")}
        draft = path.with_suffix(".draft")
        save_file(arrays, draft, metadata={"facts": json.dumps(facts)})
        draft.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint of the same seed and batch."""
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            if (facts["seed"], facts["cells"]) != (self.seed, self.cells):
                asked = f"seed {facts['seed']} and {facts['cells']} cells"
                raise SystemExit(f"{path}: was made with {asked}; give the same, or another folder")
            self.net.load_state_dict({n: file.get_tensor(f"net/{n}") for n in self.net.state_dict()})
            kept = [name.split("/", 1) for name in file.keys()]  # noqa: SIM118 (safetensors has no other way)
            for name, state in self._states():
                for key in (k for k, of in kept if of == name and k != "net"):
                    value = file.get_tensor(f"{key}/{name}")
                    state[key] = value.reshape(()) if key == "step" else value
        self.total, self.step, self.seconds = facts["total"], facts["step"], facts["seconds"]
        self.seen, self.losses = facts["seen"], facts["losses"]

    def _states(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """What the optimisers remember of each parameter."""
        names = {parameter: name for name, parameter in self.net.named_parameters()}
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                yield from ((names[p], optimiser.state[p]) for p in group["params"])

    def advance(self) -> None:
        """One step on tables that nobody has seen."""
        generator = torch_generator(self.seed, "step", self.step)
        batch = tables(size_of(Draw(generator), self.cells, self.step / (GROWN * self.total)), generator)
        for group in (g for o in self.optimisers for g in o.param_groups):
            group["lr"] = rate(self.step, self.total)
        loss = _loss(_logits(self.net.train(), batch, generator), batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step, self.seen = self.step + 1, self.seen + len(batch.labels)
        self.losses = [*self.losses[1 - EVERY :], loss.item()]


def rate(step: int, total: int) -> float:
    """Linear warm-up, then a cosine to the lowest rate."""
    warm = min(WARM, max(1, total // 10))
    if step < warm:
        return PEAK * (step + 1) / warm
    share = min(1.0, (step - warm) / max(1, total - warm))
    return LOWEST + (PEAK - LOWEST) * 0.5 * (1 + math.cos(math.pi * share))


def _logits(net: TableNet, batch: Tables, generator: torch.Generator) -> Tensor:
    """Logits of the asked rows, those of classes that a table has not at minus infinity."""
    marks = torch.randn(len(batch.labels), batch.cells.shape[2], net.shape.marks, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        found = net(batch.cells, batch.labels[:, : batch.known], marks)
    there = torch.arange(MOST_CLASSES) < batch.classes[:, None]
    return found.float().masked_fill(~there.unsqueeze(1), -1e9)


def _loss(logits: Tensor, batch: Tables) -> Tensor:
    """Mean cross-entropy of the rows whose class the context shows."""
    asked = batch.labels[:, batch.known :]
    shown = nn.functional.one_hot(batch.labels[:, : batch.known], MOST_CLASSES).amax(1).bool()
    known = shown.gather(1, asked)
    each = nn.functional.cross_entropy(logits.transpose(1, 2), asked, reduction="none")
    return (each * known).sum() / known.sum().clamp_min(1)


@torch.no_grad()
def checked(net: TableNet) -> dict[str, float]:
    """Cross-entropy and accuracy on tables that stay the same and are in no step."""
    net.eval()
    losses, right = [], []
    for batch in _held():
        logits = _logits(net, batch, torch_generator(0, "marks"))
        losses.append(_loss(logits, batch).item())
        right.append((logits.argmax(2) == batch.labels[:, batch.known :]).float().mean().item())
    return {"loss": sum(losses) / len(losses), "accuracy": sum(right) / len(right)}


def boosted_accuracy() -> float:
    """What gradient boosting reaches on the same held-out tables, untuned."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    means = []
    for batch in _held():
        right = []
        for cells, labels in zip(batch.cells.flatten(2).numpy(), batch.labels.numpy(), strict=True):
            model = HistGradientBoostingClassifier(random_state=0, max_iter=60).fit(
                cells[: batch.known], labels[: batch.known]
            )
            right.append(model.score(cells[batch.known :], labels[batch.known :]))
        means.append(sum(right) / len(right))
    return sum(means) / len(means)


def _held() -> list[Tables]:
    return [tables(size, torch_generator(0, "held out", number)) for number, size in enumerate(CHECKED)]


def card_of(run: Run, minutes: float, found: dict[str, float], rival: float) -> dict[str, Any]:
    """What is said about the weights."""
    return {
        "name": "landbridge table head",
        "licence": "apache-2.0",
        "data": "random causal tables, generated on the fly by recipes/table_head/prior.py; no real data",
        "objective": "cross-entropy of held-out rows in context (prior-data fitted network, arXiv:2112.10510)",
        "steps": run.step, "tables": run.seen, "cells of a step": run.cells, "seed": run.seed,
        "minutes": round(run.seconds / 60, 1),
        "hardware": f"{torch.get_num_threads()} threads of {_processor()}, bfloat16", "torch": torch.__version__,
        "probes": {"generated tables, held out": {**found, "accuracy of untuned gradient boosting": rival}},
        "recipe": f"recipes/table_head/train.py OUT --minutes {minutes:g} --cells {run.cells} --seed {run.seed}"
        f" --threads {torch.get_num_threads()}",
        "limits": "classes only, at most 10; up to 64 columns; learns from up to 1,024 rows at a time",
    }  # fmt: skip


def begun(run: Run, folder: Path) -> dict[str, Any]:
    """Begin with the weights of a finished run; what the card says of them, and of those that they began with."""
    run.net.load_state_dict(load_file(folder / WEIGHTS))
    card = json.loads((folder / CARD).read_text())
    told = ("recipe", "steps", "tables", "minutes", "sha256", "begun with")
    return {"begun with": {name: card[name] for name in told if name in card}}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def train(run: Run, out: Path, *, minutes: float, stop: int, every: float) -> bool:
    """Train until the schedule's end (True), until step `stop` or until the minutes are over (False).

    The schedule is shortened where the pace shows that it would not end in the minutes.
    """
    began, saved, before = time.monotonic(), time.monotonic(), run.seconds
    while run.step < min(run.total, stop):
        run.advance()
        run.seconds = before + time.monotonic() - began
        left = 60 * minutes - run.seconds
        if run.step % EVERY == 0:
            run.total = min(run.total, run.step + max(1, int(left / (run.seconds / run.step))))
            _told(run, out, checked(run.net) if run.step % (10 * EVERY) == 0 else {})
        if time.monotonic() - saved > every or left <= 0:
            run.save(out / "checkpoint.safetensors")
            saved = time.monotonic()
    run.save(out / "checkpoint.safetensors")
    return run.step >= run.total


def _told(run: Run, out: Path, found: dict[str, float]) -> None:
    """One line for people and one for the log."""
    line = {"step": run.step, "of": run.total, "loss": sum(run.losses) / len(run.losses), "seconds": run.seconds, **{
        f"held-out {name}": value for name, value in found.items()}}  # fmt: skip
    print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()), flush=True)
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")


def begin(seed: int, steps: int, cells: int, shape: TableShape) -> Run:
    """A run before its first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = TableNet(shape)
    within = {id(p) for layer in (*net.cell_layers, *net.row_layers) for p in layer.parameters() if p.ndim == 2}
    muon = torch.optim.Muon(
        [p for p in net.parameters() if id(p) in within], lr=PEAK, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw"
    )
    rest = [p for p in net.parameters() if id(p) not in within]
    adam = torch.optim.AdamW(rest, lr=PEAK, betas=(0.9, 0.98), weight_decay=0.0)
    return Run(net, (muon, adam), seed, cells, steps)


def main() -> None:
    """Read the command line, go on where there is a checkpoint, train, write."""
    parser = argparse.ArgumentParser(description="Train the table head on generated tables.")
    parser.add_argument("out", type=Path, help="folder of checkpoint, log and weights")
    parser.add_argument("--minutes", type=float, default=170.0, help="of training, all attempts together")
    parser.add_argument("--steps", type=int, default=20_000, help="of the schedule, fewer where the minutes are over")
    parser.add_argument("--stop", type=int, default=2**31, help="end for now after this step")
    parser.add_argument("--cells", type=int, default=24_000, help="of one step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="folder of finished weights to begin with")
    parser.add_argument("--save-minutes", type=float, default=4.0, help="between two checkpoints")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    run = begin(given.seed, given.steps, given.cells, TableShape())
    before = {} if given.start is None else begun(run, given.start)
    if (given.out / "checkpoint.safetensors").is_file():
        run.load(given.out / "checkpoint.safetensors")
    if train(run, given.out, minutes=given.minutes, stop=given.stop, every=60 * given.save_minutes):
        card = card_of(run, given.minutes, checked(run.net), boosted_accuracy()) | before
        if before:
            card["recipe"] += f" --steps {given.steps} --start FIRST"
        card = write_folder(given.out, run.net, card)
        print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
