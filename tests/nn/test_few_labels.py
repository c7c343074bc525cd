"""The nearest class mean and the cache against scikit-learn and loops written out."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid

from landbridge.core import registry
from landbridge.core.errors import UsageError
from landbridge.nn import few_labels
from landbridge.nn.few_labels import BETAS, SCALES, centroids, solve_cache, solve_centroid
from landbridge.nn.heads import Head, Wish
from landbridge.nn.solve import Adjustment
from landbridge.objectives.supervised import Supervised


def blobs(rows: int = 60, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    target = torch.arange(rows) % 3
    return spread * torch.randn(rows, 8, generator=g) + 2.0 * torch.eye(3, 8)[target] + 0.5, target


def cross_entropy(output: np.ndarray, truth: np.ndarray) -> float:
    return float(torch.nn.functional.cross_entropy(torch.from_numpy(output), torch.from_numpy(truth)))


def likelihood(output: np.ndarray, truth: np.ndarray) -> float:
    return -cross_entropy(output, truth)


def solved(kind: str, features: torch.Tensor, target: torch.Tensor, **more: object) -> tuple[Head, dict]:
    head = Head(features.shape[1], 3)
    head.wish = Wish(kind, **more)
    task = registry.find("tasks", "classify").from_labels(["a", "b", "c"])
    return head, Supervised().solve(features, target, task, head, seed=0)


def test_the_nearest_mean_is_scikit_learns_and_its_probabilities_those_of_the_distances() -> None:
    features, target = blobs()
    head, facts = solved("centroid", features, target, normalise="no", standardise="no")
    theirs = NearestCentroid().fit(features.numpy(), target.numpy())
    assert (head(features).argmax(1).numpy() == theirs.predict(features.numpy())).all()
    means = torch.from_numpy(theirs.centroids_).float()
    size = (features - features.mean(0)).square().sum(1).mean().sqrt()
    logits = -0.5 * facts["alpha"] * torch.cdist(features, means).square() / size**2
    torch.testing.assert_close(head(features).softmax(1), logits.softmax(1), atol=1e-4, rtol=1e-3)


def test_a_class_without_rows_is_never_chosen() -> None:
    weight, bias = centroids(torch.randn(4, 5), torch.eye(3)[torch.tensor([0, 0, 2, 2])])
    assert torch.equal(weight[1], torch.zeros(5)) and bias[1] < -1000 < bias[0]


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_the_sharpness_of_means_is_the_best_on_held_out_rows(spread: float) -> None:
    features, target = blobs(spread=spread)
    folds, hot = np.arange(60)[None] // 3 % 5, torch.eye(3)[target]
    adjustment = Adjustment.of(features, normalise=True, standardise=True)
    given = {"judge": likelihood, "loss": cross_entropy, "truth": target.numpy(), "fold_RN": folds}
    found = solve_centroid(features, hot, adjustment, **given)
    losses = []
    for scale in SCALES:
        each = []
        for k in range(5):
            train, held = torch.from_numpy(folds[0] != k), torch.from_numpy(folds[0] == k)
            means = torch.stack([adjustment(features)[train & (target == c)].mean(0) for c in range(3)])
            distance = torch.cdist(adjustment(features)[held], means).square()
            each.append(cross_entropy((-0.5 * float(scale) * distance).numpy(), target[held].numpy()))
        losses.append(np.mean(each))
    assert found.facts["alpha"] == SCALES[int(np.argmin(losses))]
    assert found.facts["cv"] == pytest.approx(-min(losses), abs=1e-5)


def test_the_cache_is_tip_adapters_formula() -> None:
    features, target = blobs()
    head, facts = solved("cache", features, target)
    new, alpha, beta = blobs(9)[0].flip(0), facts["alpha"] * 3 / 60, facts["beta"]
    for row, logits in zip(new, head(new), strict=True):
        wanted = [0.0, 0.0, 0.0]
        for key, label in zip(features, target.tolist(), strict=True):
            cosine = float(row @ key / row.norm() / key.norm())
            wanted[label] += alpha * math.exp(-beta * (1 - cosine))
        np.testing.assert_allclose(logits.detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_alpha_and_beta_are_the_best_on_held_out_rows() -> None:
    features, target = blobs(spread=1.5)
    folds, hot = np.arange(60)[None] // 3 % 4, torch.eye(3)[target]
    unit = features / features.norm(dim=1, keepdim=True)
    given = {"judge": likelihood, "loss": cross_entropy, "truth": target.numpy(), "fold_RN": folds, "seed": 0}
    found = solve_cache(features, hot, **given)
    losses = {}
    for beta in BETAS:
        for alpha in SCALES:
            each = []
            for k in range(4):
                train, held = torch.from_numpy(folds[0] != k), torch.from_numpy(folds[0] == k)
                near = torch.exp(-beta * (1 - unit[held] @ unit[train].T))
                logits = float(alpha) * near @ hot[train] * 3 / int(train.sum())
                each.append(cross_entropy(logits.numpy(), target[held].numpy()))
            losses[beta, float(alpha)] = float(np.mean(each))
    best = min(losses, key=lambda key: losses[key])
    assert losses[found.facts["beta"], found.facts["alpha"]] == pytest.approx(losses[best], abs=1e-5)
    assert found.facts["cv"] == pytest.approx(-losses[best], abs=1e-5)


def test_many_rows_leave_some_as_keys_and_weights_count(monkeypatch: pytest.MonkeyPatch) -> None:
    features, target = blobs(300, spread=0.5)
    for name, value in {"EXACT": 100, "LANDMARKS": 60, "CHOOSING": 90}.items():
        monkeypatch.setattr(few_labels, name, value)
    given = {"judge": likelihood, "loss": cross_entropy, "truth": target.numpy(), "seed": 0}
    found = solve_cache(features, torch.eye(3)[target], fold_RN=np.arange(300)[None] % 5, **given)
    assert found.support is not None and found.support.shape == (60, 8)
    weight = torch.where(target == 0, 2.0, 0.5)
    heavy = solve_cache(features, torch.eye(3)[target], fold_RN=np.arange(300)[None] % 5, weight_N=weight, **given)
    assert float(heavy.weight[0].max() / heavy.weight[1].max()) == pytest.approx(4.0)


@pytest.mark.parametrize("kind", ["centroid", "cache"])
def test_the_head_comes_back_from_its_spec_and_weights(kind: str) -> None:
    features, target = blobs(spread=0.6)
    head, _ = solved(kind, features, target)
    again = Head.from_spec(json.loads(json.dumps(head.spec())))
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(features), head(features))
    assert (head(features).argmax(1) == target).float().mean() > 0.9


def test_what_does_not_fit_is_one_line() -> None:
    features, target = blobs()
    with pytest.raises(UsageError, match="head 'cache' compares directions; normalise is auto or yes, not 'no'"):
        solved("cache", features, target, normalise="no")
    for kind in ("centroid", "cache"):
        labels = registry.find("tasks", "multilabel").from_labels([["a"], ["b"], ["c"]])
        with pytest.raises(UsageError, match=f"head '{kind}' needs one class"):
            Supervised().solve(features, torch.eye(3)[target], labels, Head(8, 3), seed=0, kind=kind)
