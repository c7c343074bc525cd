"""Carry knowledge from pretrained models to small data of any modality, and prove that the crossing paid.

    >>> import landbridge
    >>> result = landbridge.run("photos/")          # doctest: +SKIP

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landbridge.ahead import assess as assess
    from landbridge.ahead import plan as plan
    from landbridge.core.recipe import Recipe as Recipe
    from landbridge.core.recipe import Stage as Stage
    from landbridge.delivery.artifact import load as load
    from landbridge.estimators import LandbridgeClassifier as LandbridgeClassifier
    from landbridge.estimators import LandbridgeRegressor as LandbridgeRegressor
    from landbridge.reading.read import read as read
    from landbridge.road import compare as compare
    from landbridge.road import fit as fit
    from landbridge.road import run as run
    from landbridge.unlabelled_road import pretrain as pretrain

__version__ = "0.1.0"

_HOMES = {
    "run": "landbridge.road",
    "fit": "landbridge.road",
    "compare": "landbridge.road",
    "assess": "landbridge.ahead",
    "plan": "landbridge.ahead",
    "pretrain": "landbridge.unlabelled_road",
    "read": "landbridge.reading.read",
    "load": "landbridge.delivery.artifact",
    "Recipe": "landbridge.core.recipe",
    "Stage": "landbridge.core.recipe",
    "LandbridgeClassifier": "landbridge.estimators",
    "LandbridgeRegressor": "landbridge.estimators",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"landbridge has no '{name}'; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
