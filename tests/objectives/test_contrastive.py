"""Both losses over pairs against loops written out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from landbridge.core import registry
from landbridge.core.errors import UsageError
from landbridge.objectives.contrastive import Contrastive
from landbridge.testing import toy_batch, toy_domain, toy_model


def setting(target: list[int], reads: str = "text"):
    model = toy_model(reads)
    batch = toy_batch(model.body, rows=len(target)).with_target(torch.tensor(target))
    features = model.pooled(batch).detach().double().numpy()
    unit = features / np.sqrt((features**2).sum(1, keepdims=True))
    return model, batch, unit @ unit.T


def value(objective: Contrastive, model, batch) -> float:
    return float(objective.loss(model, torch.nn.Module(), batch, torch.Generator())["contrastive"].detach())


@pytest.mark.parametrize("reads", ["text", "image"])
def test_cosine_is_the_squared_error_of_as_many_pairs_of_each_kind(reads: str) -> None:
    target = [0, 1, 0, 2, 1, 0, 1]
    model, batch, cosine = setting(target, reads)
    near, far = [], []
    for i in range(7):
        for j in range(i):
            if target[i] == target[j]:
                near.append((cosine[i, j] - 1.0) ** 2)
            else:
                far.append((cosine[i, j] - 0.0) ** 2)
    wanted = (np.mean(near) + np.mean(far)) / 2
    assert value(Contrastive(), model, batch) == pytest.approx(wanted, rel=1e-5)
    assert value(Contrastive(strength=0.25), model, batch) == pytest.approx(0.25 * wanted, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_supcon_is_khoslas_equation_and_leaves_out_lonely_anchors(temperature: float) -> None:
    target = [0, 1, 0, 2, 1, 0]  # the only row of class 2 is no anchor, but is pushed away
    model, batch, cosine = setting(target)
    each = []
    for i in range(6):
        mine = [p for p in range(6) if p != i and target[p] == target[i]]
        bottom = sum(math.exp(cosine[i, a] / temperature) for a in range(6) if a != i)
        if mine:
            each.append(-np.mean([math.log(math.exp(cosine[i, p] / temperature) / bottom) for p in mine]))
    objective = Contrastive(kind="supcon", temperature=temperature)
    assert len(each) == 5 and value(objective, model, batch) == pytest.approx(np.mean(each), rel=1e-4)


@pytest.mark.parametrize("kind", ["cosine", "supcon"])
@pytest.mark.parametrize("target", [[0], [0, 0, 0], [0, 1, 2]])
def test_batches_without_one_kind_of_pair_still_have_a_finite_gradient(kind: str, target: list[int]) -> None:
    model, batch, _ = setting(target)
    for p in model.parameters():
        p.requires_grad_(True)
    Contrastive(kind=kind).loss(model, torch.nn.Module(), batch, torch.Generator())["contrastive"].backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)


def test_half_precision_features_are_compared_in_full() -> None:
    model, batch, _ = setting([0, 1, 0, 1, 0, 1])
    exact = value(Contrastive(kind="supcon"), model, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert value(Contrastive(kind="supcon"), model, batch) == pytest.approx(exact, rel=0.03)
    terms = Contrastive().loss(model.bfloat16(), torch.nn.Module(), batch, torch.Generator())
    assert terms["contrastive"].dtype == torch.float32


def test_numbers_and_batches_without_labels_are_refused() -> None:
    task = registry.find("tasks", "regress").from_labels([0.0, 1.0, 2.0])
    with pytest.raises(UsageError, match="contrastive: needs one class for each row, the task is regress"):
        Contrastive().begin(toy_model(), toy_domain(task=task), np.arange(4), {})
    model, batch, _ = setting([0, 1])
    with pytest.raises(UsageError, match="no target"):
        value(Contrastive(), model, replace(batch, target=None))
