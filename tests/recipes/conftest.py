"""Scripts of recipes import what lies beside them, and two of them are called `train`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"
sys.path.insert(0, str(RECIPES / "image"))


@pytest.fixture(scope="session")
def recipe():
    """The modules of recipes/table_head: `prior` and `train`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPES / "table_head"))
        import prior

        spec = importlib.util.spec_from_file_location("table_head_train", RECIPES / "table_head" / "train.py")
        assert spec is not None and spec.loader is not None
        train = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, train)
        spec.loader.exec_module(train)
        yield prior, train


@pytest.fixture(scope="session")
def series_recipe():
    """The modules of recipes/series: `episodes` and `settle`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPES / "series"))
        import episodes
        import settle

        yield episodes, settle
