"""When a scratch control is trained again, and when no refit could change what is told."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from landbridge.planning.judge import FAR, _out_of_reach

BEST = {"transfer": "t", "rival": "r", "scratch": "s", "trivial": "0"}


def _search(transfer: float, rival: float, error: float = 0.02) -> SimpleNamespace:
    """A search in which the two are so far ahead of scratch, with that error."""
    leads = {"t": transfer, "r": rival}
    return SimpleNamespace(gap=lambda first, second: (leads[first], error))


@pytest.mark.parametrize(
    ("transfer", "rival", "out"),
    [
        (0.3, 0.2, True),
        (0.3, FAR * 0.02 - 0.001, False),  # scratch may be the best control on the test
        (FAR * 0.02 - 0.001, 0.2, False),  # scratch may win
        (math.nan, math.nan, False),  # never validated together
    ],
)
def test_scratch_is_trained_again_unless_it_is_far_behind_transfer_and_rival(transfer, rival, out) -> None:
    assert _out_of_reach(_search(transfer, rival), BEST, "scratch") is out


def test_other_roles_and_scratch_without_a_rival_are_always_trained_again() -> None:
    search = _search(1.0, 1.0)
    assert not any(_out_of_reach(search, BEST, role) for role in ("transfer", "rival", "trivial"))
    assert not _out_of_reach(search, {"transfer": "t", "scratch": "s"}, "scratch")
    assert not _out_of_reach(search, {"rival": "r", "scratch": "s"}, "scratch")


def test_an_error_of_nought_is_no_proof_by_itself() -> None:
    assert not _out_of_reach(_search(0.0, 0.0, 0.0), BEST, "scratch")
