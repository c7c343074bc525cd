"""Stored activations are those of the network, row by row, to the precision of half floats, and computed once."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from landbridge.core.domain import Domain
from landbridge.core.model import Body, Model
from landbridge.engine.cache import Cache
from landbridge.engine.chunk import read_chunk
from landbridge.engine.store import Activations, ActivationStore
from landbridge.engine.supply import Supply
from landbridge.testing import toy_body, toy_domain, toy_model

ROWS = np.array([1, 2, 5, 7, 11, 13, 17, 20, 21])
HALF = 2.0**-11  # the largest relative error of rounding to float16


def ragged(reads: str, rows: int = 30) -> Domain:
    """Toy rows that are all different, texts of 1 to 7 words."""
    domain = toy_domain(reads, rows=rows)
    texts = [" ".join(f"w{i * k}" for k in range(1, 2 + i % 7)) for i in range(rows)]
    return replace(domain, cells=texts) if reads == "text" else domain


class Counted:
    """A toy body over a domain, with the rows that passed through it counted by a hook on its first module."""

    def __init__(self, reads: str, domain: Domain | None = None) -> None:
        self.domain = domain or ragged(reads)
        self.body: Body = toy_body(reads)
        self.supply = Supply(self.domain, self.body.prepare)
        self.calls: list[int] = []
        self.body.embedder[0].register_forward_hook(lambda module, given, made: self.calls.append(len(made)))

    def features(self, store: ActivationStore, rows: np.ndarray, *taps: int, size: int = 4, **key: str) -> np.ndarray:
        """Through a store."""
        full = {"weights": "w", **key}
        return store.features(self.body, self.supply, rows, taps, key=full, dtype=torch.float32, size=size)

    def direct(self, rows: np.ndarray, *taps: int) -> np.ndarray:
        """As the model computes them, one row at a time."""
        model = Model(toy_body(self.body.reads), torch.nn.Identity(), taps=taps)
        with torch.no_grad():
            return np.concatenate([model.features(self.supply.inputs(rows[i : i + 1])) for i in range(len(rows))])


def stored(folder: Path, model: Model, supply: Supply, view: int = 0, rows: np.ndarray = ROWS, **key: str):
    """The activations entering block 1."""
    found = ActivationStore(folder).tokens(
        model, supply, rows, depth=1, view=view, key={"weights": "w", **key}, dtype=torch.float32, size=4
    )
    assert isinstance(found, Activations)
    return found


def values(found: Activations, positions: np.ndarray) -> np.ndarray:
    """The padded tokens of some of the rows."""
    index = torch.from_numpy(positions)
    return found.batch(positions, index, index).tokens.numpy()


@pytest.mark.parametrize("reads", ["text", "image"])
def test_training_from_the_store_sees_what_the_network_would(reads: str, tmp_path: Path) -> None:
    domain, model = ragged(reads), toy_model(reads)
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


@pytest.mark.parametrize("reads", ["text", "image"])
def test_every_depth_above_is_stored_in_one_pass(reads: str, tmp_path: Path) -> None:
    domain, model = ragged(reads), toy_model(reads)
    supply, store = Supply(domain, model.body.prepare), ActivationStore(tmp_path)
    calls: list[int] = []
    model.body.embedder[0].register_forward_hook(lambda module, given, made: calls.append(len(made)))
    found = store.tokens(model, supply, ROWS, depth=0, view=0, key={}, dtype=torch.float32, above=True)
    assert found is not None and [layer.depth for layer in found.above] == [1, 2, 3] and sum(calls[1:]) == len(ROWS)
    positions = np.array([6, 0, 3])
    batch = found.batch(positions, torch.from_numpy(positions), supply.target(ROWS[positions]))
    with torch.no_grad():
        layers = model.tokens_from(0, supply.inputs(ROWS[positions]))
        whole, read = model.output(supply.batch(ROWS[positions])), model.output(batch)
    for (tokens, mask), (kept, same) in zip(layers, [(batch.tokens, batch.mask), *batch.above], strict=True):
        real = mask.flatten(1).bool()
        assert torch.equal(same.bool(), mask.bool())
        assert torch.equal(kept[real], tokens[real].to(torch.bfloat16).float())
    torch.testing.assert_close(read, whole, atol=0.02, rtol=0.02)
    part = batch.rows(slice(0, 2))
    assert [len(tokens) for tokens, _ in part.above] == [2, 2, 2]


def test_views_differ_view_zero_is_plain_and_each_belongs_to_its_row(tmp_path: Path) -> None:
    domain, model = toy_domain("image", rows=30), toy_model("image")

    def views(inputs: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"pixels": inputs["pixels"] + torch.rand(len(inputs["pixels"]), 1, 1, 1, generator=generator)}

    supply, every = Supply(domain, model.body.prepare, views), np.arange(len(ROWS))
    plain, one, two = (values(stored(tmp_path, model, supply, view=v), every) for v in range(3))
    again = values(stored(tmp_path / "other", model, supply, view=1, rows=ROWS[3:]), every[:-3])
    without = values(stored(tmp_path / "third", model, Supply(domain, model.body.prepare)), every)
    assert np.array_equal(plain, without) and np.array_equal(one[3:], again)
    assert not np.array_equal(plain, one) and not np.array_equal(one, two)
    assert not np.array_equal(one[0] - plain[0], one[1] - plain[1])


def test_the_same_key_is_computed_once_and_any_other_anew(tmp_path: Path) -> None:
    domain, model = ragged("text"), toy_model("text")
    supply, store = Supply(domain, model.body.prepare), ActivationStore(tmp_path)
    calls: list[int] = []
    real = model.tokens_at
    model.tokens_at = lambda k, inputs: (calls.append(len(inputs["input_ids"])), real(k, inputs))[1]

    def ask(rows: np.ndarray = ROWS, depth: int = 1, view: int = 0, **key: str) -> int:
        full, before = {"weights": "w", "prepare": {"a": 1}, **key}, len(calls)
        store.tokens(model, supply, rows, depth=depth, view=view, key=full, dtype=torch.float32)
        return sum(calls[before + 1 :])  # the first call is the sample that foretells the size

    assert (ask(), ask(), ask(ROWS[::-1].copy()), ask(ROWS[2:5])) == (9, 0, 0, 0)
    assert ask(np.arange(20)) == 20 - 7, "rows that are there already are not computed again"
    assert [ask(weights="x"), ask(prepare="y"), ask(depth=2), ask(view=1)] == [9] * 4
    assert len(list(tmp_path.glob("*.chunk"))) == 6 and not list(tmp_path.glob(".*"))


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    store = ActivationStore(Path("unused"), limit=2 * 10 * 4 * 8 * 3)
    assert store.fits(10, 2 * 4 * 8, 3) and not store.fits(11, 2 * 4 * 8, 3)
    model, domain = toy_model("text"), ragged("text")
    supply, small = Supply(domain, model.body.prepare), ActivationStore(tmp_path, limit=100)
    assert small.tokens(model, supply, ROWS, depth=1, view=0, key={}, dtype=torch.float32) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reads", ["text", "image"])
def test_one_pass_gives_the_features_of_every_depth(reads: str, tmp_path: Path) -> None:
    counted, store = Counted(reads), ActivationStore(tmp_path)
    for taps in [(), (0,), (1, 2), (0, 1, 2), (2, 1)]:
        expected = counted.direct(ROWS, *sorted(taps))
        found = counted.features(store, ROWS, *taps)
        assert found.dtype == np.float32 and found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=HALF, atol=1e-5)
    assert sum(counted.calls) == len(ROWS), "whatever depths were asked for, each row passed once"
    counted.features(store, np.arange(12), 1)
    assert sum(counted.calls) == len(ROWS) + 12 - 5, "of more rows only the missing ones pass"


def test_the_mean_of_a_depth_counts_real_tokens_only(tmp_path: Path) -> None:
    counted = Counted("text")
    found = counted.features(ActivationStore(tmp_path), ROWS, 1)
    for row, features in zip(ROWS, found, strict=True):
        ids = torch.from_numpy(counted.supply.prepared(int(row))["input_ids"])
        with torch.no_grad():
            words = counted.body.net.words.weight[ids].unsqueeze(0)
            after = counted.body.net.layers[0](words, torch.ones(1, len(ids)))[0]
        by_hand = [sum(float(token[d]) for token in after) / len(ids) for d in range(16)]
        np.testing.assert_allclose(features[:16], by_hand, rtol=HALF, atol=1e-5)


def test_another_run_reads_without_calling_the_body_and_sees_the_same_bits(tmp_path: Path) -> None:
    first, second = Counted("text"), Counted("text")
    cache = tmp_path / "cache"
    store = ActivationStore(tmp_path / "one", cache=Cache(cache, 1 << 20).open())
    cold = first.features(store, ROWS, 1)
    assert sum(first.calls) == 9 and store.saved == 0.0 and not (tmp_path / "one").exists()
    store = ActivationStore(tmp_path / "two", cache=Cache(cache, 1 << 20).open())
    warm = second.features(store, ROWS, 1)
    assert not second.calls and np.array_equal(cold, warm) and store.saved > 0.0
    model = Model(second.body, torch.nn.Identity())
    for count in (1, 1):
        store = ActivationStore(tmp_path / "three", cache=Cache(cache, 1 << 20).open())
        store.tokens(model, second.supply, ROWS, depth=1, view=0, key={}, dtype=torch.float32, size=32)
        assert len(second.calls) == 2 * count, "one sample and one batch, the first time alone"


def test_rows_are_known_by_what_the_body_reads_of_them(tmp_path: Path) -> None:
    cache, before = Cache(tmp_path / "cache", 1 << 20).open(), Counted("text")
    before.features(ActivationStore(tmp_path / "a", cache=cache), np.arange(30))
    texts = [str(c) for c in before.domain.cells]
    shifted = Counted("text", replace(before.domain, cells=["W1 w1 W1", *texts[:-1]]))  # the fingerprint stays
    found = shifted.features(ActivationStore(tmp_path / "b", cache=cache), np.arange(30))
    assert sum(shifted.calls) == 1, "only the new row passes, and its case is not forgotten"
    np.testing.assert_allclose(found, shifted.direct(np.arange(30)), rtol=HALF, atol=1e-5)
    twins = Counted("text", replace(before.domain, cells=["same same"] * 20 + texts[20:]))
    found = twins.features(ActivationStore(tmp_path / "c"), np.arange(30))
    assert sum(twins.calls) == 11 and np.array_equal(found[0], found[19])


def test_a_flipped_byte_is_found_and_what_it_spoils_computed_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted, cache = Counted("image"), Cache(tmp_path / "cache", 1 << 20).open()
    good = counted.features(ActivationStore(tmp_path / "a", cache=cache), ROWS, 0, 2)
    (path,) = cache.folder.glob("*.chunk")
    size = path.stat().st_size
    places = read_chunk(path).index["arrays"]
    for where in (3, 60, places["rows"]["start"] + 20, places["end"]["start"] + 7, places["0"]["start"]):
        (path,) = cache.folder.glob("*.chunk")
        data = bytearray(path.read_bytes())
        data[where] ^= 4
        path.write_bytes(data)
        caplog.clear()
        counted.calls.clear()
        store = ActivationStore(tmp_path / "b", cache=Cache(cache.folder, 1 << 20).open())
        assert np.array_equal(counted.features(store, ROWS, 0, 2), good), where
        assert sum(counted.calls) == len(ROWS)
        assert [r.levelno for r in caplog.records] == [logging.WARNING]
        assert "damaged" in caplog.text and str(cache.folder) in caplog.text and caplog.text.count("\n") == 1
    (path,) = cache.folder.glob("*.chunk")
    assert abs(path.stat().st_size - size) <= 64
    path.write_bytes(path.read_bytes()[:-100])
    store = ActivationStore(tmp_path / "b", cache=Cache(cache.folder, 1 << 20).open())
    assert np.array_equal(counted.features(store, ROWS, 0, 2), good)


def test_where_the_limit_leaves_no_room_the_run_goes_on_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted, cache = Counted("text"), Cache(tmp_path / "cache", 700).open()
    store = ActivationStore(tmp_path / "own", cache=cache)
    found = counted.features(store, ROWS, 1), counted.features(store, np.arange(20), 1)
    np.testing.assert_allclose(found[1], counted.direct(np.arange(20), 1), rtol=HALF, atol=1e-5)
    assert sum(counted.calls) == 22 and len(list((tmp_path / "own").glob("*.chunk"))) == 2
    assert caplog.text.count("\n") == 1 and "no room for activations" in caplog.text
    assert "limit of 700 bytes" in caplog.text and not list(cache.folder.glob("*.chunk"))


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 400 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_a_line_and_the_store_but_not_the_run(
    tmp_path: Path, full_disk: None, caplog: pytest.LogCaptureFixture
) -> None:
    counted, cache = Counted("text"), Cache(tmp_path / "cache", 1 << 20).open()
    store = ActivationStore(tmp_path / "own", cache=cache)
    found = counted.features(store, ROWS, 1), counted.features(store, ROWS[:4], 0)
    np.testing.assert_allclose(found[0], counted.direct(ROWS, 1), rtol=HALF, atol=1e-5)
    np.testing.assert_allclose(found[1], counted.direct(ROWS[:4], 0), rtol=HALF, atol=1e-5)
    assert sum(counted.calls) == len(ROWS), "features are kept in memory then"
    assert [r.getMessage().count("\n") for r in caplog.records] == [0, 0] and "memory" in caplog.text
    model = Model(counted.body, torch.nn.Identity())
    assert store.tokens(model, counted.supply, ROWS, depth=1, view=0, key={}, dtype=torch.float32) is None
    assert {p.suffix for p in tmp_path.rglob("*") if p.is_file()} == {".claim"} and len(caplog.records) == 2


def test_features_lie_on_disk_and_not_in_memory(tmp_path: Path) -> None:
    counted, store = Counted("text"), ActivationStore(tmp_path)
    counted.features(store, ROWS, 1)
    ((_, shelf),) = store._shelves.values()
    for name in ("1", "end"):
        base = shelf.chunks[0].array(name)
        while not isinstance(base, np.memmap):
            assert isinstance(base.base, np.ndarray)
            base = base.base
        assert not base.flags.writeable
    assert set(shelf.chunks[0]._arrays) == {"rows", "1", "end"}, "other depths are not even opened"
