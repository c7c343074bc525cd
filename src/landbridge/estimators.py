"""scikit-learn estimators over the same road: `LandbridgeClassifier().fit(X, y).predict(X)`.

X is a table (2-D array or data frame), texts, pictures or sounds or their paths, or series (3-D array). Tables follow
scikit-learn's own contract (`check_estimator`); other kinds go wherever scikit-learn passes X on untouched.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_is_fitted, column_or_1d, validate_data

from landbridge.core import codec
from landbridge.core.clock import parse_duration
from landbridge.core.domain import Domain
from landbridge.core.errors import DataError, UsageError
from landbridge.core.files import new_folder
from landbridge.core.recipe import Recipe, Stage
from landbridge.delivery.destination import check_destination
from landbridge.engine.attempt import Order, attempt
from landbridge.engine.precision import pick_device
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import controls, rival, routes
from landbridge.planning.sources import FROM_NOTHING, default_sources, readable
from landbridge.reading.arrays import domain_of, held
from landbridge.road import Result, fit, run


class _Crossing(BaseEstimator):
    """What both estimators share. `task` of the subclasses names the task."""

    _task: str

    def __init__(
        self,
        source: str | Sequence[str] | None = None,
        *,
        tuning: str | Sequence[str] | None = None,
        recipe: Recipe | None = None,
        budget: str | float | None = None,
        prove: bool = False,
        out: str | Path | None = None,
        modality: str | None = None,
        random_state: Any = None,
        device: str = "cpu",
    ) -> None:
        self.source = source
        self.tuning = tuning
        self.recipe = recipe
        self.budget = budget
        self.prove = prove
        self.out = out
        self.modality = modality
        self.random_state = random_state
        self.device = device

    def __sklearn_tags__(self) -> Tags:
        """Missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def _learn(self, X: Any, y: np.ndarray) -> Self:
        """Fit one recipe on all rows, or walk the main road and keep its proof."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1)) if self.random_state is not None else 0
        with _value_errors():
            domain = domain_of(X, y, modality=self.modality, task=self._task, seed=seed, split=self.prove)
            self._modality, self._reading = domain.modality.part_name, domain.reading
            if self.prove:
                self._prove(domain, seed)
            else:
                self._fit(domain, seed)
        return self

    def _fit(self, domain: Domain, seed: int) -> None:
        recipe = self._recipe(domain)
        order = Order(
            recipe=recipe,
            train=np.arange(len(domain)),
            validation=np.arange(0),
            seed=seed,
            seconds=_seconds(self.budget),
        )
        with tempfile.TemporaryDirectory(prefix="landbridge-") as cache:
            done = attempt(Workshop(domain, device=pick_device(self.device), folder=Path(cache), seed=seed), order)
        self._predictor, self._of_task, self._temperature = done.predictor, domain.task, None
        self.recipe_ = recipe
        self.evidence_ = {
            "chosen": {"name": recipe.name, "recipe": recipe.to_json()},
            "rows": len(domain),
            "seconds": done.trial.seconds,
            "trainable": done.trial.trainable,
        }

    def _prove(self, domain: Domain, seed: int) -> None:
        out = Path(self.out) if self.out is not None else Path(tempfile.mkdtemp(prefix="landbridge-")) / "artifact"
        if self.out is None:
            weakref.finalize(self, shutil.rmtree, out.parent, True)
        asked = {"budget": self.budget, "out": out, "seed": seed, "device": self.device}
        result: Result
        if self.recipe is not None or self.tuning is not None or _is_rival(self.source):
            result = fit(domain, self._recipe(domain), **asked)
        else:
            result = run(domain, sources=_listed(self.source) or None, **asked)
        adapted = result.adapted
        self._predictor, self._of_task, self._temperature = adapted.predictor, adapted.task, adapted.temperature
        self.recipe_, self.evidence_, self.path_ = adapted.recipe, dict(result.evidence), out

    def _recipe(self, domain: Domain) -> Recipe:
        """The recipe that was asked for: by itself, by source and tuning, or the cheapest for the kind of data."""
        if self.recipe is not None:
            return self.recipe
        given = _listed(self.source)
        if len(given) > 1:
            raise UsageError(f"{len(given)} sources are a comparison; give one, or choose among them with prove=True")
        if _is_rival(self.source):
            return rival(given[0].removeprefix("rival:"))
        if not given:
            table = domain.modality.part_name == "table"
            given = [] if table else [s for s in default_sources(domain) if s != FROM_NOTHING][:1]
        if not given:
            return next(c.recipe for c in controls(domain) if c.role == "rival")
        bridges = routes(domain.modality.part_name, readable(given[0], domain).reads)
        if not bridges:
            raise UsageError(f"no bridge leads from {domain.modality.part_name} to {given[0]}; choose another source")
        objectives = (codec.parse("objectives", "supervised"),)
        tunings = [self.tuning] if isinstance(self.tuning, str) else list(self.tuning or ["probe"])
        stages = tuple(Stage(tuning=codec.parse("tunings", t), objectives=objectives) for t in tunings)
        return Recipe(source=given[0], bridge=codec.parse("bridges", bridges[0]), stages=stages)

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """X by scikit-learn's rules when it is a table of numbers, else as it is with its columns counted."""
        if self.modality not in (None, "table") or not _tabular(X):
            return X
        worded = isinstance(X, pd.DataFrame) and any(not pd.api.types.is_numeric_dtype(t) for t in X.dtypes)
        if worded or (isinstance(X, np.ndarray) and X.dtype.kind == "O" and any(isinstance(v, str) for v in X.flat)):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        return validate_data(
            self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=2 if reset else 1
        )

    def _output(self, X: Any) -> np.ndarray:
        """output_NC of examples."""
        check_is_fitted(self, "recipe_")
        X = self._checked(X, reset=False)
        with _value_errors():
            examples = held(X, self._modality, self._reading if self._modality == "table" else None).examples()
            output = self._predictor.predict(examples)
        return output if self._temperature is None else output / np.float32(self._temperature)

    def save(self, path: str | Path) -> Path:
        """Write the artifact (proof, report, model); UsageError unless it was fitted with `prove=True`."""
        check_is_fitted(self, "recipe_")
        if not self.prove or not Path(self.path_).is_dir():
            raise UsageError("an artifact holds the proof that transfer pays, and none was made; fit with prove=True")
        target = Path(path)
        check_destination(target)
        with new_folder(target) as draft:
            shutil.copytree(self.path_, draft, dirs_exist_ok=True)
        return target


