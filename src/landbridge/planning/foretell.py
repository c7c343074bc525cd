"""What a recipe is expected to reach, in what time and memory, and why: from a measured probe and a measured pace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy.stats import norm

from landbridge.core import codec, registry
from landbridge.core.recipe import Recipe
from landbridge.engine.pace import OFF, Pace
from landbridge.evidence.intervals import Interval, Z
from landbridge.planning.labels_worth import ceiling
from landbridge.planning.prior import expected_gain, expects

MEMORY_OFF = 1.3  # factor by which the foretold memory may be off


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a source on this data before anything is tuned."""

    metric: str
    value: float  # of its best probe
    error: float  # standard error of it
    labels: float  # a class
    rows: float = math.inf  # on which it was validated
    crossing: bool = False  # the data reaches it over a bridge from another modality
    misfit: float = 0.0  # share of the probe's error at the last layer that a layer below saves
    seconds: float = 0.0  # of its best probe

    @property
    def room(self) -> float:
        """The error that the probe leaves."""
        return max(ceiling(self.metric) - self.value, 0.0)


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """The expectation for one recipe; `gain` is over the source's probe on the same rows, in the metric's unit."""

    recipe: Recipe
    value: float
    interval: Interval
    gain: float
    spread: float  # standard deviation of the gain
    seconds: float | None = None
    peak_mb: float | None = None

    def upper(self) -> float:
        """The most that the gain may come to, on the rows on which the probe was measured."""
        return self.value + Z * self.spread

    def promise(self, leader: float, error: float = 0.0) -> float:
        """Expected improvement over the leader (Mockus 1978), per second where seconds are known (Snoek et al. 2012).

        Both are judged on the same rows, so that the luck of the rows cancels but for `error`.
        """
        spread = max(math.hypot(self.spread, error), 1e-9)
        lead = (self.value - leader) / spread
        better = spread * (lead * float(norm.cdf(lead)) + float(norm.pdf(lead)))
        return better / max(self.seconds, 1.0) if self.seconds is not None else better

    def to_json(self) -> dict[str, Any]:
        """As a trial and the plan keep it."""
        time = None if self.seconds is None else [self.seconds / OFF, self.seconds * OFF]
        memory = None if self.peak_mb is None else [self.peak_mb / MEMORY_OFF, self.peak_mb * MEMORY_OFF]
        return {
            "value": self.value, "interval": list(self.interval), "gain": self.gain, "seconds": self.seconds,
            "seconds_interval": time, "peak_mb": self.peak_mb, "peak_mb_interval": memory,
        }  # fmt: skip


def foretell(recipe: Recipe, known: Known, pace: Pace | None, seconds: float | None) -> Foretold:
    """The probe's score and a share of the error it leaves; the interval holds the doubt about both."""
    top = ceiling(known.metric)
    share, doubt = gain_of(recipe, known)
    gain, spread = share * known.room, doubt * known.room
    value = min(top, known.value + gain)
    # a loss of the whole rest is no bound, so the lower end is not cut
    whole = math.hypot(spread, known.error)
    interval = (value - Z * whole, min(top, value + Z * whole))
    return Foretold(
        recipe=recipe, value=value, interval=interval, gain=value - known.value, spread=spread, seconds=seconds,
        peak_mb=None if pace is None else pace.peak_mb,
    )  # fmt: skip


def gain_of(recipe: Recipe, known: Known) -> tuple[float, float]:
    """The share of the probe's error that a recipe is expected to save, and its doubt: more where the data comes to the
    source from another modality, but not where a bridge only gives it the form that a source made for it reads."""
    modalities = set(registry.names("modalities"))
    abroad = known.crossing and any(reads in modalities for _, reads in type(recipe.bridge).routes)
    return expected_gain(kind(recipe), known.labels, crossing=abroad, misfit=known.misfit)


def moved_by(recipe: Recipe) -> str:
    """The name of the tuning that moves most: that of the last stage which is no probe."""
    moving = [codec.text(s.tuning).split("(")[0] for s in recipe.stages]
    return next((name for name in reversed(moving) if name != "probe"), "probe")


def kind(recipe: Recipe) -> str:
    """The row of the table: `contrastive` for features drawn together before a head, `anew` where batch norms move as
    well, else what moves most; where the bridge has a row of its own for that, this one."""
    pulled = any(type(o).part_name == "contrastive" for s in recipe.stages for o in s.objectives)
    anew = any(getattr(s.tuning, "norm_statistics", None) == "moving" for s in recipe.stages)
    name = "contrastive" if pulled else "anew" if anew else moved_by(recipe)
    over = f"{name} over {type(recipe.bridge).part_name}"
    return over if expects(over) else name


def labels_a_class(rows: int, outputs: int, task: str) -> float:
    """Labels for each class; values count as ten classes."""
    return rows / (outputs if task != "regress" else 10)
