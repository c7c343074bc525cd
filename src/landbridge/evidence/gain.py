"""Whether transfer paid: the chosen model against the controls, row by row on the same test rows.

The gap to every control is in the data. The headline is the gap to the control with the highest test value: choosing it
on the test favours the control, so a gain that is left is real, and none is claimed against a weak opponent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from landbridge.core.errors import UnknownName
from landbridge.core.finding import Finding, Judgement, Severity
from landbridge.core.parts import part
from landbridge.evidence.bootstrap import BOUNDED, RESAMPLES, SHARES, percentile, resample, units
from landbridge.evidence.intervals import Interval, paired_difference, perfect
from landbridge.evidence.outcome import correct

Verdict = Literal["gain", "no difference", "loss"]
SEVERITY: dict[Verdict, Severity] = {"gain": "good", "no difference": "warning", "loss": "bad"}
OPENING: dict[Verdict, str] = {
    "gain": "Transfer paid",
    "no difference": "Transfer made no difference that can be told from chance",
    "loss": "Transfer did not pay",
}


@part("gain", paper="Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 16; Bonett and Price 2012")
class Gain:
    """The paired gap between the chosen model and the controls, with its verdict."""

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """One finding `gain`; none without controls, or where the chosen model is one of them (see `gain`)."""
        chosen = judgement.output
        if judgement.controls and not any(np.array_equal(chosen, output) for output in judgement.controls.values()):
            yield gain(judgement)


def gain(judgement: Judgement, against: str | None = None) -> Finding:
    """The gap judgement.output - control on the primary metric; `against` defaults to the best control on the test.

    Where a control was chosen, put the best transfer candidate's output into the judgement: the verdict is about it.
    """
    task, controls = judgement.task, judgement.controls
    if against is not None and against not in controls:
        raise UnknownName("control", against, controls)
    own = task.score(judgement.output, judgement.target)
    values = {name: task.score(output, judgement.target) for name, output in controls.items()}
    best = against or max(values, key=lambda name: values[name] if np.isfinite(values[name]) else -np.inf)
    intervals = gaps(judgement)
    decided = verdict(intervals[best])
    each = {
        name: {"value": _finite(own - values[name]), "interval": intervals[name], "control": _finite(values[name])}
        for name in controls
    }
    return Finding(
        name="gain",
        value=_finite(own - values[best]),
        interval=intervals[best],
        how=f"{task.metric} on the same {len(judgement.target)} test rows, paired bootstrap, 95 % interval",
        severity=SEVERITY[decided],
        detail=f"{decided} against {best}",
        data={"against": best, "verdict": decided, "metric": task.metric, "model": _finite(own), "controls": each},
    )


def gaps(judgement: Judgement) -> dict[str, Interval | None]:
    """The 95 % interval of the paired gap to each control; None where a single unit or class leaves it unknown.

    For shares of right rows it is the hull of the bootstrap and the adjusted Wald interval, as the bootstrap alone
    claims too much where few rows differ (5 against 0 of 100: exact McNemar p = 0.06).
    """
    task, target, metric = judgement.task, judgement.target, judgement.task.metric
    unit_N = units(judgement.rows, judgement.groups)
    independent = int(unit_N.max()) + 1
    outputs = {"model": judgement.output, **{f"control {n}": o for n, o in judgement.controls.items()}}
    count = 2 * RESAMPLES if metric in SHARES else None
    drawn = resample(task, target, outputs, unit_N, (metric,), judgement.seed, count)
    found: dict[str, Interval | None] = {}
    for name, output in judgement.controls.items():
        if np.array_equal(output, judgement.output):
            found[name] = (0.0, 0.0)
            continue
        difference_R = drawn["model"][metric] - drawn[f"control {name}"][metric]
        drawn_interval = percentile(difference_R, independent)
        if drawn_interval is None:
            found[name] = (-1.0, 1.0) if metric in BOUNDED else None
            continue
        low, high = drawn_interval
        if metric in SHARES:
            wide = paired_difference(correct(judgement.output, target), correct(output, target), unit_N)
            low, high = min(low, wide[0]), max(high, wide[1])
        elif metric in BOUNDED and np.ptp(difference_R) == 0:
            low, high = low - perfect(independent), high + perfect(independent)
        found[name] = (max(low, -1.0), min(high, 1.0)) if metric in BOUNDED else (low, high)
    return found


def verdict(interval: Interval | None) -> Verdict:
    """A gain or a loss only where the whole interval lies on one side of zero."""
    if interval is None:
        return "no difference"
    low, high = interval
    return "gain" if low > 0 else "loss" if high < 0 else "no difference"


def sentence(test: Finding, gain: Finding, control: str = "") -> str:
    """The report's first line; `control` says what the best control is, such as `HOG + logistic regression`.

    Transfer paid: accuracy 0.940 [0.910, 0.970], +0.210 [0.150, 0.270] over the best control (rival: HOG + ...).
    """
    against = f"{gain.data['against']}: {control}" if control else str(gain.data["against"])
    opening = OPENING[gain.data["verdict"]]
    metric = str(gain.data["metric"]).replace("_", " ")
    return f"{opening}: {metric} {_shown(test)}, {_shown(gain, '+')} over the best control ({against})."


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _shown(finding: Finding, sign: str = "") -> str:
    """Value and interval to three decimals."""
    if finding.value is None:
        return "undefined"
    ends = "" if finding.interval is None else f" [{finding.interval[0]:{sign}.3f}, {finding.interval[1]:{sign}.3f}]"
    return f"{finding.value:{sign}.3f}{ends}"
