"""Co-Tuning against its formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from landbridge.core import registry
from landbridge.core.errors import UsageError
from landbridge.objectives.cotuning import CoTuning
from landbridge.testing import toy_batch, toy_domain, toy_model

ROWS = np.arange(0, 48, 2)


def answers(model, domain, rows, temperature: float) -> torch.Tensor:
    """What the source's own classifier says of rows."""
    prepare = model.body.prepare
    inputs = prepare.collate([prepare(domain.example(int(r))) for r in rows])
    weight, bias = model.body.source_head
    with torch.no_grad():
        return ((model.features(inputs) @ weight.T + bias) / temperature).softmax(1)


@pytest.mark.parametrize("reads", ["text", "image"])
def test_the_direct_relation_averages_the_sources_answers_over_each_class(reads: str) -> None:
    model, domain, rows = toy_model(reads), toy_domain(reads), np.arange(37)
    state = CoTuning(relation="direct", temperature=2.0).begin(model, domain, rows, {})
    said = answers(model, domain, rows, 2.0)
    wanted = torch.stack([said[domain.targets[rows] == c].mean(0) for c in (0, 1)])
    torch.testing.assert_close(state.relation, wanted)


def test_the_loss_is_the_cross_entropy_of_the_sources_classifier_against_the_relation() -> None:
    model, domain = toy_model(), toy_domain()
    objective = CoTuning(strength=0.7)
    state, batch = objective.begin(model, domain, np.arange(24), {}), toy_batch(model.body)
    with torch.no_grad():
        state.weight.mul_(1.1)  # it has moved since
        logits = model.pooled(batch) @ (1.1 * model.body.source_head[0]).T
    wanted = -0.7 * (state.relation[batch.target] * logits.log_softmax(1)).sum(1).mean()
    terms = objective.loss(model, state, batch, torch.Generator())
    torch.testing.assert_close(terms["cotuning"].detach(), wanted)
    assert {n for n, p in state.named_parameters() if p.requires_grad} == {"weight", "bias"}
    assert torch.allclose(state.relation.sum(1), torch.ones(2))


def test_only_the_last_depth_is_read_where_several_are() -> None:
    model, domain, batch = toy_model(), toy_domain(), toy_batch(toy_model().body)
    plain = CoTuning().begin(model, domain, np.arange(24), {})
    alone = CoTuning().loss(model, plain, batch, torch.Generator())["cotuning"]
    registry.find("tunings", "probe")(taps=2).attach(model)
    tapped = CoTuning().begin(model, domain, np.arange(24), {})
    torch.testing.assert_close(tapped.relation, plain.relation)
    torch.testing.assert_close(CoTuning().loss(model, tapped, batch, torch.Generator())["cotuning"], alone)


def test_a_source_without_a_classifier_and_other_tasks_are_refused_in_one_line() -> None:
    model, domain = toy_model(), toy_domain()
    model.body.source_head = None
    with pytest.raises(UsageError, match="cotuning: toy:text has no classifier of its own; use l2sp") as caught:
        CoTuning().begin(model, domain, ROWS, {})
    assert "\n" not in str(caught.value)
    task = registry.find("tasks", "regress").from_labels([0.0, 1.0, 2.0])
    with pytest.raises(UsageError, match="cotuning: needs one class for each row, the task is regress"):
        CoTuning().begin(toy_model(), toy_domain(task=task), ROWS, {})
    fine = toy_model()
    batch = replace(toy_batch(fine.body), target=None)
    with pytest.raises(UsageError, match="no target"):
        CoTuning().loss(fine, CoTuning().begin(fine, domain, ROWS, {}), batch, torch.Generator())
