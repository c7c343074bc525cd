"""What the rivals compute, recomputed by hand: HOG, log-mel, TF-IDF, MiniRocket, tree walks, ridge, folds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from landbridge.core import registry
from landbridge.core.domain import Domain
from landbridge.core.errors import DataError
from landbridge.core.examples import Sound
from landbridge.nn.cell_values import date_parts, number
from landbridge.rivals.columns import Columns
from landbridge.rivals.inner import Goal, folds
from landbridge.rivals.kernels import PLACES, Kernels, plan, responses
from landbridge.rivals.linear import fit_ridge, logit_factor, loss_and_slope
from landbridge.rivals.melstats import log_mel, mel_filters, mel_statistics
from landbridge.rivals.pixels import grey, hog
from landbridge.rivals.rocket import stretched
from landbridge.rivals.sparse import fit_sparse, output_of
from landbridge.rivals.tfidf import Counter
from landbridge.rivals.trees import Trees, of_bagging, of_boosting
from landbridge.tasks.classify import Classify
from landbridge.tasks.regress import Regress

G = np.random.default_rng(0)


def test_hog_of_one_edge() -> None:
    """A vertical edge has horizontal gradients: angle 0, shared equally by the first and the last bin."""
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, 32:] = 255
    blocks = hog(Pillow.fromarray(pixels).convert("RGB")).reshape(7, 7, 4, 9)
    assert not blocks[:, :2].any() and not blocks[:, 5:].any()
    block = blocks[3, 3]  # cells in columns 3 and 4, on both sides of the edge
    # each cell has 8 rows with one gradient of length 1: 4 votes in bin 0 and 4 in bin 8
    raw = np.zeros((4, 9))
    raw[:, [0, 8]] = 4.0
    once = np.minimum(raw / np.sqrt((raw**2).sum() + 1e-6), 0.2)
    assert np.allclose(block, once / np.sqrt((once**2).sum() + 1e-6), atol=1e-6)


def test_grey_is_an_area_mean() -> None:
    pixels = G.integers(0, 256, (32, 32), dtype=np.uint8)
    want = pixels.reshape(16, 2, 16, 2).mean((1, 3)) / 255
    assert (
        np.abs(grey(Pillow.fromarray(pixels), 16).reshape(16, 16) - want).max() < 1.01 / 255
    )  # Pillow rounds once for each direction


def test_log_mel_against_a_direct_fourier_sum() -> None:
    wave = G.normal(0, 0.1, 1000).astype(np.float32)
    found = log_mel(wave, 40)
    assert found.shape == (1 + (1000 - 400) // 160, 40)
    n = np.arange(400)
    windowed = wave[160:560] * (0.5 - 0.5 * np.cos(2 * np.pi * n / 400))
    energy = 0.0
    for k in range(257):
        value = np.sum(windowed * np.exp(-2j * np.pi * k * n / 512))
        energy += mel_filters(40)[11, k] * abs(value) ** 2
    assert found[1, 11] == pytest.approx(math.log(energy + 1e-10), abs=1e-4)


def test_mel_filters_peak_at_their_centres() -> None:
    centres = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 7600 / 700), 42)[1:-1]
    hertz = 700 * (10 ** (centres / 2595) - 1)
    assert np.abs(mel_filters(40).argmax(1) * 16_000 / 512 - hertz).max() <= 16_000 / 512


def test_mel_statistics_do_not_see_the_level_but_tell_it() -> None:
    wave = G.normal(0, 0.1, 9000).astype(np.float32)
    loud, soft = (mel_statistics(Sound(wave * g, 16_000), 40, 8) for g in (1.0, 0.1))
    assert loud.shape == (40 * 12 + 2,)
    assert np.allclose(loud[:-1], soft[:-1], atol=1e-3)
    assert loud[-1] - soft[-1] == pytest.approx(2 * math.log(10), abs=1e-3)
    assert np.isfinite(mel_statistics(Sound(np.zeros(1, np.float32), 8000), 40, 8)).all()


def test_tfidf_equals_scikit_learn() -> None:
    texts = [" ".join(G.choice(["aa", "bb", "cc", "dd", "ee"], 7)) for _ in range(30)]
    counter = Counter.fit("word", texts, 1000)
    theirs = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, vocabulary=counter.terms, token_pattern=r"\w+")
    assert np.allclose(counter.rows(texts).toarray(), theirs.fit_transform(texts).toarray(), atol=1e-6)
    few = Counter.fit("word", texts, 6)
    assert len(few.terms) == 6
    assert not Counter.fit("word", ["!!", ""], 10).rows(["x"]).toarray().any()


def test_minirocket_by_a_plain_loop() -> None:
    """One kernel, one dilation, with and without padding, by the definition of a dilated convolution."""
    series = G.standard_normal((5, 1, 50)).astype(np.float32)
    kernels = Kernels.fit(series, 84 * 20, np.random.default_rng(3))
    shares = kernels.transform(series)
    assert shares.shape == (5, 84 * 20)
    column = 0
    for d, dilation in enumerate(kernels.dilations.tolist()):
        width = kernels.biases[d].shape[1]
        for kernel in (0, 1, 40, 83):
            weights = np.full(9, -1.0)
            weights[PLACES[kernel]] = 2.0
            response = []
            for t in range(50):
                at = [t + (j - 4) * dilation for j in range(9)]
                response.append(sum(w * series[2, 0, i] for w, i in zip(weights, at, strict=True) if 0 <= i < 50))
            padded = (kernel + d) % 2 == 0
            inside = response if padded else response[4 * dilation : 50 - 4 * dilation]
            for b in range(width):
                want = np.mean(np.array(inside) > kernels.biases[d][kernel, b])
                assert shares[2, column + kernel * width + b] == pytest.approx(want, abs=1.01 / len(inside))
                margin = np.abs(np.array(inside) - kernels.biases[d][kernel, b]).min()
                assert margin < 1e-4 or shares[2, column + kernel * width + b] == pytest.approx(want)
        column += 84 * width


def test_minirocket_weights_sum_to_zero_and_plan_uses_all_features() -> None:
    flat = responses(torch.ones(1, 84, 60), 2)[0, :, 8:-8]
    assert torch.allclose(flat, torch.zeros_like(flat), atol=1e-6)
    for length in (9, 24, 150, 1000):
        dilations, numbers = plan(length, 119)
        assert numbers.sum() == 119 and dilations[0] == 1 and dilations[-1] * 8 <= length - 1


def test_several_channels_are_summed() -> None:
    series = G.standard_normal((4, 3, 30)).astype(np.float32)
    kernels = Kernels.fit(series, 168, np.random.default_rng(0))
    assert set(kernels.channels.sum(2).astype(int).ravel().tolist()) <= {1, 2, 3}
    mixed = np.einsum("ks,nsl->nkl", kernels.channels[0], series).astype(np.float32)
    answer = responses(torch.from_numpy(mixed), 1).numpy()
    want = (answer[:, 0] > kernels.biases[0][0, 0]).mean(1)
    assert np.allclose(kernels.transform(series)[:, 0], want)


def test_unequal_lengths_are_stretched() -> None:
    out = stretched([np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 2.0]])], 5, 1)
    assert out[:, 0].tolist() == [[0.0, 0.5, 1.0, 1.5, 2.0]] * 2
    with pytest.raises(DataError, match="2 channels where 1"):
        stretched([np.zeros((2, 5))], 5, 1)


def mixed_table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A category, numbers and gaps; three classes that depend on all of them."""
    kind = G.integers(0, 12, rows).astype(float)
    numbers = G.standard_normal((rows, 3))
    target = ((kind % 3) + (numbers[:, 0] > 0) + 2 * (numbers[:, 1] > 1)).astype(int) % 3
    features = np.concatenate([kind[:, None], numbers], axis=1)
    features[G.random(features.shape) < 0.1] = np.nan
    return features, target


