"""The head against its formula."""

from __future__ import annotations

import json

import pytest
import torch

from landbridge.nn.heads import Head


def test_output_is_the_formula() -> None:
    head = Head(3, 2, normalise=True)
    g = torch.Generator().manual_seed(0)
    x, w, b = torch.randn(5, 3, generator=g), torch.randn(2, 3, generator=g), torch.randn(2, generator=g)
    mean, scale = torch.randn(3, generator=g), torch.rand(3, generator=g) + 0.5
    head.fill(w, b, mean, scale)
    by_hand = ((x / x.square().sum(1, keepdim=True).sqrt() - mean) / scale) @ w.T + b
    torch.testing.assert_close(head(x), by_hand)


def test_a_new_head_says_nothing_and_a_zero_row_is_finite() -> None:
    head = Head(4, 3, normalise=True)
    assert torch.equal(head(torch.zeros(2, 4)), torch.zeros(2, 3))


def test_fill_keeps_the_parameters_of_a_head_of_the_same_width() -> None:
    head = Head(3, 2)
    weight = head.weight
    head.fill(torch.ones(2, 3), torch.ones(2))
    assert head.weight is weight and weight.requires_grad
    assert torch.equal(head(torch.ones(1, 3)), torch.full((1, 2), 4.0))


def test_fill_widens_the_head_and_keeps_frozen_frozen() -> None:
    head = Head(3, 2)
    head.requires_grad_(False)
    head.fill(torch.ones(2, 5), torch.zeros(2), torch.zeros(5), torch.ones(5), normalise=True)
    assert head.width == 5 and head.normalise and not head.weight.requires_grad
    assert sorted(head.state_dict()) == ["bias", "mean", "scale", "support", "weight"]


def test_fill_refuses_another_number_of_outputs() -> None:
    with pytest.raises(ValueError, match="2 outputs cannot take"):
        Head(3, 2).fill(torch.ones(4, 3), torch.ones(4))


def test_spec_goes_to_json_and_back() -> None:
    head = Head(3, 2, normalise=True, dropout=0.25)
    head.fill(torch.ones(2, 3), torch.ones(2), torch.ones(3), torch.ones(3))
    other = Head.from_spec(json.loads(json.dumps(head.spec())))
    other.load_state_dict(head.state_dict())
    x = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(head.eval()(x), other.eval()(x)) and other.spec() == head.spec()


def test_dropout_only_in_train_mode() -> None:
    head = Head(50, 1, dropout=0.5)
    head.fill(torch.ones(1, 50), torch.zeros(1))
    assert torch.equal(head.eval()(torch.ones(1, 50)), torch.full((1, 1), 50.0))
    torch.manual_seed(0)
    outputs = head.train()(torch.ones(8, 50)).flatten()
    assert len(outputs.unique()) > 3


def test_a_head_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0 and 2"):
        Head(0, 2)
