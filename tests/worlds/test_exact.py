"""Draws and functions that must be the same everywhere: against the definitions, and against known values."""

from __future__ import annotations

import numpy as np

from landbridge.worlds import exact
from landbridge.worlds.draws import Draws, _mixed


def test_functions_are_as_near_as_they_say() -> None:
    x = np.linspace(-3, 3, 4001)
    assert np.abs(exact.sine(x) - np.sin(2 * np.pi * x)).max() < 5e-5
    assert np.abs(exact.cosine(x) - np.cos(2 * np.pi * x)).max() < 5e-5
    assert np.abs(exact.power2(8 * x) / 2.0 ** (8 * x) - 1).max() < 6e-6
    assert np.abs(exact.tanh(x) - np.tanh(x)).max() < 1e-5
    assert np.abs(exact.bell(x) - np.exp(-(x**2) / 2)).max() < 1e-5
    assert exact.sine(np.array([0.0, 0.25, 0.5, 0.75])).tolist() == [0, 1, 0, -1]
    assert exact.power2(np.array([-3.0, 0.0, 0.5, 10.0])).tolist() == [0.125, 1.0, 2**0.5, 1024.0]


def test_mixing_is_splitmix64() -> None:
    """The first output of the reference implementation for state 1234567, by plain integers."""
    mask, state = (1 << 64) - 1, (1234567 + 0x9E3779B97F4A7C15) & ((1 << 64) - 1)
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    assert int(_mixed(np.array([state], np.uint64))[0]) == z ^ (z >> 31) == 6457827717110365317


def test_draws_have_their_moments_and_depend_on_row_and_name_alone() -> None:
    draws = Draws(3, "test", np.arange(2000))
    normal, unit = draws.normal("a", 50), draws.uniform("a", 50)
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.01
    assert abs((normal**4).mean() - 2.85) < 0.06
    assert abs(unit.mean() - 0.5) < 0.005
    assert unit.min() >= 0
    assert unit.max() < 1
    assert abs(np.corrcoef(unit[:-1].ravel(), unit[1:].ravel())[0, 1]) < 0.01
    counts = np.bincount(draws.whole("b", 50, 7).ravel(), minlength=7)
    assert (np.abs(counts / counts.sum() - 1 / 7) < 0.005).all()
    assert np.array_equal(draws.at(np.array([1999, 4])).bits("a", 3), draws.bits("a", 50)[[1999, 4], :3])
    assert not np.array_equal(draws.bits("a", 3), draws.bits("b", 3))