@pytest.mark.parametrize("classes", [2, 3])
def test_boosted_classes_walk_exactly_as_scikit_learn(classes: int) -> None:
    features, target = mixed_table(600)
    target = np.minimum(target, classes - 1)
    model = HistGradientBoostingClassifier(max_iter=30, categorical_features=[True, False, False, False])
    model.fit(features[:400], target[:400])
    trees, start = of_boosting(model)
    raw = trees.total(features, start)
    theirs = model.decision_function(features)
    assert np.array_equal(raw[:, 0] if classes == 2 else raw, theirs)
    again = Trees.from_arrays(trees.arrays("x"), "x")
    assert np.array_equal(again.total(features, start), raw)
    short = HistGradientBoostingClassifier(max_iter=7, categorical_features=[True, False, False, False])
    short.fit(features[:400], target[:400])
    assert np.array_equal(
        trees.first(7 * len(start)).total(features, start), of_boosting(short)[0].total(features, start)
    )


def test_boosted_values_and_forests_walk_as_scikit_learn() -> None:
    features, target = mixed_table(500)
    value = target + np.nan_to_num(features[:, 1])
    model = HistGradientBoostingRegressor(max_iter=25).fit(features, value)
    trees, start = of_boosting(model)
    assert np.array_equal(trees.total(features, start)[:, 0], model.predict(features))
    aims = np.stack([value, -2 * value, target.astype(float)], axis=1)
    forest = ExtraTreesRegressor(10, random_state=0).fit(features[:300], aims[:300])
    assert np.allclose(of_bagging(forest).mean(features), forest.predict(features), atol=1e-12)


