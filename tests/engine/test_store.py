"""Stored activations are those of the network, row by row, to the precision of bfloat16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core.model import Model
from landbridge.engine.store import ActivationStore
from landbridge.engine.supply import Supply
from landbridge.testing import toy_domain, toy_model

ROWS = np.array([1, 2, 5, 7, 11, 13, 17, 20, 21])


def stored(folder: Path, model: Model, supply: Supply, view: int = 0, **key: str):
    """The activations entering block 1."""
    return ActivationStore(folder).tokens(
        model, supply, ROWS, depth=1, view=view, key={"weights": "w", **key}, dtype=torch.float32, size=4
    )


@pytest.mark.parametrize("reads", ["text", "image"])
def test_training_from_the_store_sees_what_the_network_would(reads: str, tmp_path: Path) -> None:
    domain, model = toy_domain(reads, rows=30), toy_model(reads)
    if reads == "text":
        domain = domain.__class__(**{**vars(domain), "cells": ["word " * (1 + i % 7) for i in range(30)]})
    supply = Supply(domain, model.body.prepare)
    found = stored(tmp_path, model, supply)
    positions = np.array([6, 0, 3])
    rows = ROWS[positions]
    batch = found.batch(positions, torch.from_numpy(rows), supply.target(rows))
    with torch.no_grad():
        tokens, mask = model.tokens_at(1, supply.inputs(rows))
        whole, continued = model.output(supply.batch(rows)), model.output(batch)
    assert batch.depth == 1 and batch.tokens.shape == tokens.shape and batch.mask.shape == mask.shape
    assert torch.equal(batch.mask.bool(), mask.bool())
    real = mask.flatten(1).bool()
    assert torch.equal(batch.tokens[real], tokens[real].to(torch.bfloat16).float())
    assert torch.equal(batch.tokens[~real], torch.zeros_like(tokens[~real]))
    torch.testing.assert_close(continued, whole, atol=0.02, rtol=0.02)
    assert batch.index.tolist() == rows.tolist() and torch.equal(batch.target, supply.target(rows))


def test_views_differ_view_zero_is_plain_and_all_repeat(tmp_path: Path) -> None:
    domain, model = toy_domain("image", rows=30), toy_model("image")

    def views(inputs: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"pixels": inputs["pixels"] + torch.rand(len(inputs["pixels"]), 1, 1, 1, generator=generator)}

    supply = Supply(domain, model.body.prepare, views)
    plain, one, two = (np.array(stored(tmp_path, model, supply, view=v).flat) for v in range(3))
    again = np.array(stored(tmp_path / "other", model, supply, view=1).flat)
    without = np.array(stored(tmp_path / "third", model, Supply(domain, model.body.prepare)).flat)
    assert np.array_equal(plain, without) and np.array_equal(one, again)
    assert not np.array_equal(plain, one) and not np.array_equal(one, two)


def test_the_same_key_is_computed_once_and_any_other_anew(tmp_path: Path) -> None:
    domain, model = toy_domain("text", rows=30), toy_model("text")
    supply, store = Supply(domain, model.body.prepare), ActivationStore(tmp_path)
    calls: list[int] = []
    real = model.tokens_at
    model.tokens_at = lambda k, inputs: (calls.append(k), real(k, inputs))[1]

    def ask(rows: np.ndarray = ROWS, depth: int = 1, view: int = 0, **key: str) -> None:
        full = {"weights": "w", "prepare": {"a": 1}, "data": "d", **key}
        store.tokens(model, supply, rows, depth=depth, view=view, key=full, dtype=torch.float32)

    ask(), ask()
    assert len(calls) == 1
    ask(weights="x"), ask(prepare="y"), ask(data="z"), ask(ROWS[::-1].copy()), ask(depth=2), ask(view=1)
    assert len(calls) == 7 and len(list(tmp_path.glob("*.bf16"))) == 7 and not list(tmp_path.glob("*.sorted"))


def test_what_is_too_large_is_refused() -> None:
    store = ActivationStore(Path("unused"), limit=2 * 10 * 4 * 8 * 3)
    assert store.fits(10, 4, 8, 3) and not store.fits(11, 4, 8, 3)
