"""The field's table of what tuning gains, kept as data: what is believed where the evidence is silent."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("landbridge.planning").joinpath("prior.toml").read_text(encoding="utf-8"))


def expects(tuning: str) -> bool:
    """Whether the table has a row of that name."""
    return tuning in _table()["gain"]


def expected_gain(tuning: str, labels: float, *, crossing: bool, misfit: float) -> tuple[float, float]:
    """Mean and standard deviation of the share of the probe's error that a tuning saves.

    `labels` are labels a class, `misfit` the share of the error that the best layer below the last one saves already.
    A tuning that the table does not know is taken for `full`, with half as much doubt again.
    """
    table = _table()
    at = np.log(np.asarray(table["labels"], np.float64))
    where = float(np.log(max(labels, 1e-3)))
    known = expects(tuning)
    mean = float(np.interp(where, at, table["gain"][tuning if known else "full"]))
    spread = float(np.interp(where, at, table["spread"].get(tuning, table["spread"]["tuned"])))
    spread *= 1.0 if known else 1.5
    adjust = table["adjust"]
    # where labels are few there is nothing to move the features by, however badly they fit
    force = float(np.clip((where - at[1]) / (at[4] - at[1]), 0.0, 1.0))
    mean += force * (adjust["crossing"] * crossing + adjust["misfit"] * float(np.clip(misfit, 0.0, 1.0)))
    return min(mean, 0.9), spread


def expected_of_control(role: str, *, crossing: bool) -> tuple[float, float]:
    """The same of a control: what it saves of the plain probe's error, negative where it makes more."""
    table = _table()["control"]["crossing" if crossing else "native"]
    mean, spread = table[role]
    return float(mean), float(spread)


def expected_of_mean() -> tuple[float, float]:
    """Of the mean of several answers: what it saves of the probe's error beyond its best member, and the doubt."""
    mean, spread = _table()["mean"]["answers"]
    return float(mean), float(spread)
