"""The weights that come with the package: small, described, whole, and of use on real pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import RidgeClassifierCV
from torch import Tensor
from torch.nn import functional

import landbridge.sources
from landbridge.core.model import Body
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import part, single
from landbridge.planning.sources import default_sources
from landbridge.reading.read import read
from landbridge.rivals.boosted import Boosted
from landbridge.sources.embedded import Embedded
from landbridge.sources.weights_file import sha256
from landbridge.testing import toy_domain

WEIGHTS = Path(landbridge.sources.__file__).parent / "weights"
MOST_BYTES = 40 << 20


def test_all_weights_together_are_small_and_each_has_its_card() -> None:
    files = [p for p in WEIGHTS.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= MOST_BYTES
    for weights in WEIGHTS.rglob("*.safetensors"):
        (card,) = weights.parent.glob("*.json")
        told = json.loads(card.read_text())
        assert told["sha256"] == sha256(weights) and told["licence"].lower() == "apache-2.0"
        assert {"data", "objective", "minutes", "hardware", "probes", "recipe"} <= set(told)


@pytest.mark.parametrize(("kind", "name"), [("image", "pictures"), ("audio", "pictures"), ("series", "series")])
def test_pictures_sounds_and_series_have_a_source_without_asking(kind: str, name: str) -> None:
    assert default_sources(toy_domain(kind))[0] == f"embedded:{name}"


def test_the_picture_encoder_tells_real_digits_better_than_pixels_and_chance_weights_do() -> None:
    digits = load_digits()
    pixels = torch.from_numpy(digits.images).float().div(8).sub(1)[:, None].repeat(1, 3, 1, 1)
    large = functional.interpolate(pixels, size=(64, 64), mode="bilinear", align_corners=False)
    knowing, chance = Embedded().open("pictures"), Embedded().open("pictures", weights=False)
    scores = {
        "pixels": score(pixels[:, 0].flatten(1).numpy(), digits.target),
        "chance": score(features(chance, large), digits.target),
        "encoder": score(features(knowing, large), digits.target),
    }
    assert scores["encoder"] > max(scores["pixels"], scores["chance"]) + 0.03, scores


def test_the_table_head_learns_a_real_table_from_forty_rows_nearly_as_trees_do(tmp_path: Path) -> None:
    bunch = load_breast_cancer(as_frame=True)
    bunch.frame.assign(target=bunch.target.map({0: "malignant", 1: "benign"})).to_csv(tmp_path / "t.csv", index=False)
    domain = read(tmp_path / "t.csv", target="target")
    rows = np.random.default_rng(0).permutation(len(domain))
    few = np.sort(np.concatenate([rows[domain.targets[rows] == c][:20] for c in (0, 1)]))
    asked = np.setdiff1d(rows, few)
    shop = Workshop(domain, device=torch.device("cpu"), folder=tmp_path, seed=0)
    ways = ("embedded:tables", "scratch:embedded:tables")
    recipes = [single(way, part("bridges", "columns"), "probe(head='context')") for way in ways]
    outputs = [attempt(shop, Order(recipe=r, train=few, validation=asked)).output for r in recipes]
    outputs.append(Boosted().fit(domain, few, 0).predict(domain.examples(asked)))
    knowing, chance, trees = (domain.task.score(o, domain.targets[asked]) for o in outputs)
    assert knowing > max(chance + 0.1, trees - 0.02), (knowing, chance, trees)


@torch.inference_mode()
def features(body: Body, pixels: Tensor) -> np.ndarray:
    """Features of all pictures."""
    body.eval()
    return torch.cat([body.pool(*through(body, part)) for part in pixels.split(100)]).numpy()


def through(body: Body, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens and mask after all blocks."""
    tokens, mask = body.embed({"pixels": pixels})
    for block in body.blocks:
        tokens, mask = block(tokens, mask)
    return tokens, mask


def score(rows: np.ndarray, labels: np.ndarray) -> float:
    """Mean accuracy of ridge over five draws of five labels a class."""
    found: list[float] = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(rows))
        train = np.concatenate([order[labels[order] == c][:5] for c in range(10)])
        test = np.setdiff1d(order, train)
        mean, spread = rows[train].mean(0), rows[train].std(0) + 1e-6
        scaled = (rows - mean) / spread
        model = RidgeClassifierCV(alphas=10.0 ** np.arange(0, 5)).fit(scaled[train], labels[train])
        found.append(model.score(scaled[test], labels[test]))
    return float(np.mean(found))
