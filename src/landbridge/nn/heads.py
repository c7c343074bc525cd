"""The head a task puts on a body: normalise, standardise, drop, then one linear map (of kernels, where it bends).

Shapes: B batch, D width of the features, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landbridge.nn.kernel import rbf

_FLOOR = 1e-12  # the smallest length a feature row is divided by


@dataclass(frozen=True)
class Wish:
    """How a closed-form objective should fill a head: a tuning sets it, "auto" leaves it to the objective.

    solver: auto, logistic, lda, ridge, kernel, centroid or cache; normalise (rows) and standardise (columns): auto, yes
    or no.
    """

    solver: str = "auto"
    normalise: str = "auto"
    standardise: str = "auto"


class Head(nn.Module):
    """Features_BD to output_BC: `weight @ ((x / |x| - mean) / scale) + bias`, the division by |x| only on wish.

    With `unit` the rows that are so adjusted are divided by their length once more, before the linear map.
    A kernel head (`fill_kernel`) puts exp(-gamma |x - s|^2) to each of M supports before the linear map, whose weight
    may have D more columns for the adjusted row itself.
    Linear weights begin at zero, so that the first output says nothing and the first step is the convex probe's.
    `wish` says how a closed-form objective should fill the head.
    """

    mean: Tensor
    scale: Tensor
    support: Tensor

    def __init__(self, width: int, outputs: int, *, normalise: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if width < 1 or outputs < 1:
            raise ValueError(f"a head needs width and outputs of at least 1, got {width} and {outputs}")
        self.normalise = normalise
        self.unit = False
        self.wish = Wish()
        self.weight = nn.Parameter(torch.zeros(outputs, width))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("support", torch.zeros(0, width))
        self.gamma = 0.0

    @property
    def width(self) -> int:
        """D, the width of the features it reads."""
        return int(self.mean.shape[0])

    @property
    def outputs(self) -> int:
        """C, the width of what it gives."""
        return int(self.weight.shape[0])

    def forward(self, features: Tensor) -> Tensor:
        """features_BD to output_BC."""
        adjusted = self.dropout(self.adjusted(features))
        if len(self.support):
            return self._bent(adjusted)
        return nn.functional.linear(adjusted, self.weight, self.bias)

    def _bent(self, adjusted: Tensor) -> Tensor:
        """Kernels and their weighted sum in float64, as large terms of both signs cancel."""
        with torch.autocast(adjusted.device.type, enabled=False):
            wide = torch.float32 if adjusted.device.type == "mps" else torch.float64
            kernels = rbf(adjusted.to(wide), self.support.to(wide), self.gamma)
            if self.weight.shape[1] > len(self.support):
                kernels = torch.cat([kernels, adjusted.to(wide)], dim=1)
            return nn.functional.linear(kernels, self.weight.to(wide), self.bias.to(wide)).float()

    def adjusted(self, features: Tensor) -> Tensor:
        """The features after normalisation and standardisation: what the linear map reads."""
        rows = (normalised(features) if self.normalise else features).sub(self.mean).div(self.scale)
        return normalised(rows) if self.unit else rows

    @torch.no_grad()
    def fill(
        self,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor | None = None,
        scale: Tensor | None = None,
        *,
        normalise: bool | None = None,
        unit: bool = False,
    ) -> None:
        """Take solved values: weight CxD, bias C, mean and scale D (0 and 1 when left out).

        A weight of another width than the head's makes the head that wide (features of several depths); its
        parameters are then new objects, so that an optimiser must be made after this.
        """
        if weight.shape[0] != self.outputs or bias.shape != (self.outputs,):
            shapes = f"{tuple(weight.shape)} and {tuple(bias.shape)}"
            raise ValueError(f"a head of {self.outputs} outputs cannot take weight and bias of shape {shapes}")
        width, like = int(weight.shape[1]), self.weight
        if weight.shape != like.shape or len(self.support):
            self.weight = nn.Parameter(like.new_zeros(self.outputs, width), requires_grad=like.requires_grad)
            self.mean, self.scale = like.new_zeros(width), like.new_ones(width)
            self.support, self.gamma = like.new_zeros(0, width), 0.0
        self.weight.copy_(weight)
        self.bias.copy_(bias)
        self.mean.copy_(torch.zeros(width) if mean is None else mean)
        self.scale.copy_(torch.ones(width) if scale is None else scale)
        self.normalise = self.normalise if normalise is None else normalise
        self.unit = unit

    @torch.no_grad()
    def fill_kernel(
        self,
        weight: Tensor,
        bias: Tensor,
        support: Tensor,
        gamma: float,
        mean: Tensor,
        scale: Tensor,
        *,
        unit: bool = False,
    ) -> None:
        """Take a solved kernel model: weight CxM or Cx(M+D) over support MxD (adjusted rows), bias C, mean, scale D."""
        like = self.weight
        self.mean, self.scale = mean.to(like), scale.to(like)
        self.support, self.gamma = support.to(like).clone(), gamma
        self.weight = nn.Parameter(weight.to(like).contiguous(), requires_grad=like.requires_grad)
        self.bias.copy_(bias)
        self.unit = unit

    def spec(self) -> dict[str, Any]:
        """What an artifact keeps beside the weights, as plain JSON."""
        return {
            "width": self.width,
            "outputs": self.outputs,
            "normalise": self.normalise,
            "unit": self.unit,
            "dropout": self.dropout.p,
            "supports": len(self.support),
            "gamma": self.gamma,
            "columns": self.weight.shape[1],
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Head:
        """The empty head that `spec` describes; its weights come from a state dict."""
        head = cls(
            int(spec["width"]),
            int(spec["outputs"]),
            normalise=bool(spec["normalise"]),
            dropout=float(spec["dropout"]),
        )
        head.unit = bool(spec.get("unit", False))  # older artifacts say neither this nor columns
        if spec["supports"]:
            head.support = torch.zeros(int(spec["supports"]), head.width)
            columns = int(spec.get("columns", spec["supports"]))
            head.weight = nn.Parameter(torch.zeros(head.outputs, columns))
            head.gamma = float(spec["gamma"])
        return head


def normalised(features: Tensor) -> Tensor:
    """Every row divided by its Euclidean length; a row of zeros stays zero."""
    return features / features.norm(dim=1, keepdim=True).clamp_min(_FLOOR)
