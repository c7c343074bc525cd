"""Tables from random causal models: each seed is another table, its rows are drawn one by one.

Shapes: N rows, V variables. Variables are numbered so that causes come before their effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from landbridge.core.contracts import Made
from landbridge.core.parts import part, real, whole
from landbridge.worlds.draws import Draws
from landbridge.worlds.exact import sine, tanh

MECHANISMS = ("linear", "tanh", "square", "sine", "step", "absolute")
_REFERENCE = 1024  # rows that settle scale and classes, far from any that is asked for
_FAR = 1 << 61


@dataclass(frozen=True)
class Model:
    """A causal model: weights VxV (row: effect, column: cause), and for each variable mechanism, noise and kind."""

    weights: np.ndarray
    mechanism: np.ndarray
    noise: np.ndarray
    levels: np.ndarray  # 0: a number; else a category of so many values
    target: int
    names: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    cuts: tuple[np.ndarray, ...]  # of each category's levels, and of the target's classes


@part(
    "causal",
    paper="Hollmann et al. 2023 (TabPFN), arXiv:2207.01848; Hollmann et al. 2025, Nature 637:319; Pearl 2009",
)
class Causal:
    """A table from a random graph of causes with random mechanisms, noise, categories and gaps; each seed is another.

    As in TabPFN's prior the target is a variable inside the graph, so that features are its causes, its effects and
    neither. Where we depart: mechanisms are six plain functions of a weighted sum instead of random networks, and gaps
    are completely at random. `classes=1` asks for the number itself.
    """

    classes: int = whole(3, 1, 20, help="classes of the target, cut at equal shares; 1 for a number")
    columns: int = whole(8, 2, 100, help="features")
    parents: float = real(2.0, 0.5, 10.0, help="causes of a variable on average")
    categories: float = real(0.3, 0.0, 1.0, help="share of features that are categories")
    missing: float = real(0.05, 0.0, 0.6, help="share of cells that are missing")
    modality: ClassVar[str] = "table"

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The rows with these numbers; truth holds every variable before cutting and hiding, and the graph once."""
        model = _model(seed, self)
        draws = Draws(seed, "causal", indices)
        values = (_sampled(model, draws) - model.centre) / model.scale
        gone = draws.uniform("missing", len(model.names)) < self.missing
        rows: list[dict[str, Any]] = [{} for _ in indices]
        for v, name in enumerate(model.names):
            if v == model.target:
                continue
            cells: list[Any] = np.round(values[:, v], 6).tolist()
            if model.levels[v]:
                cells = [f"{name}{k}" for k in np.searchsorted(model.cuts[v], values[:, v]).tolist()]
            for row, cell, hidden in zip(rows, cells, gone[:, v].tolist(), strict=True):
                row[name] = None if hidden else cell
        aim = values[:, model.target]
        labels: list[Any] = np.round(aim, 6).tolist()
        if self.classes > 1:
            labels = [f"class_{k:02d}" for k in np.searchsorted(model.cuts[model.target], aim).tolist()]
        edges = [[model.names[c], model.names[e]] for e, c in zip(*np.nonzero(model.weights), strict=True)]
        graph = {
            "edges": edges,
            "mechanisms": {n: MECHANISMS[m] for n, m in zip(model.names, model.mechanism, strict=True)},
        }
        named = [dict(zip(model.names, row, strict=True)) for row in values.tolist()]
        truth = [{"class": t, "values": n, "graph": graph} for t, n in zip(labels, named, strict=True)]
        return Made(examples=rows, labels=labels, truth=truth)


def _sampled(model: Model, draws: Draws) -> np.ndarray:
    """Every variable of each row, NxV, in the order of causes; sums are added in that order on every machine."""
    variables = len(model.names)
    chance = draws.normal("chance", variables)
    values = np.empty((len(draws.rows), variables))
    for v in range(variables):
        total = np.zeros(len(values))
        for cause in np.flatnonzero(model.weights[v]).tolist():
            total = total + model.weights[v, cause] * values[:, cause]
        values[:, v] = _applied(int(model.mechanism[v]), total) + model.noise[v] * chance[:, v]
    return values


def _applied(mechanism: int, x: np.ndarray) -> np.ndarray:
    kind = MECHANISMS[mechanism]
    if kind == "tanh":
        return tanh(2 * x)
    if kind == "square":
        return np.minimum(x * x, 9.0) - 1.0
    if kind == "sine":
        return sine(0.4 * x).astype(np.float64)
    if kind == "step":
        return (x > 0.0) * 1.5 - 0.75
    return np.abs(x) - 0.8 if kind == "absolute" else x


@lru_cache(maxsize=16)
def _model(seed: int, world: Causal) -> Model:
    """The model behind a seed; 1024 rows that nobody asks for settle centres, scales and cuts."""
    variables = world.columns + 1
    draw = Draws(seed, "causal model", np.array([0]))
    ordered = np.tril(np.ones((variables, variables), bool), -1)
    likely = np.minimum(1.0, world.parents / np.maximum(1, np.arange(variables)))[:, None]
    joined = (draw.uniform("edges", variables**2).reshape(variables, variables) < likely) & ordered
    last = np.maximum(
        0, np.arange(variables) - 1 - draw.whole("kept", variables, 2)[0]
    )  # nobody but the first is alone
    joined[np.arange(1, variables), last[1:]] = True
    weights = draw.uniform("weights", variables**2, 0.5, 1.5).reshape(variables, variables)
    weights *= 1.0 - 2.0 * draw.whole("signs", variables**2, 2).reshape(variables, variables)
    noise = draw.uniform("noise", variables, 0.1, 0.5)[0]
    noise[0] = 1.0
    target = variables // 2 + int(draw.whole("target", 1, variables - variables // 2)[0, 0])
    levels = np.where(
        draw.uniform("category", variables)[0] < world.categories, 2 + draw.whole("levels", variables, 5)[0], 0
    )
    levels[target] = 0
    names = [f"x{v:02d}" for v in range(variables)]
    names[target] = "target"
    plain = Model(
        weights=weights * joined / np.sqrt(np.maximum(1, joined.sum(1)))[:, None],
        mechanism=draw.whole("mechanism", variables, len(MECHANISMS))[0], noise=noise, levels=levels, target=target,
        names=tuple(names), centre=np.zeros(variables), scale=np.ones(variables), cuts=(),
    )  # fmt: skip
    known = _sampled(plain, Draws(seed, "causal", _FAR + np.arange(_REFERENCE)))
    centre = known.cumsum(0)[-1] / _REFERENCE
    scale = np.sqrt(((known - centre) ** 2).cumsum(0)[-1] / _REFERENCE)
    ranked = np.sort((known - centre) / scale, axis=0)
    groups = [max(1, int(k)) for k in levels]
    groups[target] = world.classes
    cuts = tuple(ranked[[_REFERENCE * k // g for k in range(1, g)], v] for v, g in enumerate(groups))
    parts = {k: v for k, v in vars(plain).items() if k not in ("centre", "scale", "cuts")}
    return Model(**parts, centre=centre, scale=scale, cuts=cuts)
