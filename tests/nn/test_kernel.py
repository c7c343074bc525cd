"""Kernel ridge against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from landbridge.nn import kernel
from landbridge.nn.heads import Head
from landbridge.nn.kernel import logit_scale, rbf, solve_kernel


def rings(n: int = 120) -> tuple[torch.Tensor, np.ndarray]:
    """Two rings that no line separates."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    angle = rng.uniform(0, 2 * np.pi, n)
    radius = np.where(label == 1, 1.0, 0.4) + rng.normal(0, 0.05, n)
    return torch.tensor(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), dtype=torch.float32), label


def accuracy(label: np.ndarray):
    return lambda output, held: float((output.argmax(1).numpy() == label[held]).mean())


def test_the_kernel_is_the_formula() -> None:
    x, s = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 1.0], [0.0, 3.0]])
    assert torch.allclose(rbf(x, s, 0.5), torch.tensor([[np.exp(-0.5 * 1.0), np.exp(-0.5 * 4.0)]], dtype=torch.float32))


def test_the_solution_is_that_of_scikit_learn() -> None:
    rows, label = rings()
    target = torch.eye(2)[label]
    folds = np.arange(len(label))[None] % 5
    found = solve_kernel(rows, target, folds, accuracy(label), seed=0)
    theirs = KernelRidge(kernel="rbf", gamma=found.gamma, alpha=found.ridge).fit(rows.numpy(), target.numpy())
    ours = rbf(rows, found.support, found.gamma) @ found.weight
    assert np.allclose(ours.numpy(), theirs.predict(rows.numpy()), atol=1e-3)
    assert found.score > 0.95


def test_landmarks_come_close_to_the_exact_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, label = rings(400)
    target, folds = torch.eye(2)[label], np.arange(400)[None] % 5
    monkeypatch.setattr(kernel, "EXACT", 100)
    monkeypatch.setattr(kernel, "LANDMARKS", 80)
    found = solve_kernel(rows, target, folds, accuracy(label), seed=0)
    assert found.support.shape == (80, 2)
    guess = (rbf(rows, found.support, found.gamma) @ found.weight).argmax(1).numpy()
    assert (guess == label).mean() > 0.95


def test_a_kernel_head_bends_and_comes_back_from_its_spec() -> None:
    rows, label = rings()
    target, folds = torch.eye(2)[label], np.arange(len(label))[None] % 5
    found = solve_kernel(rows, target, folds, accuracy(label), seed=0)
    head = Head(2, 2)
    head.fill_kernel(found.weight.T, torch.zeros(2), found.support, found.gamma, torch.zeros(2), torch.ones(2))
    output = head(rows)
    assert (output.argmax(1).numpy() == label).mean() > 0.95
    again = Head.from_spec(head.spec())
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(rows), output)


def test_a_linear_fill_takes_the_bend_away() -> None:
    head = Head(2, 3)
    head.fill_kernel(torch.ones(3, 5), torch.zeros(3), torch.ones(5, 2), 1.0, torch.zeros(2), torch.ones(2))
    head.fill(torch.eye(3)[:, :2], torch.zeros(3))
    assert torch.allclose(head(torch.tensor([[2.0, 3.0]])), torch.tensor([[2.0, 3.0, 0.0]]))


def test_the_logit_scale_is_the_best_of_the_grid() -> None:
    output = torch.tensor([[0.2, 0.0], [0.0, 0.2], [0.2, 0.0]])
    truth = torch.tensor([0, 1, 1])
    loss = lambda o: float(torch.nn.functional.cross_entropy(o, truth))  # noqa: E731
    best = logit_scale(output, loss)
    assert all(loss(output * best) <= loss(output * float(s)) + 1e-12 for s in kernel.SCALES)
