"""Batches: every row once, repeatable, of like length, never alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.core.batch import Batch
from landbridge.engine.feed import Feed
from landbridge.engine.supply import Supply, in_order, shuffled
from landbridge.testing import toy_body, toy_domain


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(1, 40), st.integers(0, 5))
def test_every_row_comes_once_and_none_alone(lengths: list[int], size: int, seed: int) -> None:
    array = np.array(lengths)
    batches = list(shuffled(array, size, torch.Generator().manual_seed(seed)))
    again = list(shuffled(array, size, torch.Generator().manual_seed(seed)))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(len(b) for b in batches) <= size + (size > 1)
    if size > 1 and len(lengths) > 1:
        assert min(len(b) for b in batches) > 1
    domain = toy_domain("text", rows=8)
    feed = Feed(
        supply=Supply(domain, toy_body().prepare), train=np.arange(len(lengths)), validation=np.arange(0), size=size,
        augment=False,
    )  # fmt: skip
    assert feed.steps == len(batches)


def test_batches_hold_rows_of_like_length_and_differ_from_epoch_to_epoch() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 640)
    first, second = (list(shuffled(lengths, 20, torch.Generator().manual_seed(s))) for s in (0, 1))
    padded = sum(len(b) * lengths[b].max() for b in first)
    assert padded < 1.1 * lengths.sum() and not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_inference_takes_the_longest_first_and_every_row_once() -> None:
    lengths = np.array([3, 9, 1, 9, 5])
    assert [p.tolist() for p in in_order(np.arange(5) + 10, lengths, 2)] == [[1, 3], [4, 0], [2]]


@pytest.mark.parametrize(("rows", "keep", "twice"), [(8, 2 << 30, 8), (8, 0, 16), (200, 5_000, 400)])
def test_prepared_examples_are_kept_where_all_of_them_fit(rows: int, keep: int, twice: int) -> None:
    domain, body = toy_domain("text", rows=rows), toy_body()
    calls: list[str] = []

    class Counting:
        """The body's own preparation, counted."""

        def __call__(self, example: str) -> dict[str, np.ndarray]:
            """Count and prepare."""
            calls.append(example)
            return body.prepare(example)

        collate = staticmethod(body.prepare.collate)

    supply = Supply(domain, Counting(), keep=keep)
    every = np.arange(rows)
    supply.inputs(every), supply.lengths(every)
    assert len(calls) == twice
    assert sum(a.nbytes for found in supply._kept.values() for a in found.values()) <= keep


@pytest.mark.parametrize(("room", "sizes"), [(1, [8, 16, 16]), (10**6, [40])])
def test_the_first_window_holds_what_is_small_at_once_and_the_next_twice_as_much(
    room: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landbridge.engine.supply.EARLY_BYTES", room)
    supply = Supply(toy_domain("text", rows=40), toy_body().prepare)
    windows = list(supply.windows(np.arange(40), 8))
    assert [len(w.rows) for w in windows] == sizes
    assert np.concatenate([w.rows for w in windows]).tolist() == list(range(40))
    assert np.array_equal(np.concatenate([w.digests for w in windows]), supply.digests(np.arange(40)))


def test_views_change_training_inputs_only_and_repeat_with_the_generator() -> None:
    domain, body = toy_domain("image", rows=16), toy_body("image")
    pair = domain.folds[0].pairs[0]

    def views(inputs: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"pixels": inputs["pixels"] + torch.rand((), generator=generator)}

    supply = Supply(domain, body.prepare, views)

    def epoch(augment: bool) -> list[Batch]:
        feed = Feed(supply=supply, train=pair.train, validation=pair.validation, size=4, augment=augment)
        return list(feed.epoch(torch.Generator().manual_seed(5)))

    plain, seen, again = epoch(False), epoch(True), epoch(True)
    for p, s, a in zip(plain, seen, again, strict=True):
        assert torch.equal(s.inputs["pixels"], a.inputs["pixels"])
        assert torch.equal(p.inputs["pixels"], supply.inputs(p.index.numpy())["pixels"])
        assert torch.equal(s.target, torch.from_numpy(domain.targets[s.index.numpy()]))
        assert not torch.allclose(s.inputs["pixels"], supply.inputs(s.index.numpy())["pixels"])
    feed = Feed(supply=supply, train=pair.train, validation=pair.validation, size=2, augment=True)
    checked = [(pair.validation[p], b) for p, b in feed.check(lambda batch: batch)]
    assert sorted(np.concatenate([r for r, _ in checked])) == sorted(pair.validation)
    for rows, batch in checked:
        assert torch.equal(batch.inputs["pixels"], supply.inputs(rows)["pixels"])


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_batch_is_cut_and_moved_with_all_that_belongs_to_it(device: str) -> None:
    four = torch.arange(4)
    inner = Batch(index=four, inputs={"x": four * 2.0})
    whole = Batch(index=four, target=four, weight=four / 4, tokens=four.view(4, 1, 1) * 1.0, mask=torch.ones(4, 1),
                  views=(inner,), partner=inner, other=inner, support=inner, query=inner)  # fmt: skip
    cut = whole.rows(slice(1, 3))
    assert len(cut) == 2 and cut.weight.tolist() == [0.25, 0.5] and cut.views[0].inputs["x"].tolist() == [2.0, 4.0]
    assert len(cut.partner) == 2 and len(cut.other) == len(cut.support) == len(cut.query) == 4
    moved = whole.to(torch.device(device))
    parts = [moved, moved.views[0], moved.partner, moved.other, moved.support, moved.query]
    assert {b.index.device.type for b in parts} == {device}
    assert {t.device.type for t in (moved.target, moved.weight, moved.tokens, moved.mask)} == {device}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 30)), min_size=1, max_size=150),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_pairs_come_whole_and_every_row_once(rows: list[tuple[int, int]], half: int, seed: int) -> None:
    strata, lengths = (np.array(column) for column in zip(*rows, strict=True))
    size = 2 * half
    batches = list(shuffled(lengths, size, torch.Generator().manual_seed(seed), strata=strata))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(rows)))
    plain = list(shuffled(lengths, size, torch.Generator().manual_seed(seed)))
    assert sorted(len(b) for b in batches) == sorted(len(b) for b in plain)
    lonely = sum(int((strata[b] == s).sum() == 1) for b in batches for s in np.unique(strata[b]))
    counts = np.unique(strata, return_counts=True)[1]
    # a class of an odd number of rows shifts what follows by one, so that a cut between batches may part a pair
    assert lonely <= int((counts == 1).sum()) + (2 * len(batches) if (counts % 2).any() else 0)


def test_pairs_are_drawn_anew_each_epoch_and_batches_stay_of_like_length() -> None:
    rng = np.random.default_rng(0)
    strata = rng.permutation(np.repeat(np.arange(40), 16))
    lengths = rng.integers(1, 200, 640)
    mates: list[set[tuple[int, int]]] = []
    for seed in (0, 1):
        batches = list(shuffled(lengths, 20, torch.Generator().manual_seed(seed), strata=strata))
        assert all(int((strata[b] == s).sum()) >= 2 for b in batches for s in np.unique(strata[b]))
        mates.append({(int(a), int(b)) for batch in batches for a, b in zip(batch[::2], batch[1::2], strict=True)})
    assert len(mates[0] & mates[1]) < 60
    assert np.mean([lengths[b].std() for b in batches]) < 0.85 * lengths.std()  # firsts alike, partners at random
