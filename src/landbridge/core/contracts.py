"""What each kind of part promises. Protocols only: a part is final and is never subclassed.

Shapes: N examples, B batch, C outputs, D width. `output` always means the head's raw output: logits for classes,
standardised values for regression.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.insert import Insert
from landbridge.core.model import Body, Example, Model

if TYPE_CHECKING:
    from landbridge.core.domain import Domain
    from landbridge.core.finding import Finding, Judgement

Memory = dict[str, Any]  # travels between stages and into the artifact: name -> tensor or JSON value


class Modality(Protocol):
    """How one kind of data is recognised, decoded, sketched and shown."""

    part_name: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]  # file endings that are one example each, lower case with dot

    def decode(self, cell: Any) -> Example:
        """A stored cell (path, bytes, text, mapping, array) to an example; DataError naming what is wrong."""
        ...

    def sketch(self, example: Example) -> np.ndarray:
        """A short float32 vector, nearly equal for near-duplicates (re-encoded, resized, re-spaced)."""
        ...

    def thumbnail(self, example: Example) -> str:
        """Inline, escaped HTML that shows the example in a report, under 20 kB, without scripts or links."""
        ...

    def perturb(self, example: Example, kind: str, severity: int, generator: np.random.Generator) -> Example:
        """A natural corruption of the example, severity 1 to 5; `kind` from `corruptions`."""
        ...

    corruptions: ClassVar[tuple[str, ...]]


class Task(Protocol):
    """What is predicted: encoding of labels, loss, metrics, decoding, trivial baseline. A frozen value."""

    part_name: ClassVar[str]

    @property
    def outputs(self) -> int:
        """C, the width of the head."""
        ...

    @property
    def metric(self) -> str:
        """Name of the primary metric; for all metrics higher is better (errors are negated and say so)."""
        ...

    def encode(self, labels: Sequence[Any]) -> np.ndarray:
        """Labels to targets: N int64, NxC float32, or N float32 in original units."""
        ...

    def loss(self, output: Tensor, target: Tensor, *, weight: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
        """Loss of each example, B. `weight` is per class (C); target may be soft (BxC) for classes."""
        ...

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """NxC probabilities for classes; N values in original units for regression."""
        ...

    def decode(self, output: np.ndarray) -> list[Any]:
        """The predicted label or value of each row, JSON-ready."""
        ...

    def describe(self, output: np.ndarray) -> list[dict[str, float]]:
        """Per row, class name to probability; empty for regression."""
        ...

    def metrics(self, output: np.ndarray, target: np.ndarray) -> dict[str, float]:
        """All metrics of the task, the primary first."""
        ...

    def score(self, output: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
        """The primary metric; `weight` N counts rows, as a bootstrap does."""
        ...

    def resampled(
        self, output: np.ndarray, target: np.ndarray, weights: np.ndarray, names: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """The named metrics (default all) under R weightings RxN of the rows, R values each, NaN where undefined."""
        ...

    def trivial(self, target: np.ndarray) -> np.ndarray:
        """The output row (C) that ignores the example: class prior or mean."""
        ...

    def strata(self, target: np.ndarray) -> np.ndarray | None:
        """N integers to stratify splits by, or None."""
        ...

    def class_weight(self, target: np.ndarray) -> np.ndarray | None:
        """C weights that make classes count alike (mean 1 over the rows), or None where that has no meaning."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with the part's name; `from_json` of the class gives an equal task."""
        ...


class Source(Protocol):
    """One scheme of addresses, such as `transformers:`; the text after the colon is its own business."""

    part_name: ClassVar[str]

    def open(self, address: str, *, weights: bool = True, modality: str | None = None) -> Body:
        """The body behind an address (without the scheme); `weights=False` leaves the random initialisation."""
        ...

    def rebuild(self, files: Mapping[str, bytes]) -> Body:
        """The architecture from `Body.files()`, weights random: what loading an artifact needs."""
        ...

    def known(self) -> list[dict[str, Any]]:
        """What can be opened here and now, for `landbridge sources`: address, reads, parameters, licence, note."""
        ...


class Bridge(Protocol):
    """How the target's data reaches the source."""

    part_name: ClassVar[str]
    routes: ClassVar[tuple[tuple[str, str], ...]]  # (modality of the data, modality the source reads); ("*","*") native

    def fit(self, body: Body, domain: Domain, rows: np.ndarray) -> dict[str, Any]:
        """Facts learnt from training rows, as JSON (a duration, a scale); saved in the artifact."""
        ...

    def connect(self, body: Body, facts: Mapping[str, Any]) -> Body:
        """A body that reads the data's modality; the same facts give the same body anywhere."""
        ...


@dataclass
class Handle:
    """What a tuning did to a model.

    groups: optimiser groups `{"params": [...], "scale": float, "decay": bool, "name": str}`, the learning rate is
    `stage.lr * scale`. first_moving: number of the lowest block whose weights (or whose input's embedder, then -1)
    move; equal to the number of blocks when only the head moves. moving: modules that train in train mode; all else
    stays in eval mode, so that dropout and batch statistics of frozen parts do not move. listens: what moves only reads
    what flows between the blocks, so that stored activations of all depths spare the body altogether.
    """

    groups: list[dict[str, Any]]
    first_moving: int
    moving: list[nn.Module]
    lr: float  # the tuning's own default peak rate
    levels: list[Handle] = field(default_factory=list["Handle"])  # gradual unfreezing: what moves after this one
    closed_form: bool = False  # only a head moves, so an objective that can solve takes no steps
    listens: bool = False

    def train_mode(self, model: Model) -> None:
        """Train mode for what moves, eval mode for all else."""
        model.eval()
        for module in self.moving:
            module.train()


