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
from landbridge.nn.few_labels import BETAS, centroids, solve_cache, solve_centroid
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


def directions(features: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Length 1, centred as `like` is, length 1 again."""
    unit, middle = (x / x.norm(dim=1, keepdim=True) for x in (features, like))
    centred = unit - middle.mean(0)
    return centred / centred.norm(dim=1, keepdim=True)


def test_the_nearest_mean_is_scikit_learns_and_its_probabilities_those_of_the_distances() -> None:
    features, target = blobs(spread=2.0)
    head, facts = solved("centroid", features, target)
    rows = directions(features, features)
    theirs = NearestCentroid().fit(rows.numpy(), target.numpy())
    assert (head(features).argmax(1).numpy() == theirs.predict(rows.numpy())).all()
    logits = -0.5 * facts["alpha"] * torch.cdist(rows, torch.from_numpy(theirs.centroids_).float()).square()
    torch.testing.assert_close(head(features).softmax(1), logits.softmax(1), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["centroid", "cache"])
def test_a_class_without_rows_is_never_chosen_and_one_with_a_single_row_spoils_nothing(kind: str) -> None:
    features, target = blobs()
    some = target != 1
    head, _ = solved(kind, features[some], target[some])
    assert head.bias[1] < -1000 and head.bias.detach()[0].abs() < 1000
    some[1] = True
    head, facts = solved(kind, features[some], target[some])
    assert (head(features[some]).argmax(1) == target[some]).float().mean() > 0.9
    whole = solved(kind, features, target)[1]
    assert 0.1 * whole["alpha"] <= facts["alpha"] <= 10 * whole["alpha"] or kind == "cache"


def test_a_mean_is_a_mean_and_a_missing_class_lies_in_the_middle() -> None:
    rows = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    weight, bias = centroids(rows, torch.eye(3)[torch.tensor([0, 0, 2, 2])])
    torch.testing.assert_close(weight, torch.stack([rows[:2].mean(0), rows.mean(0), rows[2:].mean(0)]))
    torch.testing.assert_close(bias, -0.5 * weight.square().sum(1))


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_the_sharpness_of_means_is_the_best_on_held_out_rows(spread: float) -> None:
    features, target = blobs(spread=spread)
    folds, hot = np.arange(60)[None] // 3 % 5, torch.eye(3)[target]
    adjustment = Adjustment.of(features, normalise=True, standardise=False, unit=True)
    given = {"judge": likelihood, "loss": cross_entropy, "truth": target.numpy(), "fold_RN": folds}
    found, rows = solve_centroid(features, hot, adjustment, **given), directions(features, features)

    def held_out_loss(alpha: float) -> float:
        each = []
        for k in range(5):
            train, held = torch.from_numpy(folds[0] != k), torch.from_numpy(folds[0] == k)
            means = torch.stack([rows[train & (target == c)].mean(0) for c in range(3)])
            distance = torch.cdist(rows[held], means).square()
            each.append(cross_entropy((-0.5 * alpha * distance).numpy(), target[held].numpy()))
        return float(np.mean(each))

    alpha = found.facts["alpha"]
    assert found.facts["cv"] == pytest.approx(-held_out_loss(alpha), abs=1e-5)
    assert all(held_out_loss(alpha) <= held_out_loss(alpha * other) + 1e-6 for other in (0.25, 0.5, 2.0, 4.0))


def test_the_cache_adds_tip_adapters_affinities_to_the_class_means() -> None:
    features, target = blobs(spread=2.5)
    head, facts = solved("cache", features, target)
    keys, new = directions(features, features), torch.randn(9, 8, generator=torch.Generator().manual_seed(1))
    alpha, beta = facts["alpha"] * 3 / 60, facts["beta"]
    assert alpha > 0
    for row, logits in zip(directions(new, features), head(new), strict=True):
        means = [keys[target == c].mean(0) for c in range(3)]
        wanted = [facts["base"] * float(row @ m - 0.5 * m @ m) for m in means]
        for key, label in zip(keys, target.tolist(), strict=True):
            wanted[label] += alpha * math.exp(-beta * (1 - float(row @ key)))
        np.testing.assert_allclose(logits.detach().numpy(), wanted, rtol=1e-3, atol=1e-4)


def test_alpha_and_beta_are_chosen_on_held_out_rows_and_never_lose_to_the_means() -> None:
    features, target = blobs(spread=2.5)
    folds, hot = np.arange(60)[None] // 3 % 4, torch.eye(3)[target]
    adjustment, rows = (
        Adjustment.of(features, normalise=True, standardise=False, unit=True), directions(features, features),
    )  # fmt: skip
    given = {"judge": likelihood, "loss": cross_entropy, "truth": target.numpy(), "fold_RN": folds}
    found = solve_cache(features, hot, adjustment, seed=0, **given)

    def held_out_loss(beta: float, alpha: float) -> float:
        each = []
        for k in range(4):
            train, held = torch.from_numpy(folds[0] != k), torch.from_numpy(folds[0] == k)
            means = torch.stack([rows[train & (target == c)].mean(0) for c in range(3)])
            base = -0.5 * found.facts["base"] * torch.cdist(rows[held], means).square()
            near = torch.exp(-beta * (1 - rows[held] @ rows[train].T))
            each.append(
                cross_entropy((base + alpha * near @ hot[train] * 3 / int(train.sum())).numpy(), target[held].numpy())
            )
        return float(np.mean(each))

    alpha, beta = found.facts["alpha"], found.facts["beta"]
    best = held_out_loss(beta, alpha)
    assert found.facts["cv"] == pytest.approx(-best, abs=1e-5) and best < held_out_loss(beta, 0.0)
    near = [held_out_loss(b, alpha * other) for b in BETAS for other in (0.5, 1.0, 2.0)]
    assert best <= min(near) + 1e-3  # the grid of alpha begins elsewhere for each beta


def test_many_rows_leave_some_as_keys_and_weights_count(monkeypatch: pytest.MonkeyPatch) -> None:
    features, target = blobs(300, spread=2.5)
    for name, value in {"EXACT": 100, "LANDMARKS": 60, "CHOOSING": 90}.items():
        monkeypatch.setattr(few_labels, name, value)
    given = {"judge": likelihood, "loss": cross_entropy, "truth": target.numpy(), "seed": 0}
    given |= {
        "fold_RN": np.arange(300)[None] // 3 % 5,
        "adjustment": Adjustment.of(features, normalise=True, standardise=False, unit=True),
    }
    found = solve_cache(features, torch.eye(3)[target], **given)
    assert found.support is not None and found.support.shape == (60, 8) and found.weight.shape == (3, 68)
    weight = torch.where(target == 0, 1.2, 0.9)
    heavy = solve_cache(features, torch.eye(3)[target], weight_N=weight, **given)
    assert float(heavy.weight[0, :60].max() / heavy.weight[1, :60].max()) == pytest.approx(4 / 3)


@pytest.mark.parametrize("kind", ["centroid", "cache"])
def test_the_head_comes_back_from_its_spec_and_weights(kind: str) -> None:
    features, target = blobs(spread=0.6)
    head, _ = solved(kind, features, target)
    again = Head.from_spec(json.loads(json.dumps(head.spec())))
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(features), head(features))
    assert (head(features).argmax(1) == target).float().mean() > 0.9


def test_several_labels_are_refused_in_one_line() -> None:
    features, target = blobs()
    labels = registry.find("tasks", "multilabel").from_labels([["a"], ["b"], ["c"]])
    for kind in ("centroid", "cache"):
        with pytest.raises(UsageError, match=f"head '{kind}' needs one class"):
            Supervised().solve(features, torch.eye(3)[target], labels, Head(8, 3), seed=0, kind=kind)
