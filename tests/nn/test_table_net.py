"""The network that learns tables in context, and the head that keeps its rows."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from landbridge.core.errors import UsageError
from landbridge.nn.context_head import MOST_CELLS, MOST_ROWS, PASSES, ContextHead, context_head, head_of, shares
from landbridge.nn.heads import Head
from landbridge.nn.table_net import TableNet, TableShape

SMALL = TableShape(cell_width=16, cell_layers=2, row_width=16, row_layers=2, head_width=8, marks=4)


@pytest.fixture(scope="module")
def net() -> TableNet:
    torch.manual_seed(0)
    return TableNet(SMALL).eval()


def _table(rows: int, columns: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randn(1, rows, columns, 4, generator=generator)
    return cells, torch.randint(0, 3, (1, rows), generator=generator), torch.randn(1, columns, 4, generator=generator)


def test_a_remembered_context_answers_as_the_whole_pass_does_and_rows_know_nothing_of_each_other(net):
    cells, labels, marks = _table(30)
    with torch.no_grad():
        whole = net(cells, labels[:, :20], marks)
        memory = net.remember(cells[:, :20], labels[:, :20], marks)
        torch.testing.assert_close(net.answer(cells[:, 20:], marks, memory), whole)
        torch.testing.assert_close(net.answer(cells[:, 25:26], marks, memory), whole[:, 5:6])
    trained = net(cells, labels[:, :20], marks)  # with gradients attention goes the plain way
    torch.testing.assert_close(trained.detach(), whole, atol=1e-5, rtol=1e-4)


def test_neither_the_order_of_rows_nor_that_of_columns_matters(net):
    cells, labels, marks = _table(30)
    rows, columns = torch.randperm(20), torch.tensor([2, 0, 1])
    with torch.no_grad():
        whole = net(cells, labels[:, :20], marks)
        turned = torch.cat([cells[:, :20][:, rows], cells[:, 20:]], 1)[:, :, columns]
        torch.testing.assert_close(net(turned, labels[:, :20][:, rows], marks[:, columns]), whole, atol=1e-5, rtol=1e-4)
        other = net(cells, (labels[:, :20] + 1) % 3, marks)
    assert not torch.allclose(other, whole, atol=1e-3)  # labels do matter


def test_a_draw_keeps_the_share_of_each_class_and_loses_none():
    target = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    drawn = target[shares(target, 100, torch.Generator().manual_seed(1))]
    assert [int((drawn == c).sum()) for c in range(3)] == [90, 9, 1]
    rare = torch.tensor([0] * 999 + [1])
    assert int(rare[shares(rare, 10, torch.Generator().manual_seed(2))].sum()) == 1


def test_the_head_is_the_mean_of_its_passes_written_naively(net):
    cells, labels, _ = _table(40)
    head = context_head(net, 12, 3, "a source")
    head.fill(cells[0].flatten(1), labels[0], seed=5)
    asked = _table(7, seed=9)[0]
    shares_of = []
    for turn in range(PASSES):
        order, marks = head.drawn[turn], head.marks[turn : turn + 1]
        known = head.context[order].unflatten(1, (3, 4)).unsqueeze(0)
        named = torch.tensor([[int(head.slots[turn][int(c)]) for c in head.labels[order]]])
        with torch.no_grad():
            logits = net(torch.cat([known, asked], 1), named, marks)[0][:, :3]
        shares_of.append(logits.softmax(1)[:, head.slots[turn]])
    wanted = torch.stack(shares_of).mean(0).log()
    torch.testing.assert_close(head(asked[0].flatten(1)), wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(head(asked[0].flatten(1)).exp().sum(1), torch.ones(7))
    assert len(set(map(tuple, head.slots.tolist()))) == PASSES  # each pass names the classes otherwise


def test_it_comes_back_from_its_spec_and_holds_no_weights_of_the_network(net):
    cells, labels, _ = _table(40)
    head = context_head(net, 12, 3, "a source")
    head.fill(cells[0].flatten(1), labels[0], seed=5, class_weight=np.array([1.0, 2.0, 0.5]))
    again = head_of(head.spec(), net)
    again.load_state_dict(head.state_dict())
    assert isinstance(again, ContextHead) and not list(head.parameters())
    earlier = {name: value for name, value in head.spec().items() if name != "passes"}
    assert head_of(earlier, net).state_dict().keys() == head.state_dict().keys()
    head_of(earlier, net).load_state_dict(head.state_dict())
    assert torch.equal(again(cells[0].flatten(1)), head(cells[0].flatten(1)))
    assert torch.equal(copy.deepcopy(head)(cells[0].flatten(1)), head(cells[0].flatten(1)))
    assert isinstance(head_of(Head(12, 3).spec(), net), Head)
    plain = context_head(net, 12, 3, "a source")
    plain.fill(cells[0].flatten(1), labels[0], seed=5)
    moved = head(cells[0].flatten(1)) - plain(cells[0].flatten(1))
    torch.testing.assert_close(moved, torch.tensor([1.0, 2.0, 0.5]).log().expand(40, 3))


def test_memory_is_bounded_however_many_rows_there_are(net):
    head = context_head(net, 4 * 63, 2, "a source")
    told = head.fill(torch.randn(3000, 4 * 63), torch.arange(3000) % 2, seed=0)
    assert told["rows of a pass"] == MOST_CELLS // 64 < MOST_ROWS
    assert MOST_CELLS // 64 < len(head.context) <= PASSES * (MOST_CELLS // 64)  # each pass draws its own


def test_one_pass_of_an_earlier_artifact_comes_back_as_one(net):
    cells, labels, _ = _table(40)
    head = context_head(net, 12, 3, "a source")
    head.fill(cells[0].flatten(1), labels[0], seed=5)
    once = {**head.state_dict(), **{n: head.state_dict()[n][:1] for n in ("drawn", "slots", "marks")}}
    again = head_of({**head.spec(), "passes": 1}, net)
    again.load_state_dict(once)
    head.load_state_dict({n: t if t.shape[0] != 1 else t.expand_as(head.state_dict()[n]) for n, t in once.items()})
    torch.testing.assert_close(again(cells[0].flatten(1)), head(cells[0].flatten(1)))  # a mean of twice the same


def test_what_does_not_fit_is_said(net):
    with pytest.raises(UsageError, match="11 outputs, a source tells at most 10 classes apart"):
        context_head(net, 12, 11, "a source")
    with pytest.raises(UsageError, match="needs a source that learns in context, toy:text does not"):
        context_head(torch.nn.Linear(1, 1), 12, 3, "toy:text")
