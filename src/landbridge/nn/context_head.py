"""A head that keeps labelled rows and reads them beside each row that it is asked about: nothing is fitted.

Shapes: B batch, W width of a row's features (F columns of K channels), N kept rows, P passes, M rows of a pass, C
classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.errors import UsageError
from landbridge.nn.heads import Head
from landbridge.nn.table_net import CHANNELS, Keys, TableNet

MOST_ROWS, MOST_CELLS = 1024, 32_768  # of the context of one pass
PASSES = 2  # contexts whose answers are averaged; each names the classes otherwise


class ContextHead(nn.Module):
    """Features_BW to log-probabilities_BC by a network that learns in context, whose weights are the body's.

    The state dict holds the features and labels of the training rows that serve as context: who has the head has them.
    Above 1024 rows, or 32,768 cells, as many are drawn for each pass, every class in its share. Two passes, which name
    the classes otherwise, are averaged.
    """

    batch = 256  # rows that are asked about at once: fewer leave the cores idle

    context: Tensor
    labels: Tensor
    drawn: Tensor
    slots: Tensor
    marks: Tensor
    offset: Tensor

    def __init__(
        self, net: TableNet, width: int, outputs: int, *, rows: int = 0, size: int = 0, passes: int = 1
    ) -> None:
        super().__init__()
        self.net = (net,)  # in a tuple: the body's weights, neither counted nor saved twice
        self.width, self.outputs = width, outputs
        columns = width // CHANNELS
        self.register_buffer("context", torch.zeros(rows, width))
        self.register_buffer("labels", torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("drawn", torch.zeros(passes, size, dtype=torch.int64))  # rows of each pass
        self.register_buffer("slots", torch.zeros(passes, outputs, dtype=torch.int64))  # the network's class of each
        self.register_buffer("marks", torch.zeros(passes, columns, net.shape.marks))
        self.register_buffer("offset", torch.zeros(outputs))
        self._memory: list[list[Keys]] = []

    def fill(
        self, features: Tensor, target: Tensor, *, seed: int, class_weight: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Keep rows NxW with their classes N; what was kept, as JSON. `class_weight` shifts the answers by its log."""
        generator = torch.Generator().manual_seed(seed)
        columns = features.shape[1] // CHANNELS + 1
        size = min(MOST_ROWS, max(1, MOST_CELLS // columns), len(target))
        draws = torch.stack([shares(target, size, generator) for _ in range(PASSES)])
        kept, places = draws.unique(return_inverse=True)
        self.context, self.labels = features[kept].float().clone(), target[kept].clone()
        self.drawn = places.reshape(draws.shape)
        order = torch.randperm(self.outputs, generator=generator)
        self.slots = torch.stack([order.roll(turn) for turn in range(PASSES)])
        self.marks = torch.randn(PASSES, *self.marks.shape[1:], generator=generator)
        self.offset = torch.zeros(self.outputs)
        if class_weight is not None:
            self.offset = torch.from_numpy(np.log(np.maximum(class_weight, 1e-6)).astype(np.float32))
        self._memory = []
        return {"kind": "context", "rows": len(kept), "passes": PASSES, "rows of a pass": size}

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        """features_BW to output_BC: the logarithm of the mean of the passes' probabilities."""
        if not len(self.context):
            return features.new_zeros(len(features), self.outputs)
        with torch.autocast(features.device.type, enabled=False):
            cells = features.float().unflatten(1, (-1, CHANNELS)).unsqueeze(0)
            self._memory = self._memory or [self._remembered(turn) for turn in range(len(self.drawn))]
            shares_PBC = torch.stack(
                [
                    self.net[0].answer(cells, self.marks[turn : turn + 1], memory)[0][:, self.slots[turn]].softmax(-1)
                    for turn, memory in enumerate(self._memory)
                ]
            )
            return shares_PBC.mean(0).clamp_min(1e-7).log() + self.offset

    def _remembered(self, turn: int) -> list[Keys]:
        """The context of a pass, read once."""
        cells = self.context[self.drawn[turn]].unflatten(1, (-1, CHANNELS))
        named = self.slots[turn][self.labels[self.drawn[turn]]]
        return self.net[0].remember(cells.unsqueeze(0), named.unsqueeze(0), self.marks[turn : turn + 1])

    def spec(self) -> dict[str, Any]:
        """What an artifact keeps beside the state dict, as plain JSON."""
        passes, size = self.drawn.shape
        sizes = {"rows": len(self.context), "size": size, "passes": passes}
        return {"kind": "context", "width": self.width, "outputs": self.outputs, **sizes}

    def _apply(self, fn: Any, recurse: bool = True) -> ContextHead:
        self._memory = []  # another device or precision
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *args: Any, **named: Any) -> None:
        self._memory = []
        super()._load_from_state_dict(*args, **named)


def head_of(spec: Mapping[str, Any], net: nn.Module) -> Head | ContextHead:
    """The empty head that a spec describes, over a body's network."""
    if spec.get("kind") != "context":
        return Head.from_spec(spec)
    known = {"passes": PASSES, **spec}  # artifacts from before large contexts were read once do not say it
    sizes = {name: int(known[name]) for name in ("width", "outputs", "rows", "size", "passes")}
    return ContextHead(cast(TableNet, net), sizes.pop("width"), sizes.pop("outputs"), **sizes)


def context_head(net: nn.Module, width: int, outputs: int, address: str) -> ContextHead:
    """An empty head over a network that learns in context; UsageError where the body's is none or has fewer classes."""
    if not isinstance(net, TableNet):
        raise UsageError(f"probe: head 'context' needs a source that learns in context, {address} does not; use auto")
    if outputs > net.shape.classes:
        told = f"{outputs} outputs, {address} tells at most {net.shape.classes} classes apart"
        raise UsageError(f"probe: head 'context' does not fit {told}; use auto")
    return ContextHead(net, width, outputs)


def shares(target: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Numbers of `size` rows in order, drawn so that each class keeps its share and none that can stay goes."""
    order = torch.randperm(len(target), generator=generator)
    place = torch.zeros(len(target), dtype=torch.float64)
    for label in target.unique():
        rows = order[target[order] == label]
        place[rows] = torch.arange(len(rows), dtype=torch.float64) / len(rows)
    return place.argsort(stable=True)[:size].sort().values
