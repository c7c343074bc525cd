"""Each score against its paper's formula, written naively or worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg, optimize, stats
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture

from landbridge.core import registry
from landbridge.core.errors import UsageError
from landbridge.core.seeds import numpy_generator
from landbridge.nn.deal import deal
from landbridge.planning.scores.gbc import GBC
from landbridge.planning.scores.h_score import HScore
from landbridge.planning.scores.leep import LEEP
from landbridge.planning.scores.logme import LogME
from landbridge.planning.scores.nce import NCE
from landbridge.planning.scores.nearest_mean import NearestMean
from landbridge.planning.scores.nleep import NLEEP
from landbridge.planning.scores.parc import PARC
from landbridge.planning.scores.probe import Probe
from landbridge.planning.scores.rows import some
from landbridge.planning.scores.sfda import SFDA
from landbridge.planning.scores.transrate import TransRate


def clouds(rows: int, width: int, classes: int, apart: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated Gaussian clouds off the origin; classes of unequal size, each with two rows or more."""
    generator = np.random.default_rng(seed)
    y = np.r_[np.repeat(np.arange(classes), 2), generator.integers(0, classes, rows)][:rows] % classes
    mixing = generator.standard_normal((width, width)) / width**0.5
    x = apart * generator.standard_normal((classes, width))[y] + generator.standard_normal((rows, width)) @ mixing
    return x + 0.7, generator.permutation(y) if apart == 0 else y


def task_of(labels: Any, name: str = "classify") -> Any:
    return registry.find("tasks", name).from_labels(list(labels))


@pytest.mark.parametrize("shape", [(120, 7, 3), (40, 60, 4)])
def test_h_score_is_the_trace_with_a_shrunk_covariance(shape: tuple[int, int, int]) -> None:
    x, y = clouds(*shape)
    found = LedoitWolf().fit(x)
    means = np.stack([x[y == c].mean(0) for c in y])
    between = (means - x.mean(0)).T @ (means - x.mean(0)) / len(x)
    wanted = np.trace(np.linalg.inv(found.covariance_) @ ((1 - found.shrinkage_) * between))
    assert HScore().score(x, y) == pytest.approx(wanted, rel=1e-8)


def test_h_score_of_one_column_is_the_share_of_variance_between_classes() -> None:
    x, y = np.array([[0.0], [2.0], [6.0], [8.0]]), np.array([0, 0, 1, 1])
    assert HScore().score(x, y) == pytest.approx(9 / 10)  # variance 10, of which 1 lies within classes


@pytest.mark.parametrize("shape", [(60, 5, 3), (25, 40, 2)])
def test_logme_is_the_greatest_marginal_likelihood(shape: tuple[int, int, int]) -> None:
    x, y = clouds(*shape, apart=0.6)
    x = x / np.sqrt(np.square(x).mean())
    kernel, found = x @ x.T, []

    def loss(logs: np.ndarray, t: np.ndarray) -> float:
        cover = kernel / np.exp(logs[0]) + np.eye(len(x)) / np.exp(logs[1])
        return -stats.multivariate_normal(np.zeros(len(x)), cover).logpdf(t) / len(x)

    for c in np.unique(y):
        t = (y == c).astype(float)
        ends = [optimize.minimize(loss, s, args=(t,), method="Nelder-Mead") for s in ([1.0, 2.0], [3.0, 1.0])]
        found.append(-min(end.fun for end in ends))
    assert LogME().score(100 * x, y) == pytest.approx(np.mean(found), abs=2e-4)


def test_logme_of_values_is_that_of_the_standardised_column_whatever_its_unit() -> None:
    x, _ = clouds(80, 6, 2)
    values = x @ np.arange(6.0) + np.random.default_rng(1).standard_normal(80)
    score = LogME().score(x, values)
    assert LogME().score(x, 1000 * values - 5e4) == pytest.approx(score, abs=1e-8)
    both = np.stack([x[:, 0] > 0.7, x[:, 1] > 0.7], 1).astype(float)
    each = [LogME().score(x, both[:, i].astype(int)) for i in range(2)]
    one_sided = LogME().score(x, np.concatenate([both, 1 - both], 1))
    assert one_sided == pytest.approx(np.mean(each), abs=1e-9)  # two classes are two complementary labels


def test_sfda_is_the_second_round_of_a_regularised_discriminant() -> None:
    x, y = clouds(90, 6, 3, apart=0.5)
    x = (x - x.mean(0)) / np.sqrt((x - x.mean(0)).var(0).sum())
    classes = np.unique(y)

    def within(z: np.ndarray) -> np.ndarray:
        return sum(np.mean(y == c) * np.cov(z[y == c].T, bias=True) for c in classes)

    def fisher(z: np.ndarray, amount: float) -> np.ndarray:
        """All eigenvectors of the generalised problem, as the authors' program has it."""
        inside = within(z)
        inside = (1 - amount) * inside + amount * np.trace(inside) / 6 * np.eye(6)
        _, axes = linalg.eigh(np.cov(z.T, bias=True), inside)
        means = np.stack([z[y == c].mean(0) for c in classes])
        scores = z @ axes @ (means @ axes).T - 0.5 * np.square(means @ axes).sum(1)
        scores += np.log([np.mean(y == c) for c in classes])
        return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)

    amount = np.exp(-5 * np.linalg.eigvalsh(within(x))[-1])
    sure = np.exp(fisher(x, amount))
    sure = (sure / sure.sum(1, keepdims=True))[np.arange(len(y)), y][:, None]
    others = np.stack([np.mean([x[y == d].mean(0) for d in classes if d != c], axis=0) for c in y])
    wanted = fisher(sure * x + (1 - sure) * others, amount)[np.arange(len(y)), y].mean()
    assert SFDA().score(12 * x + 3, y) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("kind", ["diagonal", "spherical"])
