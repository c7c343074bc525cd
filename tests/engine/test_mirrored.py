"""Pictures that are written one way are told from their mirror images, others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold

from landbridge.engine.mirrored import sides, told_apart
from landbridge.engine.supply import Supply
from landbridge.engine.workshop import Workshop
from landbridge.nn.views import FlipCrop
from landbridge.testing import toy_body, toy_domain


def strokes(count: int, seed: int = 0) -> list[np.ndarray]:
    """Pictures 1x24x24 of an L, moved about and noisy."""
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 0.3, (count, 1, 24, 24)).astype(np.float32)
    for picture in made:
        y, x = rng.integers(0, 8, 2)
        picture[0, y : y + 14, x : x + 3] += 1
        picture[0, y + 11 : y + 14, x : x + 10] += 1
    return list(made)


def test_letters_are_one_sided_and_what_comes_either_way_round_is_not() -> None:
    letters = strokes(120)
    rng = np.random.default_rng(1)
    either = [p[:, :, ::-1] if rng.random() < 0.5 else p for p in letters]
    assert sides(letters).one and not sides(either).one
    assert sides([p[:, :, ::-1] for p in letters]).one, "mirrored letters are as one-sided"
    assert not sides(letters[:6]).one, "six rows are no proof"
    assert not sides([]).one and not sides([np.ones((3, 8, 8), np.float32)] * 50).one


def test_symmetric_pictures_are_told_by_chance() -> None:
    half = np.random.default_rng(0).normal(size=(40, 12, 12))
    assert told_apart(half + half[:, :, ::-1]) == 0.5


def test_the_share_is_that_of_ridge_over_the_antisymmetric_kernel() -> None:
    small = np.random.default_rng(0).normal(size=(35, 12, 12)) + np.linspace(-0.3, 0.3, 12)
    unit = [s.reshape(35, -1) for s in (small, small[:, :, ::-1])]
    unit = [u - u.mean(1, keepdims=True) for u in unit]
    a, b = (u / np.linalg.norm(u, axis=1, keepdims=True) for u in unit)
    gaussian = RBF(length_scale=0.5)  # exp(-2 |a - b|^2) = exp(4 (ab - 1)) for rows of length 1
    kernel = gaussian(a, a) - gaussian(a, b)
    kernel /= np.trace(kernel) / 35
    right = np.zeros(35)
    order = np.random.default_rng(0).permutation(35)
    for rest, held in KFold(5).split(order):
        rest, held = np.sort(order[rest]), order[held]
        fitted = KernelRidge(alpha=0.3, kernel="precomputed").fit(kernel[np.ix_(rest, rest)], np.ones(len(rest)))
        right[held] = fitted.predict(kernel[np.ix_(held, rest)]) > 0
    assert told_apart(small) == pytest.approx(right.mean()) and 0.5 < right.mean() < 1


def test_a_supply_mirrors_nothing_that_is_one_sided_and_asks_no_test_row(tmp_path: Path) -> None:
    domain, body = toy_domain("image", rows=80), toy_body("image")
    rest, test = domain.folds[0].rest, domain.folds[0].test
    letters = dict(zip(rest.tolist(), strokes(len(rest)), strict=True))
    asked: list[int] = []

    class Told(Supply):
        """A supply of the pictures above."""

        def prepared(self, row: int) -> dict[str, np.ndarray]:
            """The picture of a row."""
            asked.append(row)
            return {"pixels": letters[row]}

    supply = Told(domain, body.prepare, FlipCrop(light=0.3))
    assert supply.suited == FlipCrop(light=0.3, flip=False) == supply.suited
    assert not set(asked) & set(test.tolist()) and len(asked) == len(rest), "looked at once"
    shop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path)
    assert shop.learnt() == []
    shop._supplies["letters"] = supply
    (check,) = shop.learnt()
    assert (
        check["name"] == "mirror images" and check["found"] == len(rest) and "training mirrors none" in check["detail"]
    )
    noise = np.random.default_rng(0).normal(size=(80, 1, 24, 24)).astype(np.float32)
    letters.update(enumerate(noise))
    assert Told(domain, body.prepare, FlipCrop()).suited == FlipCrop()
    asked.clear()
    for other in (None, replace(FlipCrop(), flip=False), lambda inputs, generator: inputs):
        assert Told(domain, body.prepare, other).suited is other and not asked
