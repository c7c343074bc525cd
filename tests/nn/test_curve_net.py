"""The network that reads curves: shares by hand, signs that keep channels apart, gradients past thresholds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landbridge.core.errors import DataError
from landbridge.nn.curve_net import STRIDE, CurveNet, minirocket, signs
from landbridge.nn.curve_prepare import CurvePrepare, Slowed
from landbridge.rivals.kernels import PLACES, responses

SHAPE = {"points": 64, "spans": (1, 4), "own": 2, "common": 1, "windows": 2, "width": 16}


@pytest.fixture
def net() -> CurveNet:
    torch.manual_seed(0)
    return CurveNet(**SHAPE).eval()


def test_the_kernels_are_minirockets_of_length_one() -> None:
    kernels = minirocket()
    assert kernels.shape == (84, 9) and np.allclose((kernels**2).sum(1), 1)
    for kernel, three in zip(kernels, PLACES, strict=True):
        assert set(np.flatnonzero(kernel > 0)) == set(three)


def test_responses_are_those_of_the_rival_at_every_second_place(net: CurveNet) -> None:
    curve = torch.randn(3, 1, 64)
    tokens, channels = net.tokens(curve, curve)
    assert channels == 1 and tokens.shape == (3, 2, 2 * 84 * 3)
    answer = responses(curve.expand(3, 84, 64), 4)[:, :, ::STRIDE] / 18**0.5
    above = (answer > net.threshold[0][1, 1][:, None]).float()  # own scale, span 4, second threshold
    shares = above.unflatten(2, (2, -1)).mean(3).transpose(1, 2)
    found = tokens[:, :, 84 * 3 : 84 * 4] * 0.25 + 0.5
    torch.testing.assert_close(found, shares)


def test_features_are_the_mean_of_settled_shares(net: CurveNet) -> None:
    own, common = torch.randn(2, 1, 64), torch.randn(2, 1, 64)
    tokens, _ = net.tokens(own, common)
    torch.testing.assert_close(net(own, common), tokens.mean(1) @ net.settle.weight.T)


def test_signs_are_walsh_functions_and_the_first_channel_has_none() -> None:
    both = signs(8, 64)[:, 0]
    assert bool((both[0] == 1).all())
    np.testing.assert_array_equal(both @ both.T, 64 * np.eye(8))
    assert both[3, 5] == -1 and both[3, 3] == 1 and both[1, 1] == -1  # 3 & 5 = 1 has one bit, 3 & 3 two


def test_channels_are_not_exchanged_for_one_another(net: CurveNet) -> None:
    curves = torch.randn(1, 2, 64)
    assert not torch.allclose(net(curves, curves), net(curves.flip(1), curves.flip(1)), atol=1e-3)
    alone = net(curves[:, :1], curves[:, :1])
    other = net.settled(net.tokens(curves, curves)[0], 2)
    torch.testing.assert_close(other.unflatten(1, (2, -1))[:, 0].mean(1), alone)


def test_gradients_reach_kernels_and_thresholds_through_the_steps(net: CurveNet) -> None:
    curve = torch.randn(4, 1, 64)
    with torch.no_grad():
        plain = net(curve, curve)
    net.train()
    moved = net(curve, curve)
    torch.testing.assert_close(moved, plain)
    moved.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters())


def test_rounding_does_not_decide(net: CurveNet) -> None:
    curve = torch.randn(4, 1, 64)
    with torch.autocast("cpu", torch.bfloat16):
        tokens = net.tokens(curve, curve)[0]
    assert torch.equal(tokens, net.tokens(curve, curve)[0])


def test_a_series_is_shown_on_its_own_scale_and_on_that_of_all() -> None:
    series = np.array([np.linspace(0, 10, 5), [1.0, np.nan, 3.0, 4.0, 5.0]])
    prepared = CurvePrepare(9, (5.0, 1.0), (10.0, 2.0))(series)
    assert prepared["own"].shape == prepared["common"].shape == (2, 9)
    np.testing.assert_allclose(prepared["common"][0], np.linspace(-0.5, 0.5, 9), atol=1e-6)
    np.testing.assert_allclose(prepared["common"][1], np.linspace(0, 2, 9), atol=1e-6)
    np.testing.assert_allclose(prepared["own"].mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(prepared["own"].std(1), 1, atol=1e-3)


def test_a_flat_series_is_not_blown_up_and_a_wild_one_is_cut() -> None:
    prepare = CurvePrepare(16, (0.0,), (1.0,))
    flat, wild = prepare(np.full((1, 30), 3.0)), prepare(np.array([[0.0] * 500 + [1e9]]))
    assert np.all(flat["own"] == 0) and np.all(flat["common"] == 3)
    assert np.abs(wild["common"]).max() == 6 and np.isfinite(wild["own"]).all()


def test_other_channels_are_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="2 channels where 1 are expected") as raised:
        CurvePrepare(16, (0.0,), (1.0,))(np.zeros((2, 30)))
    assert "\n" not in str(raised.value)
    rows = [CurvePrepare(16)(np.zeros((n, 30))) for n in (1, 2)]
    with pytest.raises(DataError, match="different numbers of channels"):
        CurvePrepare(16).collate(rows)


def test_views_stretch_time_alike_on_both_scales() -> None:
    ramp = torch.linspace(0, 1, 64)[None, None].repeat(5, 1, 1)
    assert Slowed().strong() == Slowed(share=0.5)
    seen = Slowed(share=0.8)({"own": ramp, "common": 2 * ramp, "other": ramp}, torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen["common"], 2 * seen["own"])
    assert seen["other"] is ramp
    for row in seen["own"][:, 0]:
        assert 0 <= row[0] < row[-1] <= 1 and 0.8 <= row[-1] - row[0] <= 1
        torch.testing.assert_close(row, torch.linspace(float(row[0]), float(row[-1]), 64), atol=1e-5, rtol=0)
