"""Scripts of recipes import what lies beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

TABLE_HEAD = Path(__file__).parents[2] / "recipes" / "table_head"


@pytest.fixture(scope="session")
def recipe():
    """The modules of recipes/table_head: `prior` and `train`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TABLE_HEAD))
        import prior
        import train

        yield prior, train
