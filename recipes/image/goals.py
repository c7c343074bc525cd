"""What is learnt: the class of a formula above all, and beside it what the worlds tell of their pictures.

Shapes: B batch, D width.
"""

from __future__ import annotations

import torch
from facts import CHOICES, NUMBERS, PRESENT
from torch import Tensor, nn
from torch.nn import functional

SMOOTHING = 0.1
BESIDE = 0.5  # weight of each goal beside the class


class Goals(nn.Module):
    """A linear layer for each goal, on the features of the encoder.

    The main road is supervised by formulas: one softmax over the classes of all worlds (Kataoka et al. 2020, FractalDB;
    Takashima et al. 2023, VisualAtom; Nakamura et al. 2023, OFDB; none has several worlds in one softmax).
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        widths = {"class": classes, **CHOICES, **PRESENT, **NUMBERS}
        self.heads = nn.ModuleDict({name: nn.Linear(width, outputs) for name, outputs in widths.items()})

    def forward(self, features_BD: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The loss, and what the log shows of it: each term over the rows that have it, and how many classes are right.

        A row counts as much as any other: each term is summed over the rows that have it and divided by B.
        """
        total, shown = torch.zeros(()), dict[str, float]()
        for name, head in self.heads.items():
            output, target = head(features_BD).float(), targets[name]
            each_B, there_B = _each(name, output, target)
            total = total + (1.0 if name == "class" else BESIDE) * each_B.sum() / len(features_BD)
            shown[name] = float(each_B.detach().sum()) / max(1, int(there_B.sum()))
            if name == "class":
                right = (output.detach().argmax(1) == target)[there_B]
                shown["right"] = float(right.float().mean()) if len(right) else 0.0
        return total, shown


def _each(name: str, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of each row, 0 where nothing is known, and where something is."""
    if name in PRESENT or name in NUMBERS:
        there = ~torch.isnan(target).any(1)
        aim = torch.nan_to_num(target)
        measure = functional.binary_cross_entropy_with_logits if name in PRESENT else functional.smooth_l1_loss
        return measure(output, aim, reduction="none").mean(1) * there, there
    there = target >= 0
    smoothing = SMOOTHING if name == "class" else 0.0
    each = functional.cross_entropy(output, target.clamp_min(0), reduction="none", label_smoothing=smoothing)
    return each * there, there
