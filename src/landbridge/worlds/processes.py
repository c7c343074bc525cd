"""Processes in time: each makes NxL values. `kind` draws what makes a class, `here` what instances vary.

Four numbers in [0, 1) say all that a class is; every process reads its own parameters from them.
"""

from __future__ import annotations

import numpy as np

from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import bell, between, cosine, exp, sine

_FEATURES = 24


def numbers(kind: Draws) -> np.ndarray:
    """The four numbers of each class, Nx4."""
    return kind.uniform("numbers", 4)


def smooth(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """A Gaussian process with a squared-exponential kernel, a periodic part where the third number is above 0.5."""
    a, b, c, _ = numbers(kind).T
    scale = between(a, 2.0, 12.0)[:, None]
    at = np.arange(length) / length
    waves = here.normal("frequency", _FEATURES) * scale / 6.283185307179586
    weight = here.normal("weight", _FEATURES) * np.sqrt(2.0 / _FEATURES)
    phase = here.uniform("phase", _FEATURES)
    value = np.zeros((len(a), length))
    for f in range(_FEATURES):
        value += weight[:, f, None] * cosine(waves[:, f, None] * at + phase[:, f, None])
    periodic = (c > 0.5)[:, None] * sine(np.rint(between(b, 2.0, 12.0))[:, None] * at + phase[:, :1])
    return value + periodic


def memory(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """x[t] = p x[t-1] + q x[t-2] + e[t] + m e[t-1]: an oscillating autoregression with a moving average."""
    a, b, c, _ = numbers(kind).T
    damp, turn = 0.6 + 0.38 * a, between(b, 0.01, 0.4)
    p, q, m = 2 * damp * cosine(turn), -damp * damp, 1.6 * c - 0.8
    chance = here.normal("chance", length + 101)
    before, x = np.zeros(len(a)), np.zeros(len(a))
    out = np.empty((len(a), length))
    for t in range(1, length + 101):
        before, x = x, p * x + q * before + chance[:, t] + m * chance[:, t - 1]
        if t > 100:
            out[:, t - 101] = x
    return out * 0.5 * (1 - damp)[:, None]


def regimes(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """A level and a roughness that jump between three states by a Markov chain."""
    stay = 1.0 - between(numbers(kind)[:, 0], 0.01, 0.08)
    level, rough = kind.uniform("level", 3, -2, 2), kind.uniform("rough", 3, 0.02, 0.6)
    jump, chance = here.uniform("jump", length), here.normal("chance", length)
    state = here.whole("state", length, 3)
    current, row = state[:, 0], np.arange(len(stay))
    out = np.empty((len(stay), length))
    for t in range(length):
        current = np.where(jump[:, t] > stay, state[:, t], current)
        out[:, t] = level[row, current] + rough[row, current] * chance[:, t]
    return out


def events(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """Pulses at random times that decay, up or down, over a slow drift."""
    a, b, c, d = numbers(kind).T
    rate, fall, size = between(a, 0.01, 0.06), 1.0 - between(b, 0.03, 0.3), np.where(c > 0.5, 1.0, -1.0)
    hit = here.uniform("hit", length) < rate[:, None]
    strength = here.uniform("strength", length, 0.5, 2.0)
    value, out = np.zeros(len(a)), np.empty((len(a), length))
    for t in range(length):
        value = value * fall + hit[:, t] * strength[:, t] * size
        out[:, t] = value
    return out + (d - 0.5)[:, None] * np.arange(length) / length


def lorenz_step(state: np.ndarray, rho: np.ndarray, step: float = 0.01) -> np.ndarray:
    """One step of Euler's rule for the Lorenz system, sigma 10, beta 8/3; the state is Nx3."""
    x, y, z = state.T
    return state + step * np.stack([10.0 * (y - x), x * (rho - z) - y, x * y - (8.0 / 3.0) * z], axis=1)


def lorenz(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """x of the Lorenz system over 20, every third step; rho from 24 to 40 is the class."""
    rho = 24.0 + 16.0 * numbers(kind)[:, 0]
    state = here.uniform("start", 3, -5, 5) + np.array([0.0, 0.0, 20.0])
    out = np.empty((len(rho), length))
    for t in range(length):
        for _ in range(3):
            state = lorenz_step(state, rho)
        out[:, t] = state[:, 0] * 0.05
    return out


def logistic(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """x[t+1] = r x[t] (1 - x[t]), r from 3.5 to 4."""
    r, x = 3.5 + 0.5 * numbers(kind)[:, 0], here.number("start", 0.1, 0.9)
    out = np.empty((len(r), length))
    for t in range(length):
        out[:, t] = x
        x = r * x * (1.0 - x)
    return out * 2 - 1


def seasons(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """Two seasons of whole numbers of cycles and a trend."""
    a, b, c, d = numbers(kind).T
    at = np.arange(length) / length
    slow, fast = np.rint(between(a, 2.0, 8.0)), np.rint(between(b, 9.0, 30.0))
    value = sine(slow[:, None] * at + here.uniform("phase", 1)) + (0.3 + 0.5 * c)[:, None] * sine(
        fast[:, None] * at + here.uniform("fast phase", 1)
    )
    return value + (2 * d - 1)[:, None] * at


def heart(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """Beats of five bells (P, Q, R, S, T) with a rate that varies a little: McSharry's model without its equations."""
    a, b, c, d = numbers(kind).T
    beats = between(a, 4.0, 12.0)
    sway = 0.06 * sine(here.uniform("sway", 1, 1.0, 3.0) * np.arange(length) / length)
    phase = (beats[:, None] * np.arange(length) / length + here.uniform("start", 1) + sway) % 1.0
    value = np.zeros((len(a), length))
    waves = ((0.2, 0.025, 0.1 + 0.2 * b), (0.36, 0.012, -0.15 + 0 * a), (0.4, 0.014, 1 + 0 * a),
             (0.44, 0.014, -0.1 - 0.4 * c), (0.65, 0.045, 0.5 * d - 0.1))  # fmt: skip
    for place, wide, strength in waves:
        value += strength[:, None] * bell((phase - place) / wide)
    return value


def bearing(kind: Draws, here: Draws, length: int) -> np.ndarray:
    """A turning shaft, and a resonance struck at the rate of a fault, each blow a little early or late."""
    a, b, c, _ = numbers(kind).T
    gap = length / between(a, 8.0, 24.0)
    ring, fall = 0.15 + 0.25 * b, between(c, 0.08, 0.3)
    at = np.arange(length)
    value = 0.3 * sine(here.uniform("shaft", 1, 1.5, 2.5) * at / length + here.uniform("phase", 1))
    blows = np.arange(-2, 26)[None, :] * gap[:, None] + here.uniform("slip", 28, -0.04, 0.04) * gap[:, None]
    for k in range(blows.shape[1]):
        since = at - blows[:, k, None]
        struck = (since >= 0) & (since < 60)
        value = value + struck * exp(-fall[:, None] * np.maximum(since, 0.0)) * sine(ring[:, None] * since)
    return value
