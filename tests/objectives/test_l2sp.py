"""The pull to the start against its formula, and what it does to training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landbridge.core import registry
from landbridge.objectives.l2sp import L2SP
from landbridge.testing import toy_batch, toy_domain, toy_model
from landbridge.testing.training import cross_entropy, train


def value(objective: L2SP, model, state) -> float:
    terms = objective.loss(model, state, toy_batch(model.body), torch.Generator())
    return float(terms["l2sp"].detach())


@pytest.mark.parametrize("tuning", ["full", "partial", "lora"])
def test_the_penalty_is_the_formula_over_what_moves(tuning: str) -> None:
    model, objective = toy_model(), L2SP(strength=0.3, head=0.05)
    registry.find("tunings", tuning)().attach(model)
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    state = objective.begin(model, toy_domain(), np.arange(6), {})
    generator, wanted = torch.Generator().manual_seed(0), 0.0
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
            if p.requires_grad:
                alpha, centre = (0.05, 0.0) if name.startswith("head.") else (0.3, start[name])
                wanted += alpha / 2 * float(((p - centre) ** 2).sum())
    assert value(objective, model, state) == pytest.approx(wanted, rel=1e-5)


def test_what_a_later_level_releases_is_pulled_to_the_start_as_well() -> None:
    model, objective = toy_model(), L2SP(strength=1.0, head=0.0)
    handle = registry.find("tunings", "gradual")().attach(model)
    state = objective.begin(model, toy_domain(), np.arange(6), {})
    lowest = handle.levels[-1].groups[0]["params"][0].requires_grad_(True)
    with torch.no_grad():
        lowest.add_(0.5)
    assert value(objective, model, state) == pytest.approx(0.5 * 0.25 * lowest.numel(), rel=1e-4)


def test_a_strong_pull_keeps_the_body_near_and_lets_it_learn() -> None:
    gone = []
    for strength in (0.0, 1.0):
        model, objective = toy_model(), L2SP(strength=strength, head=0.0)
        handle = registry.find("tunings", "full")(layer_decay=1.0, head_scale=1.0).attach(model)
        state = objective.begin(model, toy_domain(), np.arange(6), {})
        before = {n: p.detach().clone() for n, p in model.body.named_parameters()}

        def loss(model, batch, objective=objective, state=state):
            return cross_entropy(model, batch) + objective.loss(model, state, batch, torch.Generator())["l2sp"]

        first, last = train(model, handle, toy_batch(model.body), loss)
        assert last < 0.7 * first
        gone.append(sum(float((p.detach() - before[n]).square().sum()) for n, p in model.body.named_parameters()))
    assert gone[1] < 0.5 * gone[0]
