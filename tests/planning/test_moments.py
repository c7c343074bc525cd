"""Moments against values computed by hand, and what another draw gives against draws."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.linalg import sqrtm

from landbridge.core import registry
from landbridge.core.errors import ArtifactError
from landbridge.planning.distances.frechet import Frechet
from landbridge.planning.nearness.moments import Moments, axes_for, spread_of
from landbridge.planning.nearness.redrawn import Redrawn
from landbridge.planning.nearness.target import MOST, Target, classes_of, rows_remembered


def clouds(rows: int, seed: int, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Rows about four centres, which is no Gaussian, with heavy tails."""
    generator = np.random.default_rng(seed)
    centres = 2 * np.random.default_rng(7).standard_normal((4, width))
    labels = generator.integers(0, 4, rows)
    return centres[labels] + generator.standard_t(5, (rows, width)) * np.linspace(2, 0.2, width), labels


def test_along_all_axes_the_square_is_that_of_the_full_gaussians() -> None:
    (one, _), (other, _) = clouds(90, 0, 5), clouds(70, 1, 5)
    s, t = np.cov(one.T, bias=True), np.cov(other.T, bias=True)
    root = sqrtm(s).real
    wanted = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(s + t - 2 * sqrtm(root @ t @ root).real)
    assert Moments.of(one).square(other, 5) == pytest.approx(wanted, rel=1e-9)
    assert Frechet(shrink=False).distance(one, other) == pytest.approx(wanted**0.5, rel=1e-9)


def test_few_axes_give_less_and_what_lies_off_them_counts_by_its_spread() -> None:
    (one, _), (other, _) = clouds(90, 0), clouds(70, 1)
    moments = Moments.of(one)
    few, more, whole = moments.squares(other + 3.0, [1, 4, 12])
    assert few < more < whole
    square = np.square(np.linalg.eigvalsh(np.cov(one.T, bias=True))[::-1] ** 0.5)
    assert moments.variance.numpy() == pytest.approx(square, rel=1e-9)
    assert moments.total == pytest.approx(square.sum()) and spread_of(one) == pytest.approx(square.sum() ** 0.5)
    apart, doubled = np.square(one.mean(0) - 5.0).sum(), one.mean(0) + 2 * (one - one.mean(0))
    assert moments.square(np.full((9, 12), 5.0), 2) == pytest.approx(
        apart + square.sum()
    )  # no spread against all of it
    assert moments.square(doubled, 3) == pytest.approx(square.sum())  # each direction is one more deviation wide


def test_more_columns_than_rows_are_no_hindrance_and_no_row_is_kept() -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((24, 300)).astype(np.float32)
    target = Target.of(rows, np.zeros(24, np.int64), 0)
    assert target.moments.axes.shape == (2, 300)  # of 23 along which rows differ
    turned = target.moments.axes @ target.moments.axes.T
    assert turned.numpy() == pytest.approx(np.eye(2), abs=1e-9)
    kept = load(target.to_bytes())
    assert max(len(a) for name, a in kept.items() if a.shape[-1] == 300 and a.ndim == 2) <= 2
    assert [axes_for(n, 32) for n in (4, 15, 16, 64, 10_000)] == [1, 1, 2, 8, 32] and axes_for(500, 5) == 4


@pytest.mark.parametrize(("rows", "fresh"), [(40, 20), (40, 300), (200, 60), (200, 200), (400, 24)])
def test_another_draw_is_foretold_from_halves(rows: int, fresh: int) -> None:
    times = []
    for seed in range(12):
        both, _ = clouds(rows + fresh, seed)
        known, drawn = both[:rows], both[rows:]
        axes = axes_for(min(rows, fresh), 12)
        moments = Moments.of(known)
        times.append((moments.square(drawn, axes) / Redrawn.of(known, axes, 0).square(axes, fresh)) ** 0.5)
    assert 0.8 < np.median(times) < 1.2 and np.quantile(times, 0.9) < 1.35


def test_groups_stay_whole_so_that_another_draw_is_of_other_groups() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    rows = generator.standard_normal((20, 6))[groups] + 0.1 * generator.standard_normal((200, 6))
    alone, whole = Redrawn.of(rows, 4, 0), Redrawn.of(rows, 4, 0, groups)
    assert whole.square(4, 100) > 3 * alone.square(4, 100)
    few = Redrawn.of(rows, 4, 0, np.zeros(200, np.int64))  # a single group cannot be halved
    assert few.square(4, 100) == pytest.approx(alone.square(4, 100))


def test_classes_of_few_rows_are_left_out() -> None:
    rows, labels = clouds(100, 0)
    labels[labels == 2] = 0
    labels[:3] = 2
    found = classes_of(rows, labels)
    assert found.number.tolist() == [0, 1, 3] and found.rows.tolist() == np.bincount(labels)[[0, 1, 3]].tolist()
    assert found.centre[1].numpy() == pytest.approx(rows[labels == 1].mean(0))
    square = sum(np.square(rows[labels == c] - rows[labels == c].mean(0)).sum() for c in (0, 1, 3))
    assert found.within == pytest.approx(square / (97 - 3))
    assert len(classes_of(rows, labels.astype(np.float32)).number) == 0
    task = registry.find("tasks", "classify").from_labels(["a", "b"])
    assert len(rows_remembered(np.arange(3000) % 2, task, 0)) == MOST


def test_the_file_gives_the_same_distances_and_a_damaged_one_is_refused() -> None:
    rows, labels = clouds(300, 0)
    target = Target.of(1e6 * rows, labels, 0)  # half precision holds up to 65504
    data = target.to_bytes()
    again, fresh = Target.from_bytes("a/target.safetensors", data), 1e6 * clouds(80, 1)[0]
    assert len(data) < 10_000
    assert again.moments.square(fresh, 8) == pytest.approx(target.moments.square(fresh, 8), rel=2e-3)
    assert again.redrawn.square(8, 80) == target.redrawn.square(8, 80)
    assert again.classes.centre.numpy() == pytest.approx(target.classes.centre.numpy(), rel=1e-2, abs=1e4)
    arrays = load(data)
    broken = [{k: v for k, v in arrays.items() if k != "axes"}, arrays | {"axes": arrays["axes"][:, :5]},
              arrays | {"variance": np.full_like(arrays["variance"], np.inf)}]  # fmt: skip
    for one in (*map(save, broken), data[:100], b"nothing"):
        with pytest.raises(ArtifactError, match=r"a/target\.safetensors: "):
            Target.from_bytes("a/target.safetensors", one)
