"""How good the chosen model and every control are on the test rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from landbridge.core.finding import Finding, Judgement
from landbridge.core.parts import part
from landbridge.evidence.bootstrap import measured, units


@part("performance")
class Performance:
    """Every metric of the chosen model with its interval, and the primary one of each control."""

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """`test.<metric>`, the primary first, then `control.<name>.<metric>`."""
        task, target = judgement.task, judgement.target
        unit_N = units(judgement.rows, judgement.groups)
        how = f"{len(target)} test rows, 95 % interval {_over(unit_N)}"
        names = list(task.metrics(judgement.output, target))
        for name, (value, interval) in measured(task, judgement.output, target, unit_N, names, judgement.seed).items():
            if np.isfinite(value):
                data = {"primary": name == task.metric, "rows": len(target), "units": int(unit_N.max()) + 1}
                yield Finding(name=f"test.{name}", value=value, interval=interval, how=how, data=data)
        for control, output in judgement.controls.items():
            value, interval = measured(task, output, target, unit_N, [task.metric], judgement.seed)[task.metric]
            metrics = {k: v for k, v in task.metrics(output, target).items() if np.isfinite(v)}
            name = f"control.{control}.{task.metric}"
            if np.isfinite(value):
                yield Finding(name=name, value=value, interval=interval, how=how, data={"metrics": metrics})


def _over(unit_N: np.ndarray) -> str:
    """Words for what was resampled."""
    count = int(unit_N.max()) + 1
    return "over rows" if count == len(unit_N) else f"over {count} independent units (groups or repeated rows)"