def test_ridge_leave_one_out_by_leaving_one_out() -> None:
    features = G.standard_normal((25, 4)).astype(np.float32)
    values = (features @ [1.0, -2.0, 0.0, 3.0] + G.normal(0, 0.5, 25)).tolist()
    task = Regress.from_labels(values)
    goal = Goal.of(task, task.encode(values))
    linear, left_out, alpha = fit_ridge(features, goal, (2.0,))
    standard = (features - features.mean(0)) / features.std(0)
    whole = Ridge(alpha=alpha).fit(standard, goal.matrix[:, 0])
    assert np.allclose(linear.output(features)[:, 0], whole.predict(standard), atol=1e-5)
    rest = np.arange(25) != 7
    one = Ridge(alpha=alpha).fit(standard[rest], goal.matrix[rest, 0])
    # the closed form keeps the features' mean of all rows in the penalised part: equal up to that
    assert left_out[7, 0] == pytest.approx(one.predict(standard[7:8])[0], abs=0.02)
    wide = G.standard_normal((12, 40)).astype(np.float32)
    small = goal.take(np.arange(12))
    dual, _, _ = fit_ridge(wide, small, (3.0,))
    standard = (wide - wide.mean(0)) / wide.std(0)
    want = Ridge(alpha=3.0).fit(standard, small.matrix[:, 0]).predict(standard)
    assert np.allclose(dual.output(wide)[:, 0], want, atol=1e-4)


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "identity"])
def test_loss_slopes_by_differences(link: str) -> None:
    output, matrix = G.standard_normal((3, 4)), np.eye(4)[[0, 2, 3]]
    _, slope = loss_and_slope(output, matrix, link)
    for at in ((0, 0), (1, 3)):
        step = np.zeros((3, 4))
        step[at] = 1e-5
        up, down = (loss_and_slope(output + s * step, matrix, link)[0] for s in (1, -1))
        assert slope[at] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_logit_factor_stays_modest_on_perfect_values() -> None:
    task = Classify.from_labels(["a", "b"])
    goal = Goal.of(task, np.array([0, 1] * 20))
    values = np.where(goal.matrix > 0, 1.0, -1.0)
    # Platt's targets: (40 + 1) / 42 for the true class, so 2 * factor = ln 41
    assert logit_factor(values, goal) == pytest.approx(math.log(41) / 2, rel=1e-2)


def test_sparse_svm_is_liblinear() -> None:
    texts = [f"{('red', 'green', 'blue')[i % 3]} {G.choice(['x1', 'y1', 'z1'])}" for i in range(60)]
    task = Classify.from_labels(["r", "g", "b"])
    counter = Counter.fit("word", texts, 100)
    goal = Goal.of(task, np.arange(60) % 3)
    weight = fit_sparse(counter.rows(texts), goal, 1.0, 0)
    theirs = LinearSVC(C=1.0, tol=1e-2, random_state=0).fit(counter.rows(texts), goal.target)
    assert np.allclose(output_of(counter.rows(texts), weight), theirs.decision_function(counter.rows(texts)), atol=1e-5)


def test_columns() -> None:
    rows = [
        {"n": 1.5, "c": "b", "d": "2024-02-29T12:00:00", "t": "good red wine", "u": "7"},
        {"n": None, "c": "a", "d": "nonsense", "t": "bad white wine", "u": "8"},
        {"n": 2.0, "c": "b", "d": None, "t": None, "u": " 9 "},
    ]
    columns = Columns.fit(rows, {"d": "date", "t": "text"}, 0)
    matrix = columns.matrix([*rows, {"c": "new"}])
    assert matrix[:3, 0].tolist() == [0.0, 1.0, 0.0] and math.isnan(matrix[3, 0])  # b is the more frequent
    assert columns.numbers == ["n", "u"] and matrix[0, 1:3].tolist() == [1.5, 7.0]
    assert matrix[0, 3:9].tolist() == [19782.5, 2024.0, 2.0, 29.0, 3.0, 12.0]
    assert np.isnan(matrix[1, 3:9]).all() and columns.categorical.sum() == 1
    assert len(columns.categorical) == matrix.shape[1]
    assert date_parts("1970-01-01")[0] == 0.0 and math.isnan(number("x")) and number("true") == 1.0
    facts, arrays = columns.state()
    assert np.array_equal(Columns.from_state(facts, arrays).matrix(rows), columns.matrix(rows), equal_nan=True)


def test_inner_folds_are_stratified_and_keep_groups_whole() -> None:
    target = np.array([0] * 40 + [1] * 20)
    groups = np.arange(60) // 4
    task = Classify.from_labels(["a", "b"])
    world = Domain(
        name="", modality=registry.find("modalities", "table")(), task=task, cells=[{}] * 60, targets=target,
        folds=(), fingerprint="",
    )  # fmt: skip
    plain = folds(world, np.arange(60), 5, 0)
    assert [np.bincount(target[h]).tolist() for _, h in plain] == [[8, 4]] * 5
    assert sorted(np.concatenate([h for _, h in plain]).tolist()) == list(range(60))
    grouped = Domain(**{**vars(world), "groups": groups})
    for fit, held in folds(grouped, np.arange(60), 5, 0):
        assert not set(groups[fit]) & set(groups[held])
        assert np.bincount(target[held]).tolist() == [8, 4]
    assert folds(Domain(**{**vars(world), "groups": np.zeros(60)}), np.arange(60), 5, 0) == []
