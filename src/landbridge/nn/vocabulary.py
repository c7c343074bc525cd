"""What objectives over words must know of a body: which numbers are words, and the table that embeds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Inputs
from landbridge.core.domain import Domain
from landbridge.core.model import Body, Model


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Numbers with a meaning of their own: the mask token, None where there is none, and all special tokens."""

    mask: int | None = None
    special: tuple[int, ...] = ()

    def ordinary(self, inputs: Inputs) -> Tensor:
        """BxT, true where a token is a word of the text: neither padding nor special."""
        ids_BT = inputs["input_ids"]
        special = torch.tensor(self.special, dtype=ids_BT.dtype, device=ids_BT.device)
        return inputs["attention_mask"].bool() & ~torch.isin(ids_BT, special)


@runtime_checkable
class Spells(Protocol):
    """A preparation that knows the vocabulary of its tokenizer."""

    @property
    def vocabulary(self) -> Vocabulary: ...


def vocabulary_of(body: Body) -> Vocabulary:
    """The vocabulary of a body's preparation; one without special tokens where it knows of none."""
    return body.prepare.vocabulary if isinstance(body.prepare, Spells) else Vocabulary()


def word_table(body: Body) -> nn.Embedding | None:
    """The table of word embeddings: the largest in the embedder; None where there is none."""
    tables = [m for root in body.embedder for m in root.modules() if isinstance(m, nn.Embedding)]
    return max(tables, key=lambda table: table.num_embeddings, default=None)


@torch.no_grad()
def sample_inputs(model: Model, domain: Domain, rows: Sequence[int] | np.ndarray, count: int = 2) -> Inputs:
    """The prepared inputs of the first few rows, where the model is: an objective sees by them what the body reads."""
    body, device = model.body, next(model.parameters()).device
    made = body.prepare.collate([body.prepare(domain.example(int(row))) for row in rows[:count]])
    return {name: values.to(device) for name, values in made.items()}
