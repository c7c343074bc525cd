"""Choosing weighs what validation saw against what was known of a kind of recipe before."""

from __future__ import annotations

import numpy as np
import pytest

from landbridge.planning.belief import Belief, prior_of, updated
from landbridge.planning.candidates import anew, part, rival
from landbridge.planning.foretell import Known
from landbridge.planning.prior import expected_of_control

KNOWN = Known(metric="accuracy", value=0.75, error=0.05, labels=8.0)


def test_a_belief_is_the_mean_by_precision() -> None:
    """Against the posterior of a normal on a fine grid."""
    found = updated(Belief(-0.1, 0.05), lead=0.08, error=0.1)
    at = np.linspace(-1, 1, 200_001)
    weight = np.exp(-0.5 * ((at + 0.1) / 0.05) ** 2 - 0.5 * ((at - 0.08) / 0.1) ** 2)
    mean = np.average(at, weights=weight)
    assert found.mean == pytest.approx(mean, abs=1e-6)
    assert found.spread == pytest.approx(np.sqrt(np.average((at - mean) ** 2, weights=weight)), abs=1e-6)


def test_many_rows_overrule_what_was_believed() -> None:
    prior = prior_of(rival("tfidf"), "rival", KNOWN)
    assert prior.mean < 0
    assert updated(prior, lead=0.03, error=0.1).mean < 0 < updated(prior, lead=0.03, error=0.004).mean


def test_what_is_believed_is_a_share_of_the_probes_error() -> None:
    mean, spread = expected_of_control("rival", crossing=False)
    assert prior_of(rival("tfidf"), "rival", KNOWN) == Belief((0.25 + 0.05) * mean, (0.25 + 0.05) * spread)
    flawless = Known(metric="accuracy", value=1.0, error=0.05, labels=8.0)
    assert prior_of(rival("tfidf"), "rival", flawless) == Belief(0.05 * mean, 0.05 * spread)
    few = Known(metric="accuracy", value=1.0, error=0.0, labels=8.0, rows=6)  # no mistake on six rows
    assert prior_of(rival("tfidf"), "rival", few) == Belief(mean / 8, spread / 8)
    across = Known(metric="accuracy", value=0.75, error=0.05, labels=8.0, crossing=True)
    assert prior_of(rival("tfidf"), "rival", across).mean > 0, "over a bridge the rival is the one to beat"


def test_only_another_modality_makes_tuning_pay_more_not_another_form_of_the_same() -> None:
    across = Known(metric="accuracy", value=0.75, error=0.05, labels=40.0, crossing=True)
    plain = Known(metric="accuracy", value=0.75, error=0.05, labels=40.0)
    curves, plot = (anew("toy:source", part("bridges", name), 80) for name in ("curves", "plot"))
    assert prior_of(curves, "candidate", across) == prior_of(curves, "candidate", plain)
    assert prior_of(plot, "candidate", across).mean > prior_of(plot, "candidate", plain).mean
