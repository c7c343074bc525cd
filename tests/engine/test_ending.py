"""A schedule's end stands for an earlier epoch unless that one was better by more than few rows can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine_builders import make_loop

from landbridge.core import registry
from landbridge.engine.ending import as_good, seen_with
from landbridge.testing import toy_domain

ROWS = np.arange(40)


def outputs(right: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Logits that name the right class in the given rows and the other one elsewhere."""
    named = np.where(right, targets, 1 - targets)
    return np.eye(2, dtype=np.float32)[named]


@pytest.mark.parametrize(("lost", "gained", "good"), [(1, 0, True), (0, 1, True), (6, 3, True), (9, 0, False)])
def test_the_end_is_as_good_within_two_standard_errors(lost: int, gained: int, good: bool) -> None:
    domain = toy_domain("text", rows=40)
    target = domain.targets[ROWS]
    best = np.ones(40, bool)
    best[:gained] = False
    end = np.ones(40, bool)
    end[40 - lost :] = False
    # by hand: d of the 40 paired differences are 1 and g are -1; the standard error is sqrt(var / 40)
    pairs = best.astype(float) - end
    assert good == (pairs.mean() <= 2 * pairs.std() / np.sqrt(40))
    assert as_good(domain.task, domain, ROWS, outputs(end, target), outputs(best, target)) is good


def test_rows_of_a_group_count_as_one() -> None:
    domain = toy_domain("text", rows=40)
    target = domain.targets[ROWS]
    end = np.ones(40, bool)
    end[:9] = False
    grouped = replace(domain, groups=np.array(["a"] * 9 + [f"b{i}" for i in range(31)]))
    pair = outputs(end, target), outputs(np.ones(40, bool), target)
    assert as_good(grouped.task, grouped, ROWS, *pair) and not as_good(domain.task, domain, ROWS, *pair)


def test_a_number_is_judged_in_its_own_metric() -> None:
    domain = toy_domain("text", rows=40, task=registry.find("tasks", "regress").from_labels([0.0, 1.0]))
    target = domain.task.encode(domain.targets[ROWS].tolist())
    exact = ((target - target.mean()) / target.std()).reshape(-1, 1).astype(np.float32)
    assert as_good(domain.task, domain, ROWS, exact, exact)
    assert not as_good(domain.task, domain, ROWS, -exact, exact)


def test_the_weights_are_put_back_after_a_look() -> None:
    own = {"w": torch.arange(3.0)}
    seen = seen_with({"w": torch.full((3,), 7.0)}, own, lambda: own["w"].numpy().copy())
    assert (seen == 7.0).all() and torch.equal(own["w"], torch.arange(3.0))


def test_a_whole_schedule_keeps_its_end_and_a_cut_one_its_best(monkeypatch: pytest.MonkeyPatch) -> None:
    from landbridge.engine import loop as file

    for verdict, expected in ((True, 6), (False, 1)):
        monkeypatch.setattr(file, "as_good", lambda *_, verdict=verdict: verdict)
        loop = make_loop(epochs=6)
        scores = iter([0.9, 0.5, 0.5, 0.5, 0.5, 0.5])
        monkeypatch.setattr(type(loop.task), "score", lambda *_, scores=scores: next(scores))
        seen = loop.run()
        assert seen.best_epoch == expected and seen.epoch == 6