class Tuning(Protocol):
    """Which weights may move."""

    part_name: ClassVar[str]
    paper: ClassVar[str]

    def attach(self, model: Model) -> Handle:
        """Freeze, insert and mark; every parameter not in the groups has requires_grad False.

        UsageError in one line, and the model as it was, where the tuning does not apply to such a body.
        """
        ...

    def merge(self, model: Model) -> None:
        """Leave plain weights that give the same output; what cannot be merged is an insert and stays."""
        ...


@runtime_checkable
class Stays(Protocol):
    """A tuning whose modules no plain weight can hold: they stay in `body.inserts`, also in the artifact."""

    def insert(self, body: Body) -> Insert:
        """The untrained modules for a body like this, the same ones that `attach` puts in; nothing is changed."""
        ...


class Objective(Protocol):
    """What the weights are pulled toward.

    It may besides say, as class attributes, what it needs or leaves alone: `sampling = "pairs"` (batches drawn in pairs
    of one class), `views = 2` (so many random views of each example in `batch.views`), `alters_inputs = True` (it
    hides parts of the inputs itself, so stored activations are no use to it), `trains_head = False`, and `own_rate`
    (the lowest peak rate of what it learns beside the model). One that has `after_step(model, state, done)` is called
    after each optimiser step with the share of the schedule that is done: slow copies follow the model there.
    """

    part_name: ClassVar[str]
    paper: ClassVar[str]

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """The state: everything learnt beside the model (teacher, critic, Fisher, class weights as buffers)."""
        ...

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named scalar terms; the loop adds them."""
        ...

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """What the next stage and the artifact remember."""
        ...


class Predictor(Protocol):
    """Anything that turns examples into outputs and can be written as JSON and arrays: what an artifact holds."""

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32, in order."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Plain JSON and named arrays from which the predictor can be rebuilt."""
        ...


class Rival(Protocol):
    """A control that learns without any transfer; fits itself, needs no body. A part with fields."""

    part_name: ClassVar[str]
    paper: ClassVar[str]
    modalities: ClassVar[tuple[str, ...]]  # ("*",) for all

    def fit(self, domain: Domain, rows: np.ndarray, seed: int, deadline: float | None = None) -> Predictor:
        """Fit on the given rows only, choosing its own hyper-parameters inside them; `deadline` is monotonic time."""
        ...

    def rebuild(self, task: Task, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Predictor:
        """The predictor that `Predictor.state` wrote."""
        ...


class Evaluator(Protocol):
    """A small generator of findings about one judgement."""

    part_name: ClassVar[str]

    def findings(self, judgement: Judgement) -> Iterator[Finding]:
        """Findings with interval, method and severity; nothing where it does not apply."""
        ...


class Score(Protocol):
    """How well the features of a source serve a target, told without training: higher is better, on its own scale.

    `needs` names what `score` takes by keyword besides features and labels: `source_probabilities` (NxZ, the source's
    own classes for the target's rows), `task`, `seed`. Who scores passes exactly these, and leaves a score out where
    one of them is not at hand.
    """

    part_name: ClassVar[str]
    paper: ClassVar[str]
    reads: ClassVar[frozenset[str]]  # labels: "classes" N integers, "values" N floats, "labels" NxC of 0 and 1
    needs: ClassVar[frozenset[str]]

    def score(self, features_ND: np.ndarray, labels_N: np.ndarray, *args: Any, **needed: Any) -> float:
        """A finite number; UsageError where labels of this kind are not read."""
        ...


class Distance(Protocol):
    """How far two sets of features are apart: lower is nearer, 0 from a set to itself, the same both ways.

    `needs` names what `distance` takes by keyword besides the features: `one_labels`, `other_labels` (classes), `seed`.
    """

    part_name: ClassVar[str]
    paper: ClassVar[str]
    paired: ClassVar[bool]  # row n of one set is row n of the other, widths may differ; else rows may, widths not
    needs: ClassVar[frozenset[str]]

    def distance(self, one_ND: np.ndarray, other_MD: np.ndarray, *args: Any, **needed: Any) -> float:
        """A finite number, not negative but for rounding and unbiased estimates."""
        ...


@dataclass(frozen=True, kw_only=True)
class Made:
    """N examples of a world, and what is true of them.

    examples: cells that the world's modality decodes. labels: the class of each, or its number where the world asks for
    one. truth: all that the example was made from, JSON-ready. views: the same N told in other modalities, by name.
    """

    examples: Sequence[Any]
    labels: Sequence[str] | Sequence[float]
    truth: Sequence[Mapping[str, Any]]
    views: Mapping[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])


class World(Protocol):
    """Data without end, made by a rule, with exact ground truth. A part with fields.

    Example i depends on the fields, the seed and i alone: any slice can be made by itself, in any order, batch and
    process, and the same seed gives the same numbers on any machine.
    """

    part_name: ClassVar[str]
    paper: ClassVar[str]

    @property
    def modality(self) -> str:
        """The modality that decodes the examples."""
        ...

    def make(self, seed: int, indices: np.ndarray) -> Made:
        """The examples with these numbers (N integers from 0 on, in any order, repeated or none)."""
        ...