def test_gbc_sums_overlaps_of_class_gaussians(kind: str) -> None:
    x, y = clouds(200, 6, 4, apart=0.4)
    z = PCA(3).fit_transform(x)
    classes = np.unique(y)
    means = [z[y == c].mean(0) for c in classes]
    squares = [np.square(z[y == c] - z[y == c].mean(0)).sum(0) for c in classes]
    common = sum(squares) / len(y)
    variances = [(s + common) / (np.sum(y == c) + 1) for s, c in zip(squares, classes, strict=True)]
    if kind == "spherical":
        variances = [np.full(3, v.mean()) for v in variances]
    wanted = 0.0
    for i in classes:
        for j in classes:
            if i != j:
                middle = np.diag(variances[i] + variances[j]) / 2
                apart = (means[i] - means[j]) @ np.linalg.inv(middle) @ (means[i] - means[j]) / 8
                scale = np.sqrt(np.prod(variances[i]) * np.prod(variances[j]))
                wanted -= np.exp(-apart - 0.5 * np.log(np.linalg.det(middle) / scale))
    assert GBC(covariance=kind, axes=3).score(x, y) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("shape", [(120, 7, 3), (30, 50, 4)])
def test_transrate_is_a_difference_of_coding_rates(shape: tuple[int, int, int], centred: bool) -> None:
    x, y = clouds(*shape)
    z = (x - x.mean(0)) / np.sqrt(x.var(0).sum())

    def rate(rows: np.ndarray) -> float:
        return 0.5 * np.linalg.slogdet(np.eye(rows.shape[1]) + rows.T @ rows / (len(rows) * 0.01))[1]

    wanted = rate(z)
    for c in np.unique(y):
        wanted -= np.mean(y == c) * rate(z[y == c] - centred * z[y == c].mean(0))
    assert TransRate(epsilon=0.01, centred=centred).score(5 * x, y) == pytest.approx(wanted, rel=1e-8)


def test_transrate_about_the_common_mean_cannot_see_two_equal_classes() -> None:
    y = np.repeat([0, 1], 2)
    near, far = (np.array([[0.0, 0.0], [1.0, 0.0], [0.0, gap], [1.0, gap]]) for gap in (0.1, 10.0))
    for x in (near, far):
        assert TransRate(centred=False).score(x, y) == pytest.approx(0.0, abs=1e-12)
    assert TransRate().score(near, y) < TransRate().score(far, y)


def test_parc_is_spearman_between_two_matrices_of_dissimilarity() -> None:
    x, y = clouds(50, 9, 3)
    z = (x - x.mean(0)) / x.std(0)
    one, other = (1 - np.corrcoef(m)[np.triu_indices(50, 1)] for m in (z, np.eye(3)[y]))
    assert PARC().score(x, y, seed=0) == pytest.approx(stats.spearmanr(one, other.round(9)).statistic, abs=1e-9)


def test_leep_and_nce_by_hand() -> None:
    source = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]])
    y = np.array(["cat", "dog", "dog"])
    x = np.ones((3, 1))
    # shares of cat and dog among what falls on each source class: 0.8 and 0.7 of 1.5; 0.2 and 1.3 of 1.5
    cat, dog = np.array([0.8, 0.2]) / 1.5, np.array([0.7, 1.3]) / 1.5
    wanted = np.mean(np.log([source[0] @ cat, source[1] @ dog, source[2] @ dog]))
    assert LEEP().score(x, y, source_probabilities=source) == pytest.approx(wanted)
    # the first two rows fall on class 0, one cat and one dog; the third is alone
    assert NCE().score(x, y, source_probabilities=source) == pytest.approx(2 / 3 * np.log(0.5))


def test_nleep_is_leep_of_a_mixture_on_principal_axes() -> None:
    x, y = clouds(150, 6, 3, apart=0.5)
    z = PCA(0.8).fit_transform(x)
    spread = np.sqrt(z.var(0).mean())
    options = {"covariance_type": "diag", "reg_covar": 1e-4, "max_iter": 50, "init_params": "k-means++"}
    finds = []
    for seed in range(12):
        posterior = GaussianMixture(15, random_state=seed, **options).fit(z / spread).predict_proba(z / spread)
        given = np.stack([posterior[y == c].sum(0) for c in range(3)]) / posterior.sum(0)
        finds.append(np.log((posterior @ given.T)[np.arange(150), y]).mean())
    ours = [NLEEP().score(x, y, seed=seed) for seed in range(12)]
    assert NLEEP().score(x, y, seed=3) == ours[3]
    error = np.hypot(np.std(finds), np.std(ours)) / 12**0.5
    assert abs(np.mean(ours) - np.mean(finds)) < 4 * error  # other seeds, other mixtures of the same kind


