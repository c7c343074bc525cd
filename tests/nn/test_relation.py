"""The relation of two sets of classes against scikit-learn's regression and Bayes' rule by hand."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from landbridge.nn import relation
from landbridge.nn.relation import direct_relation, reverse_relation


def answers(rows: int = 90) -> tuple[torch.Tensor, torch.Tensor]:
    """Over five source classes; class 0 looks like source class 1, class 1 like 3, class 2 like 0 or 4."""
    rng = np.random.default_rng(0)
    target = np.arange(rows) % 3
    like = np.where(target == 0, 1, np.where(target == 1, 3, np.where(rng.random(rows) < 0.5, 0, 4)))
    logits = rng.normal(0, 1.0, (rows, 5)) + 2.5 * np.eye(5)[like]
    return torch.tensor(logits).softmax(1), torch.tensor(target)


def test_the_reverse_relation_is_a_regression_turned_by_bayes(monkeypatch) -> None:
    source, target = answers()
    monkeypatch.setattr(relation, "STRENGTHS", (10.0,))
    monkeypatch.setattr(relation, "SHARPNESS", np.array([0.5]))
    found = reverse_relation(source, target, 3, np.arange(90)[None] % 5)
    theirs = LogisticRegression(C=10.0, tol=1e-10, max_iter=5000).fit(source.numpy(), target.numpy())
    logits = 0.5 * theirs.decision_function(np.eye(5))
    given = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)  # p(class | source class), 5x3
    joint = given.T * source.mean(0).numpy()
    np.testing.assert_allclose(found.numpy(), joint / joint.sum(1, keepdims=True), atol=2e-3)


def test_penalty_and_sharpness_are_chosen_on_held_out_rows() -> None:
    source, target = answers()
    found = reverse_relation(source, target, 3, np.arange(90)[None] % 5)
    torch.testing.assert_close(found.sum(1), torch.ones(3, dtype=found.dtype))
    assert found[0].argmax() == 1 and found[1].argmax() == 3 and set(found[2].topk(2).indices.tolist()) == {0, 4}
    shuffled = target[torch.randperm(90, generator=torch.Generator().manual_seed(0))]
    nothing = reverse_relation(source, shuffled, 3, np.arange(90)[None] % 5)
    assert float((nothing - source.mean(0)).abs().max()) < 0.1  # labels at random: the source's own shares


def test_the_direct_relation_is_a_mean_and_a_class_without_rows_gets_all() -> None:
    source, target = answers()
    found = direct_relation(source, target, 4)
    for c in range(3):
        torch.testing.assert_close(found[c], source[target == c].mean(0))
    torch.testing.assert_close(found[3], source.mean(0))
