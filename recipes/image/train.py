"""Train the image encoder that ships as `embedded:pictures`, on generated pictures alone.

    python recipes/image/train.py --work WORK [--minutes 150] [--processes 2] [--out FOLDER]

Pictures are made as they are needed and never stored: formula images and textures, glyphs, scenes and figures, sounds
as spectrograms and series as plots. One softmax over the classes of all worlds is the main road; what the worlds tell
of their pictures (kinds, counts, lines, waves, areas) is learnt beside it. Most steps see 64 pixels, the last ones 96.
The length of the schedule is measured before it begins, so that it fits `--minutes`, or given by `--steps`. WORK keeps
a checkpoint and the log; the same command goes on where it was stopped. At the end weights in half precision and a card
are written to FOLDER, by default where the package looks for them.

This is not the loop of `landbridge.engine`: that one goes in epochs over the stored rows of a domain, with validation,
early stopping and one head, and bending it to data without end, many goals and several processes would serve nobody
else. Schedule, views, seeds and file formats are the house's own.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as multiprocessing
from learner import Learner
from probe import CLASSES, of_encoder, of_pixels, probed
from stream import PARTS, STEPS, Stream, classes
from together import Together

from landbridge.core.files import write_bytes
from landbridge.nn.encoder import Encoder
from landbridge.sources.embedded_models.pictures import FOLDER
from landbridge.sources.encoder_folder import half_rounded, save_encoder

SIZES = (64, 96)  # pixels, first and last
SPARE = 0.93  # of the time is planned for steps; probes, checkpoints and busy hours take the rest


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line says."""

    work: Path
    out: Path
    minutes: float = 150.0
    steps: int = 0  # 0: as many as fit
    processes: int = 2
    batch: int = 128  # of each process
    seed: int = 0
    lr: float = 2e-3
    decay: float = 0.05
    last: float = 0.2  # share of the steps that see the larger size
    scale: float = 1.0  # of the number of classes
    probe: float = 10.0  # minutes between probes
    checkpoint: float = 5.0  # minutes between checkpoints
    judges: int = CLASSES  # classes of each world that the probes tell apart
    network: dict[str, Any] = field(default_factory=lambda: Encoder().shape)

    def learner(self) -> Learner:
        """A new learner; all processes make the same one."""
        return Learner(seed=self.seed, network=self.network, scale=self.scale, lr=self.lr, decay=self.decay)

    def probed(self, net: Encoder) -> dict[str, float]:
        """What few labels of classes never seen come to on frozen features."""
        return probed(of_encoder(net), self.seed, SIZES[0], self.judges)

    def size(self, block: int, blocks: int) -> int:
        """Pixels of a block."""
        return SIZES[block >= round((1 - self.last) * blocks)]


