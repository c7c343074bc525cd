"""The supervised objective against its formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from landbridge.core import registry
from landbridge.core.errors import UsageError
from landbridge.nn.heads import Head, Wish
from landbridge.objectives.supervised import Supervised
from landbridge.testing import toy_batch, toy_domain, toy_model


def setting(objective: Supervised, reads: str = "text"):
    model, domain = toy_model(reads), toy_domain(reads)
    rows = np.array([0, 1, 2, 4, 6, 8])  # five of class 0, one of class 1
    return model, objective.begin(model, domain, rows, {}), toy_batch(model.body)


def value(objective: Supervised, model, state, batch, seed: int = 0) -> torch.Tensor:
    return objective.loss(model, state, batch, torch.Generator().manual_seed(seed))["supervised"].detach()


def test_plain_and_smoothed_loss_are_cross_entropy() -> None:
    for smoothing in (0.0, 0.2):
        objective = Supervised(smoothing=smoothing)
        model, state, batch = setting(objective)
        wanted = functional.cross_entropy(model.output(batch), batch.target, label_smoothing=smoothing)
        torch.testing.assert_close(value(objective, model, state, batch), wanted.detach())


def test_balanced_weights_come_from_the_training_rows_and_live_in_the_state() -> None:
    objective = Supervised(weights="balanced")
    model, state, batch = setting(objective)
    weight = state.state_dict()["weight"]
    assert float(weight[1] / weight[0]) == pytest.approx(5.0)
    each = functional.cross_entropy(model.output(batch), batch.target, reduction="none") * weight[batch.target]
    torch.testing.assert_close(value(objective, model, state, batch), each.mean().detach())


def test_row_weights_count() -> None:
    objective = Supervised()
    model, state, batch = setting(objective)
    weight = torch.arange(32.0)
    each = functional.cross_entropy(model.output(batch), batch.target, reduction="none")
    weighted = value(objective, model, state, replace(batch, weight=weight))
    torch.testing.assert_close(weighted, ((each * weight).sum() / weight.sum()).detach())


def test_mixup_mixes_pixels_and_both_targets() -> None:
    objective = Supervised(mixup=0.7)
    model, state, batch = setting(objective, "image")
    generator = torch.Generator().manual_seed(4)
    pair = torch._standard_gamma(torch.full((2,), 0.7, dtype=torch.float64), generator=generator)
    share, partner = float(pair[0] / pair.sum()), torch.randperm(32, generator=generator)
    pixels = batch.inputs["pixels"]
    output = model({"pixels": share * pixels + (1 - share) * pixels[partner]})
    hot = functional.one_hot(batch.target).float()
    wanted = functional.cross_entropy(output, share * hot + (1 - share) * hot[partner])
    torch.testing.assert_close(value(objective, model, state, batch, 4), wanted.detach())


def test_word_numbers_are_mixed_after_pooling() -> None:
    objective = Supervised(mixup=1.0)
    model, state, batch = setting(objective)
    before = {k: v.clone() for k, v in batch.inputs.items()}
    mixed = value(objective, model, state, batch)
    assert mixed != value(Supervised(), model, state, batch) and bool(torch.isfinite(mixed))
    assert all(torch.equal(before[k], v) for k, v in batch.inputs.items())


def test_a_batch_without_labels_is_refused() -> None:
    model, state, batch = setting(Supervised())
    with pytest.raises(UsageError, match="no target"):
        value(Supervised(), model, state, replace(batch, target=None))


def blobs(rows: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    target = torch.arange(rows) % 3
    return torch.randn(rows, 10, generator=g) + 2.5 * torch.eye(3, 10)[target], target


@pytest.mark.parametrize("kind", ["auto", "logistic", "lda", "ridge", "centroid", "cache"])
def test_solving_classes(kind: str) -> None:
    features, target = blobs()
    task = registry.find("tasks", "classify").from_labels(["a", "b", "c"])
    head = Head(10, 3)
    facts = Supervised().solve(features, target, task, head, seed=0, kind=kind)
    assert facts["kind"] == ("logistic" if kind == "auto" else kind)
    assert (head(features).argmax(1) == target).float().mean() > 0.9


def test_the_heads_wish_is_followed() -> None:
    features, target = blobs()
    head = Head(10, 3)
    head.wish = Wish("lda", "no", "yes")
    task = registry.find("tasks", "classify").from_labels(["a", "b", "c"])
    facts = Supervised().solve(features, target, task, head, seed=0)
    assert facts["kind"] == "lda" and not head.normalise


def test_solving_several_labels_and_balance_favours_the_rare_one() -> None:
    features, target = blobs()
    labels = torch.stack([target == 0, (target == 1) & (torch.arange(120) % 2 == 0)], 1).float()
    task = registry.find("tasks", "multilabel").from_labels([["a"], ["b"], []] * 3)
    plain, fair = Head(10, 2), Head(10, 2)
    Supervised().solve(features, labels, task, plain, seed=0)
    Supervised(weights="balanced").solve(features, labels, task, fair, seed=0)
    assert ((plain(features)[:, 0] > 0) == (labels[:, 0] > 0)).float().mean() > 0.9
    assert (fair(features)[:, 1] > 0).sum() > (plain(features)[:, 1] > 0).sum()


def test_solving_numbers_gives_original_units() -> None:
    features, _ = blobs()
    values = 100 + 20 * features[:, 0] - 5 * features[:, 1]
    task = registry.find("tasks", "regress").from_labels(values.tolist())
    head = Head(10, 1)
    head.wish = Wish(normalise="no")
    Supervised().solve(features, values, task, head, seed=0)
    np.testing.assert_allclose(task.probabilities(head(features).detach().numpy()), values.numpy(), atol=0.5)


@pytest.mark.parametrize(("kind", "task"), [("lda", "multilabel"), ("logistic", "regress")])
def test_a_solver_that_does_not_fit_the_task_is_named(kind: str, task: str) -> None:
    features, target = blobs()
    labels = {"multilabel": [["a"], ["b"]], "regress": [1.0, 2.0]}[task]
    given = torch.ones(120, 2) if task == "multilabel" else target.float()
    with pytest.raises(UsageError, match=kind):
        Supervised().solve(
            features, given, registry.find("tasks", task).from_labels(labels), Head(10, 2), seed=0, kind=kind
        )
