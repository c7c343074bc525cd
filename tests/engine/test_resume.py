"""Stopped at any epoch and resumed in fresh objects, training ends in the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from engine_builders import Pulled, make_loop, weights

from landbridge.engine.checkpoint import Checkpoint
from landbridge.objectives.supervised import Supervised

EPOCHS = 5
CASES: dict[str, dict[str, Any]] = {
    "dropout": {"tuning": "full(dropout=True)"},
    "ema": {"tuning": "full(dropout=True)", "average": "ema"},
    "swa": {"tuning": "partial(2, dropout=True)", "average": "swa"},
    "levels": {"tuning": "gradual(step=1)", "patience": 1, "lr": 0.2},
    "objectives": {"tuning": "full", "objectives": (Supervised(mixup=0.4), Pulled())},
    "statistics": {"tuning": "full(norm_statistics='moving')", "reads": "image"},
    "refit": {"tuning": "full(dropout=True)", "validate": False, "average": "ema"},
    "wise": {"tuning": "gradual(step=1)", "patience": 1, "lr": 0.2, "average": "wise"},
    "averaged statistics": {"tuning": "full(norm_statistics='moving')", "reads": "image", "average": "ema"},
}


class Interrupted(Exception):
    """As if the process had been killed."""


class Killing(Checkpoint):
    """Dies right after it wrote the state of an epoch."""

    at = 0

    def save(self, loop: Any, seen: Any) -> None:
        """Write, then die."""
        super().save(loop, seen)
        if seen.epoch == self.at:
            raise Interrupted


@pytest.mark.parametrize("case", CASES)
def test_stop_and_resume_is_bit_equal_at_every_epoch(case: str, tmp_path: Path) -> None:
    given = {"epochs": EPOCHS, "lr": 1e-2, **CASES[case]}
    straight = make_loop(**given)
    expected = straight.run()
    for stop in range(1, expected.epoch):
        path = tmp_path / f"{stop}.safetensors"
        killing = Killing(path, every=0.0)
        killing.at = stop
        with pytest.raises(Interrupted):
            make_loop(**given, checkpoint=killing).run()
        resumed = make_loop(**given | {"epochs": 1}, checkpoint=Checkpoint(path, every=0.0))  # the plan is in the file
        seen = resumed.run()
        one, two = ([{k: v for k, v in p.items() if k != "seconds"} for p in s.curve] for s in (expected, seen))
        assert one == two and (seen.best_epoch, seen.level, seen.ended) == (
            expected.best_epoch, expected.level, expected.ended,
        )  # fmt: skip
        after = weights(resumed)
        assert all(torch.equal(after[n], t) for n, t in weights(straight).items()), stop
        seconds = [p["seconds"] for p in seen.curve]
        assert seconds == sorted(seconds) and resumed.epochs == EPOCHS


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "other"])
def test_a_torn_checkpoint_means_a_fresh_start(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    make_loop(epochs=2, checkpoint=Checkpoint(path, every=0.0)).run()
    whole = path.read_bytes()
    bad = {"cut": whole[: len(whole) // 2], "empty": b"", "noise": b"\xff" * 500, "other": whole[:8] + b"{}" * 40}
    path.write_bytes(bad[damage])
    loop = make_loop(epochs=2, checkpoint=Checkpoint(path, every=1e9))
    fresh = make_loop(epochs=2)
    assert [p["loss"] for p in loop.run().curve] == [p["loss"] for p in fresh.run().curve]
    assert not path.exists()


def test_writes_are_spaced_in_time_and_cleared_at_the_end(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c", every=1e9)
    make_loop(epochs=2, checkpoint=checkpoint).run()
    assert not checkpoint.path.exists()
    checkpoint.clear()
    make_loop(epochs=1, checkpoint=Checkpoint(checkpoint.path, every=0.0)).run()
    assert checkpoint.path.exists()
    checkpoint.clear()
    assert not checkpoint.path.exists()