def test_nleep_of_clear_clusters_is_the_entropy_left_by_them() -> None:
    generator = np.random.default_rng(0)
    cluster = np.repeat([0, 1], 100)
    x = 50.0 * cluster[:, None] + generator.standard_normal((200, 3))
    y = np.r_[np.zeros(100), np.tile([1, 2], 50)].astype(int)
    assert NLEEP(ratio=1).score(x, y, seed=0) <= 0.0
    halves = np.where(cluster == 0, 0.0, np.log(0.5))
    three = NLEEP(ratio=1, energy=0.5).score(x, y, seed=0)
    assert three == pytest.approx(halves.mean(), abs=0.03)


def test_probe_is_ridge_at_its_best_penalty_over_folds() -> None:
    x, y = clouds(60, 4, 3, apart=0.6)
    task = task_of(y)
    found = Probe(folds=3).score(x, y, seed=0, task=task)
    assert found * 60 == pytest.approx(round(found * 60))
    rows = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows = (rows - rows.mean(0)) / rows.std(0)
    fold = deal(60, 3, numpy_generator(0, "probe"), strata=y)
    reached = []
    for penalty in 10.0 ** np.arange(-4, 4.5, 0.5) * 60 / 1000 * 4:  # times the width, as columns have length 1 here
        guess = np.empty(60, int)
        for k in range(3):
            model = Ridge(alpha=penalty).fit(rows[fold != k], 2.0 * np.eye(3)[y[fold != k]] - 1)
            guess[fold == k] = model.predict(rows[fold == k]).argmax(1)
        reached.append(np.mean(guess == y))
    assert found == pytest.approx(max(reached))


def test_probe_judges_values_by_r2_labels_and_classes_by_the_metric_of_the_task() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((300, 5))
    values = x[:, 0] + generator.standard_normal(300)
    given = {"seed": 0, "task": task_of(values, "regress")}
    assert Probe().score(x, values, **given) == pytest.approx(0.5, abs=0.1)
    assert Probe().score(x, 100 * values + 7, **given) == pytest.approx(Probe().score(x, values, **given), abs=1e-5)
    y = (values > 2.1).astype(int)
    rare = task_of(y)
    assert rare.metric == "auc"
    found = [Probe(solver=solver).score(x, y, seed=0, task=rare) for solver in ("ridge", "logistic")]
    assert np.allclose(found, 0.84, atol=0.08)
    accuracy = Probe(solver="logistic").score(x, y, seed=0, task=registry.find("tasks", "classify")(classes=(0, 1)))
    wanted = LogisticRegression().fit(x[:150], y[:150]).score(x[150:], y[150:])
    assert accuracy == pytest.approx(wanted, abs=0.04)


def test_nearest_mean_leaves_each_row_out() -> None:
    x, y = clouds(60, 4, 5, apart=0.6)
    right = 0
    for i in range(60):
        rest = np.arange(60) != i
        far = [np.linalg.norm(x[i] - x[rest & (y == c)].mean(0)) for c in range(5)]
        right += int(np.argmin(far) == y[i])
    assert NearestMean().score(x, y) == pytest.approx(right / 60)
    line = np.array([[0.0], [2.0], [3.0]])  # the last is alone in its class; the first two are nearer to each other
    assert NearestMean().score(line, np.array([0, 0, 1])) == pytest.approx(1 / 3)  # 2 is nearer to 3 than to 0


def test_drawn_rows_keep_the_shares_of_classes_and_every_class() -> None:
    y = np.repeat([0, 1, 2, 3], [600, 300, 99, 1])
    taken = some(y, 100, np.random.default_rng(0))
    assert len(np.unique(taken)) == 100 and (np.diff(taken) > 0).all()
    assert np.abs(np.bincount(y[taken]) - [60, 30, 10, 1]).max() <= 1
    assert len(some(np.arange(50), 10, np.random.default_rng(0))) == 50  # one row of each class at least


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: HScore().score(x, np.zeros(8, int)), "h_score: all 8 rows are of one class"),
        (lambda x: SFDA().score(x, np.arange(8.0)), "sfda reads one class for each row, got a number for each row"),
        (lambda x: GBC().score(x, np.arange(7)), "gbc: features have 8 rows, labels 7"),
        (lambda x: LogME().score(x[0], np.arange(8)), "logme: features must be rows times columns"),
        (lambda x: LEEP().score(x, np.arange(8), source_probabilities=x), "leep: source_probabilities must be"),
        (lambda x: NCE().score(x, np.arange(8), source_probabilities=x[:5]), "nce: source_probabilities have 5 rows"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(call: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        call(np.random.default_rng(0).standard_normal((8, 3)))
    assert str(error.value).startswith(said) and "\n" not in str(error.value)
