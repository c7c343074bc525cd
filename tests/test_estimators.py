"""The estimators keep scikit-learn's contract on tables, and read texts, pictures and series too."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import landbridge
from landbridge import LandbridgeClassifier, LandbridgeRegressor
from landbridge.core.errors import UsageError

QUICK = {"source": "rival:boosted(settings=1)", "budget": 0.5}  # one setting, no forest: what the contract needs


@parametrize_with_checks([LandbridgeClassifier(**QUICK), LandbridgeRegressor(**QUICK)])
def test_scikit_learns_own_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


def blobs(rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of three numbers, far apart."""
    generator = np.random.default_rng(0)
    y = np.arange(rows) % 2
    return generator.normal(size=(rows, 3)) + 4 * y[:, None], np.array(["low", "high"])[y]


def test_a_data_frame_of_words_dates_and_gaps_is_read_and_its_columns_are_remembered() -> None:
    size = [1.0, None, 3.0, 4.0] * 15
    colour = (["red"] * 2 + ["blue"] * 2) * 15
    day = pd.Timestamp("2024-01-01")
    frame = pd.DataFrame({"size": size, "colour": colour, "day": [day + pd.Timedelta(i, "D") for i in range(60)]})
    y = np.array(["warm" if c == "red" else "cold" for c in colour])
    model = LandbridgeClassifier(**QUICK).fit(frame, y)
    assert model.n_features_in_ == 3
    assert list(model.feature_names_in_) == ["size", "colour", "day"]
    assert list(model.classes_) == ["cold", "warm"]
    assert model.score(frame, y) == 1.0
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"colour": "hue"}))


def test_probabilities_stand_in_the_order_of_the_classes_however_these_sort() -> None:
    X, _ = blobs()
    y = np.array(["a10", "a2"])[np.arange(60) % 2]  # numpy sorts a10 before a2, people the other way round
    model = LandbridgeClassifier(**QUICK).fit(X, y)
    shares = model.predict_proba(X)
    assert list(model.classes_) == ["a10", "a2"]
    assert (model.classes_[shares.argmax(1)] == y).all()
    np.testing.assert_allclose(shares.sum(1), 1.0)


def test_it_stands_in_pipelines_and_cross_validation_and_survives_a_pickle() -> None:
    X, y = blobs()
    chain = make_pipeline(StandardScaler(), LandbridgeClassifier(**QUICK))
    assert cross_val_score(chain, X, y, cv=2).min() > 0.9
    model = LandbridgeClassifier(**QUICK).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_texts_go_through_the_embedded_encoder() -> None:
    texts = [
        "the cat sat on the mat",
        "stocks fell sharply today",
        "a kitten purred softly",
        "the bank raised rates",
    ] * 4
    y = np.array(["pets", "money"] * 8)
    model = LandbridgeClassifier().fit(texts, y)
    assert model.recipe_.source == "embedded:minilm"
    assert list(model.predict(["my dog chased a kitten", "shares and bonds lost value"])) == ["pets", "money"]
    with pytest.raises(UsageError, match="prove=True"):
        model.save("nowhere")


def test_pictures_and_series_are_told_apart_from_tables(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    y = np.arange(16) % 2
    pictures = [Image.fromarray((generator.integers(0, 60, (12, 12, 3)) + 180 * k).astype(np.uint8)) for k in y]
    model = LandbridgeClassifier().fit(pictures, y)
    assert model.recipe_.source == "embedded:pictures"
    assert model.score(pictures, y) == 1.0
    for number, picture in enumerate(pictures[:2]):
        picture.save(tmp_path / f"{number}.png")
    assert list(model.predict(sorted(tmp_path.iterdir()))) == [0, 1]
    series = np.sin(np.linspace(0, 6, 40) * (1 + 2 * y[:, None])) + 0.1 * generator.normal(size=(16, 40))
    assert LandbridgeClassifier().fit(series[:, None, :], y).score(series[:, None, :], y) == 1.0


def test_a_regressor_gives_values_in_their_own_units() -> None:
    generator = np.random.default_rng(0)
    X = generator.uniform(size=(80, 2))
    y = 1000.0 + 500.0 * X[:, 0]
    model = LandbridgeRegressor(**QUICK).fit(X, y)
    assert model.score(X, y) > 0.9
    assert 900 < model.predict(X).mean() < 1600


def test_proof_is_made_on_request_and_the_artifact_predicts_the_same(tmp_path: Path) -> None:
    X, y = blobs()
    model = LandbridgeClassifier(source="rival:boosted(settings=1)", prove=True, budget="12s").fit(X, y)
    assert model.evidence_["test"]["opened"] == 1
    assert [c["name"] for c in model.evidence_["controls"]] == ["trivial", "rival"]
    saved = landbridge.load(model.save(tmp_path / "artifact"))
    rows = [{f"x{i}": float(v) for i, v in enumerate(row)} for row in X[:5]]
    shares = [p["probabilities"] for p in saved.predict(rows)]
    wanted = model.predict_proba(X[:5])
    for got, want in zip(shares, wanted, strict=True):
        np.testing.assert_allclose([got[c] for c in model.classes_], want, atol=1e-6)


def test_what_cannot_be_learnt_from_is_a_value_error() -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match="one class only"):
        LandbridgeClassifier(**QUICK).fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="infinity"):
        LandbridgeClassifier(**QUICK).fit(np.where(X > 3, np.inf, X), y)
    with pytest.raises(UsageError, match="did you mean boosted"):
        LandbridgeClassifier(source="rival:bosted").fit(X, y)