class LandbridgeClassifier(ClassifierMixin, _Crossing):
    """A classifier for tables, texts, pictures, sounds and series that starts from pretrained models.

    By default one recipe is fitted on all rows: for tables the boosted trees that transfer must beat, else a probe on
    the first source at hand. `source`, `tuning` (one or several stages) or `recipe` choose otherwise. With
    `prove=True` the main road is walked within `budget` (splits, comparison, test): `evidence_` then holds the proof,
    the model has not seen the test rows, and `save` writes the artifact.
    Fitted: `classes_`, `recipe_`, `evidence_`, and for tables `n_features_in_`.
    """

    _task = "classify"

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from examples X and their classes y."""
        X = self._checked(X, reset=True)
        y = column_or_1d(y, warn=True)
        _check_y(y, estimator=self)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class only ({self.classes_[0]!r}); two classes or more are needed")
        self._learn(X, y)
        self._columns = self._of_task.encode(self.classes_.tolist())
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, (N, classes), in the order of `classes_`; calibrated with `prove=True`."""
        output = self._output(X)
        return self._of_task.probabilities(output)[:, self._columns]

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each example."""
        shares = self.predict_proba(X)
        return self.classes_[shares.argmax(1)]


class LandbridgeRegressor(RegressorMixin, _Crossing):
    """A regressor for tables, texts, pictures, sounds and series; parameters as those of `LandbridgeClassifier`."""

    _task = "regress"

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from examples X and their values y."""
        X = self._checked(X, reset=True)
        y = _check_y(column_or_1d(y, warn=True), y_numeric=True, estimator=self)
        return self._learn(X, y.astype(np.float64))

    def predict(self, X: Any) -> np.ndarray:
        """The value of each example."""
        output = self._output(X)
        return self._of_task.probabilities(output).reshape(-1)


@contextmanager
def _value_errors() -> Iterator[None]:
    """scikit-learn's callers expect ValueError for bad data."""
    try:
        yield
    except DataError as error:
        raise ValueError(str(error)) from error


def _tabular(X: Any) -> bool:
    """Whether X is a table of columns, or is to be told that it must be one; texts, pictures and series are not."""
    if isinstance(X, pd.Series):
        return False
    if isinstance(X, np.ndarray):
        return X.ndim == 2 or (X.ndim == 1 and X.dtype.kind in "biufc") or X.ndim == 0
    if isinstance(X, (list, tuple)):
        return not X or isinstance(X[0], (int, float, list, tuple))
    return True


def _listed(source: str | Sequence[str] | None) -> list[str]:
    return [] if source is None else [source] if isinstance(source, str) else list(source)


def _is_rival(source: str | Sequence[str] | None) -> bool:
    return isinstance(source, str) and source.startswith("rival:")


def _seconds(budget: str | float | None) -> float:
    if budget is None:
        return float("inf")
    return parse_duration(budget) if isinstance(budget, str) else float(budget)
