"""Whether a probability of 80 % is right eight times out of ten, before and after temperature scaling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from landbridge.core.finding import Finding, Judgement
from landbridge.core.parts import part, real
from landbridge.core.seeds import numpy_generator
from landbridge.evidence.bootstrap import percentile, resamples_for, units, weights
from landbridge.evidence.calibrate import (
    Reliability,
    confidences,
    conformal_radius,
    fit_temperature,
    log_loss,
    reliability,
)
from landbridge.evidence.intervals import Interval, proportion
from landbridge.evidence.outcome import kind

WORTH_SAYING = 0.05  # a calibration error that surely exceeds this is a warning


@part("calibration", paper="Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599")
class Calibration:
    """Expected calibration error before and after temperature scaling; for values, the coverage of an interval.

    Temperature and interval are fitted on validation rows and measured on test rows.
    """

    level: float = real(0.9, 0.5, 0.99, help="share of values that the interval of a regression is to cover")

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """`calibration.ece` and `calibration.ece_after`, or `calibration.coverage`."""
        if kind(judgement.target) == "values":
            yield from self._coverage(judgement)
            return
        yield _error(judgement, "calibration.ece", 1.0)
        if len(judgement.validation_target):
            temperature = fit_temperature(judgement.validation_output, judgement.validation_target)
            yield _error(judgement, "calibration.ece_after", temperature)

    def _coverage(self, judgement: Judgement) -> Iterator[Finding]:
        """How often the true value lies within the validation residuals' quantile of the predicted one."""
        task = judgement.task
        residual = task.probabilities(judgement.validation_output) - judgement.validation_target
        radius = conformal_radius(residual, self.level)
        if not np.isfinite(radius):
            return
        inside = np.abs(task.probabilities(judgement.output) - judgement.target) <= radius
        interval = proportion(inside, units(judgement.rows, judgement.groups))
        yield Finding(
            name="calibration.coverage",
            value=float(inside.mean()),
            interval=interval,
            how=f"share of {len(inside)} test rows within {radius:.4g} of the prediction, the split-conformal radius "
            f"of {len(residual)} validation rows for {self.level:.0%}",
            severity="warning" if interval[1] < self.level else "good",
            data={"level": self.level, "radius": radius, "validation_rows": len(residual)},
        )


def _error(judgement: Judgement, name: str, temperature: float) -> Finding:
    """ECE, interval, log loss and reliability diagram of the outputs divided by the temperature."""
    output = judgement.output / temperature
    confidence, hit = confidences(output, judgement.target)
    bins = reliability(confidence, hit)
    interval = _interval(judgement, bins, hit - confidence)
    scaled = f"outputs divided by {temperature:.3g}, fitted on validation rows" if temperature != 1.0 else "raw outputs"
    return Finding(
        name=name,
        value=bins.error,
        interval=interval,
        how=f"expected calibration error in {len(bins.rows)} bins of equal mass on test rows, {scaled}",
        severity="warning" if interval is not None and interval[0] > WORTH_SAYING else "good",
        data={
            "temperature": temperature,
            "debiased": bins.debiased_error,
            "log_loss": log_loss(output, judgement.target),
            "confidence": bins.confidence.tolist(),
            "hits": bins.hit.tolist(),
            "rows": bins.rows.astype(int).tolist(),
        },
    )


def _interval(judgement: Judgement, bins: Reliability, excess: np.ndarray) -> Interval | None:
    """Bootstrap interval around the debiased ECE, with bins and the direction of each bin's gap kept.

    Resampling |gap| itself would add noise to small gaps twice, and fold it: too large an error with too little
    spread. With the directions kept the error is a mean over rows, which the bootstrap serves well.
    """
    unit_N = units(judgement.rows, judgement.groups)
    per_row = len(excess) // len(unit_N)  # 1, or C for label sets, whose labels stay together
    direction = np.sign(bins.hit - bins.confidence)[bins.number]
    part_N = (direction * excess).reshape(len(unit_N), per_row).mean(1)
    generator = numpy_generator(judgement.seed, "calibration")
    drawn = weights(unit_N, resamples_for(judgement.output), generator)
    errors_R = np.concatenate([weights_RN @ part_N / weights_RN.sum(1) for weights_RN in drawn])
    found = percentile(errors_R, len(np.unique(unit_N)))
    bias = bins.error - bins.debiased_error
    return None if found is None else (max(0.0, found[0] - bias), max(0.0, found[1] - bias))