def train(rank: int, settings: Settings, together: Together) -> None:
    """One process of the training; the first keeps the log, the checkpoints and the probes."""
    torch.set_num_threads(1)
    learner, stream = settings.learner(), Stream(
        seed=settings.seed, batch=settings.batch, rank=rank, ranks=settings.processes, scale=settings.scale
    )  # fmt: skip
    kept, began, leading = settings.work / "checkpoint.safetensors", time.monotonic(), rank == 0
    resumed = learner.restore(kept)
    if settings.steps or not resumed:
        learner.steps = _whole(settings.steps) or planned(settings, stream, together, rank)
    start = learner.minutes

    def note(**entry: Any) -> None:
        learner.minutes = start + (time.monotonic() - began) / 60
        line = {"step": learner.step, "steps": learner.steps, "images": learner.images, "minutes": learner.minutes}
        learner.log.append({k: round(v, 4) if isinstance(v, float) else v for k, v in (line | entry).items()})
        write_bytes(settings.work / "log.jsonl", "".join(json.dumps(e) + "\n" for e in learner.log).encode())
        print(json.dumps(learner.log[-1]), flush=True)

    if leading and not resumed:
        note(pixels=probed(of_pixels, settings.seed, SIZES[0], settings.judges))
        note(probe=settings.probed(learner.net))
    last = dict.fromkeys(("probe", "checkpoint", "log"), time.monotonic())
    stop = False
    while learner.step < learner.steps and not stop:
        number, since, making = learner.step // STEPS, time.monotonic(), 0.0
        shown: dict[str, float] = {}
        batches = stream.block(number, settings.size(number, learner.steps // STEPS))
        for _ in range(STEPS):
            at = time.monotonic()
            batch = next(batches)
            making += time.monotonic() - at
            shown, stop = learner.learn(batch, together, rank, time.monotonic() - began > 60 * settings.minutes)
        if not leading:
            continue
        now = time.monotonic()
        if now - last["log"] > 20 or stop:
            pace = STEPS * settings.batch * settings.processes / (now - since)
            note(**shown, images_a_second=pace, making=making / (now - since))
            last["log"] = now
        if now - last["probe"] > 60 * settings.probe:
            note(probe=settings.probed(learner.net))
            last["probe"] = time.monotonic()
        if now - last["checkpoint"] > 60 * settings.checkpoint or stop or learner.step == learner.steps:
            learner.minutes = start + (time.monotonic() - began) / 60
            learner.keep(kept)
            last["checkpoint"] = time.monotonic()
    if leading and learner.step == learner.steps:
        finish(settings, learner, note)
    elif leading:
        print(f"stopped at step {learner.step} of {learner.steps}: the same command goes on", flush=True)


def planned(settings: Settings, stream: Stream, together: Together, rank: int) -> int:
    """How many steps fit the time, from blocks at both sizes that change nothing; the same in all processes."""
    trial = settings.learner()
    trial.steps = 10 * STEPS
    seconds = []
    for number, size in enumerate((SIZES[0], *SIZES)):
        since = time.monotonic()
        for batch in stream.block(number, size):
            trial.learn(batch, together, rank, stop=False)
        seconds.append(time.monotonic() - since)  # the first also fills tables, and does not count
    block = (1 - settings.last) * seconds[1] + settings.last * seconds[2]
    blocks = float(together.mean(rank, torch.tensor([60 * settings.minutes * SPARE / block])))
    return _whole(blocks * STEPS)


def _whole(steps: float) -> int:
    """Steps in whole blocks."""
    return -(-int(steps) // STEPS) * STEPS


def finish(settings: Settings, learner: Learner, note: Any) -> None:
    """Measure what will be shipped, and write it with its card."""
    shipped = half_rounded(learner.net)
    note(probe=settings.probed(shipped))
    card = save_encoder(shipped, settings.out, {
        "size": SIZES[1],
        "generated": True,
        "licence": "Apache-2.0",
        "data": "generated by landbridge.worlds while training; no natural picture, sound or series",
        "worlds": {part.name: {"share": part.share, "classes": part.classes} for part in PARTS},
        "objective": "one softmax over the classes of all worlds, and beside it what the worlds tell of their pictures",
        "classes": sum(classes(settings.scale).values()),
        "steps": learner.steps, "images": learner.images, "minutes": round(learner.minutes, 1),
        "settings": {k: v for k, v in asdict(settings).items() if k not in ("work", "out", "network")},
        "sizes": {"first": SIZES[0], "last": SIZES[1]},
        "hardware": {"processor": _processor(), "cores": os.cpu_count(), "processes": settings.processes},
        "versions": {name: version(name) for name in ("landbridge", "torch", "numpy")},
        "recipe": "recipes/image/train.py",
        "probes": [e for e in learner.log if "probe" in e or "pixels" in e],
    })  # fmt: skip
    print(f"{settings.out}: {card['parameters']} parameters, sha256 {card['sha256']}", flush=True)


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def main() -> None:
    """Read the command line and start the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of weights and card")
    for name in ("minutes", "steps", "processes", "batch", "seed", "lr", "decay", "last", "scale", "probe",
                 "checkpoint", "judges"):  # fmt: skip
        default = Settings.__dataclass_fields__[name].default
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"default {default}")
    parser.add_argument("--network", type=json.loads, default=Encoder().shape, help="shape of the encoder as JSON")
    settings = Settings(**vars(parser.parse_args()))
    settings.work.mkdir(parents=True, exist_ok=True)
    together = Together(settings.processes, settings.learner().numbers)
    if settings.processes == 1:
        train(0, settings, together)
    else:
        multiprocessing.spawn(train, (settings, together), nprocs=settings.processes)


if __name__ == "__main__":
    main()
