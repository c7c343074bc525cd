"""Objectives over two views against loops over the papers' formulas, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from landbridge.core.errors import UsageError
from landbridge.core.registry import find
from landbridge.objectives.barlow import twins
from landbridge.objectives.dino import Dino
from landbridge.objectives.simclr import nt_xent
from landbridge.objectives.simsiam import distance
from landbridge.objectives.vicreg import VICReg, redundancy, spread
from landbridge.testing import toy_batch, toy_domain, toy_model

PAIRED = ("simclr", "simsiam", "vicreg", "barlow", "dino")


def pair(rows: int = 5, width: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(rows, width, generator=generator, dtype=torch.float64)
    return first, first + 0.5 * torch.randn(rows, width, generator=generator, dtype=torch.float64)


def test_nt_xent_is_equation_1_over_all_ordered_pairs() -> None:
    first, second = pair()
    rows = [r / r.norm() for r in (*first, *second)]
    total = 0.0
    for k in range(5):
        for i, j in ((k, k + 5), (k + 5, k)):
            bottom = sum(math.exp(float(rows[i] @ rows[n]) / 0.3) for n in range(10) if n != i)
            total -= math.log(math.exp(float(rows[i] @ rows[j]) / 0.3) / bottom)
    assert float(nt_xent(first, second, 0.3)) == pytest.approx(total / 10)


def test_simsiam_distance_is_the_negative_cosine() -> None:
    first, second = pair()
    wanted = -np.mean([float(a @ b / a.norm() / b.norm()) for a, b in zip(first, second, strict=True)])
    assert float(distance(first, second)) == pytest.approx(wanted)


def test_simsiam_sends_no_gradient_into_what_is_foretold() -> None:
    model = toy_model("image")
    objective = find("objectives", "simsiam")()
    state = objective.begin(model, toy_domain("image"), np.arange(4), {})
    batch = toy_batch(model.body, rows=6, views=2)
    for p in model.parameters():
        p.requires_grad_(True)
    objective.loss(model, state, batch, torch.Generator())["simsiam"].backward()
    mine = model.body.net.stem[0].weight.grad.clone()
    model.zero_grad()
    one, two = (model.pooled(v) for v in batch.views)
    with torch.no_grad():
        held = [state.project(z) for z in (one, two)]
    value = sum(0.5 * distance(state.predict(state.project(z)), w) for z, w in ((one, held[1]), (two, held[0])))
    value.backward()
    torch.testing.assert_close(mine, model.body.net.stem[0].weight.grad)


def test_vicreg_terms_are_equations_1_and_3() -> None:
    rows, _ = pair(6, 3)
    x = rows.numpy()
    hinge = [max(0.0, 1 - math.sqrt(x[:, j].var(ddof=1) + 1e-4)) for j in range(3)]
    assert float(spread(rows)) == pytest.approx(np.mean(hinge))
    covariance = sum(np.outer(r - x.mean(0), r - x.mean(0)) for r in x) / 5
    wanted = sum(covariance[i, j] ** 2 for i in range(3) for j in range(3) if i != j) / 3
    assert float(redundancy(rows)) == pytest.approx(wanted)


def test_vicreg_weighs_its_terms() -> None:
    model = toy_model("text")
    batch = toy_batch(model.body, rows=8, views=2)
    terms: list[dict[str, torch.Tensor]] = []
    for objective in (VICReg(), VICReg(invariance=50.0, variance=12.5, covariance=3.0)):
        state = objective.begin(model, toy_domain("text"), np.arange(4), {})
        terms.append({k: v.detach() for k, v in objective.loss(model, state, batch, torch.Generator()).items()})
    for name, factor in (("invariance", 2.0), ("variance", 0.5), ("covariance", 3.0)):
        assert float(terms[1][name]) == pytest.approx(factor * float(terms[0][name]), rel=1e-5)


def test_barlow_is_equation_1_over_the_cross_correlation_of_equation_2() -> None:
    first, second = pair(7, 3)
    a, b = ((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) for x in (first.numpy(), second.numpy()))
    total = 0.0
    for i in range(3):
        for j in range(3):
            c = sum(a[n, i] * b[n, j] for n in range(7)) / 7
            total += (1 - c) ** 2 if i == j else 0.1 * c**2
    assert float(twins(first, second, 0.1)) == pytest.approx(total)


def test_dino_is_the_cross_entropy_against_the_centred_sharp_teacher_and_its_copies_follow() -> None:
    model, objective = toy_model("image"), Dino(prototypes=6, hidden=8, bottleneck=4, momentum=0.5, centring=0.8)
    state = objective.begin(model, toy_domain("image"), np.arange(4), {})
    state.centre.copy_(torch.linspace(-0.1, 0.1, 6))
    batch = toy_batch(model.body, rows=4, views=2)
    with torch.no_grad():
        scores = [state.head(model.pooled(view)).numpy() for view in batch.views]  # the teacher begins as a copy
    total = 0.0
    for one, other in ((0, 1), (1, 0)):
        for n in range(4):
            wanted = np.exp((scores[one][n] - state.centre.numpy()) / 0.04)
            told = np.exp(scores[other][n] / 0.1)
            total -= np.sum(wanted / wanted.sum() * np.log(told / told.sum()))
    got = objective.loss(model, state, batch, torch.Generator())["dino"]
    assert float(got.detach()) == pytest.approx(total / 8, rel=1e-4)

    before = state.teacher.module.prototypes.clone()
    with torch.no_grad():
        state.head.prototypes.add_(1.0)
    centre = 0.8 * state.centre + 0.2 * torch.from_numpy(np.concatenate(scores).mean(0))
    objective.after_step(model, state, 0.0)
    torch.testing.assert_close(state.teacher.module.prototypes, before + 0.5)
    torch.testing.assert_close(state.centre, centre)
    objective.after_step(model, state, 1.0)  # at the end of the schedule nothing moves any more
    torch.testing.assert_close(state.teacher.module.prototypes, before + 0.5)
    assert not any(p.requires_grad for p in (*state.body.parameters(), *state.teacher.parameters()))


@pytest.mark.parametrize("name", PAIRED)
def test_a_batch_without_views_or_with_one_example_is_refused(name: str) -> None:
    model, objective = toy_model("text"), find("objectives", name)()
    state = objective.begin(model, toy_domain("text"), np.arange(4), {})
    batch = toy_batch(model.body, rows=4, views=2)
    for bad, why in ((replace(batch, views=()), "two views"), (batch.rows(slice(0, 1)), "got 1")):
        with pytest.raises(UsageError, match=f"^{name}: .*{why}"):
            objective.loss(model, state, bad, torch.Generator())


@pytest.mark.parametrize("name", PAIRED)
def test_labels_are_not_looked_at(name: str) -> None:
    model, objective = toy_model("image"), find("objectives", name)()
    state = objective.begin(model, toy_domain("image"), np.arange(4), {})
    batch = toy_batch(model.body, rows=6, views=2)
    found = [objective.loss(model, state, b, torch.Generator()) for b in (batch, replace(batch, target=None))]
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])
