"""The recipe of the image encoder: the stream repeats, goals count what is known, training goes on exactly."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from augment import VIEWS, seen
from facts import CHOICES, NUMBERS, PRESENT, blank
from goals import BESIDE, SMOOTHING, Goals
from learner import Learner
from probe import accuracy
from stream import PARTS, STEPS, Stream, classes
from together import Together
from torch.nn import functional
from train import Settings, train

from landbridge.core.model import weights_hash
from landbridge.nn.encoder import Encoder
from landbridge.sources.encoder_folder import open_encoder

SMALL = {"stem": 8, "widths": [8, 16], "depths": [1, 1]}
SCALE = 0.01


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny tensors gain nothing by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def block():
    return list(Stream(seed=1, batch=16, scale=SCALE).block(0, 32))


def test_a_block_repeats_and_its_batches_are_whole(block) -> None:
    again = list(Stream(seed=1, batch=16, scale=SCALE).block(0, 32))
    other = list(Stream(seed=1, batch=16, scale=SCALE, rank=1, ranks=2).block(0, 32))
    assert len(block) == STEPS
    for one, two, three in zip(block, again, other, strict=True):
        assert one.pixels.shape == (16, 32, 32, 3) and one.pixels.dtype == np.uint8
        assert np.array_equal(one.pixels, two.pixels) and not np.array_equal(one.pixels, three.pixels)
        assert all(np.array_equal(one.targets[n], two.targets[n], equal_nan=n not in CHOICES) for n in one.targets)


def test_targets_are_in_range_and_cropped_pictures_tell_only_their_class(block) -> None:
    joined = {n: np.concatenate([b.targets[n] for b in block]) for n in block[0].targets}
    views = np.concatenate([b.views for b in block])
    assert set(views.tolist()) == set(VIEWS)
    assert joined["class"].max() < sum(classes(SCALE).values())
    for name, count in CHOICES.items():
        assert joined[name].max() < count
        assert (joined[name] >= 0).any(), f"{name} is never told"
    for name in (*PRESENT, *NUMBERS):
        told = np.isfinite(joined[name]).all(1)
        assert told.any() and (views[told] == "still").all()
    cropped = views != "still"
    assert all((joined[name][cropped] == -1).all() for name in CHOICES)
    assert (joined["class"][cropped] >= 0).all()


def test_every_world_has_a_share_and_shares_are_all() -> None:
    assert sum(part.share for part in PARTS) == pytest.approx(1.0)
    assert all(part.share > 0 and set(part.views) <= set(VIEWS) for part in PARTS)


def test_pictures_are_seen_otherwise_each_time_but_keep_their_range(block) -> None:
    first, again, other = (seen(block[0], torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (16, 3, 32, 32) and float(first.abs().max()) < 4
    assert torch.isfinite(first).all()


def test_goals_sum_what_is_known_over_the_whole_batch() -> None:
    goals, features = Goals(4, 5), torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    targets = {name: torch.from_numpy(values) for name, values in blank(3).items()}
    targets["class"][0] = 2
    targets["count"][1] = 4
    targets["waves"][2] = 0.5
    total, shown = goals(features, targets)
    output = {name: head(features) for name, head in goals.heads.items()}
    logs = output["class"][0].log_softmax(0)
    first = -((1 - SMOOTHING) * logs[2] + SMOOTHING * logs.mean())
    second = -output["count"][1].log_softmax(0)[4]
    third = functional.smooth_l1_loss(output["waves"][2], torch.tensor([0.5]))
    torch.testing.assert_close(total, (first + BESIDE * (second + third)) / 3)
    assert shown["class"] == pytest.approx(float(first.detach())) and shown["hue"] == 0.0
    total.backward()
    assert float(goals.heads["kind"].weight.grad.abs().sum()) == 0.0


def test_two_processes_hold_one_network(block) -> None:
    learners = [learner() for _ in range(2)]
    together, failures = Together(2, learners[0].numbers), []

    def work(rank: int) -> None:
        try:
            for batch in block[rank : rank + 2]:
                stops[rank] = learners[rank].learn(batch, together, rank, stop=rank == 1)[1]
        except Exception as error:  # a thread's failure must not hang the other
            together.barrier.abort()
            failures.append(error)

    stops = [False, False]
    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and stops == [True, True]
    assert weights_hash(learners[0].net) == weights_hash(learners[1].net) != weights_hash(learner().net)
    assert learners[0].images == 64


def learner() -> Learner:
    made = Learner(seed=1, network=SMALL, scale=SCALE, lr=1e-3, decay=0.05)
    made.steps = 16
    return made


def test_a_probe_tells_what_features_tell_and_nothing_else() -> None:
    labels = np.arange(60) % 3
    clear = functional.one_hot(torch.from_numpy(labels)).float()
    noise = 0.1 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    assert accuracy(clear + noise, labels, 30) == 1.0
    assert accuracy(noise, labels, 30) < 0.7


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path, capsys) -> None:
    def settings(name: str, minutes: float) -> Settings:
        return Settings(
            work=tmp_path / name, out=tmp_path / name / "out", minutes=minutes, steps=16, processes=1, batch=8,
            seed=1, scale=SCALE, judges=2, network=SMALL,
        )  # fmt: skip

    alone = Together(1, 0)
    train(0, settings("stopped", 0.0), alone)
    assert "stopped at step 8 of 16" in capsys.readouterr().out
    assert not (tmp_path / "stopped" / "out").exists()
    train(0, settings("stopped", 60.0), alone)
    train(0, settings("whole", 60.0), alone)
    cards = [json.loads((tmp_path / n / "out" / "card.json").read_text()) for n in ("stopped", "whole")]
    assert cards[0]["sha256"] == cards[1]["sha256"] and cards[0]["images"] == 16 * 8
    body = open_encoder(tmp_path / "whole" / "out", "embedded:pictures", True)
    assert weights_hash(body.net) != weights_hash(Encoder(**SMALL)) and body.card["licence"] == "Apache-2.0"
    log = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert {"pixels", "probe"} <= set().union(*log) and log[-1]["step"] == 16
    assert str(tmp_path) not in json.dumps(cards)
