"""From a text to token numbers, with padding only as far as the longest text of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from landbridge.nn.vocabulary import Vocabulary

Inputs = dict[str, Tensor]
MASKS = ("[MASK]", "<mask>")  # as BERT and RoBERTa spell it


@dataclass(frozen=True, kw_only=True)
class TextPrepare:
    """A fast tokenizer with its special tokens; texts longer than `max_length` tokens are cut at the end."""

    tokenizer: Tokenizer
    max_length: int
    pad: int = 0
    type_ids: bool = False

    def __post_init__(self) -> None:
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length=self.max_length)

    def __call__(self, example: str) -> dict[str, np.ndarray]:
        """One text as `input_ids`, `attention_mask` and, where the network has them, `token_type_ids`; int64 (T,)."""
        code = self.tokenizer.encode(example)
        row = {"input_ids": code.ids, "attention_mask": code.attention_mask}
        if self.type_ids:
            row["token_type_ids"] = code.type_ids
        return {name: np.asarray(values, np.int64) for name, values in row.items()}

    def collate(self, rows: Sequence[Mapping[str, np.ndarray]]) -> Inputs:
        """Texts as BxT, padded on the right to the longest."""
        longest = max(1, max(len(row["input_ids"]) for row in rows))
        batch = {name: np.zeros((len(rows), longest), np.int64) for name in rows[0]}
        batch["input_ids"][:] = self.pad
        for i, row in enumerate(rows):
            for name, values in row.items():
                batch[name][i, : len(values)] = values
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokenizer's special tokens."""
        mask = next((n for n in map(self.tokenizer.token_to_id, MASKS) if n is not None), None)
        added = self.tokenizer.get_added_tokens_decoder()
        special = {number for number, token in added.items() if token.special}
        return Vocabulary(mask=mask, special=tuple(sorted(special | ({mask} if mask is not None else set()))))

    def spec(self) -> dict[str, Any]:
        """Everything that decides the numbers; the tokenizer by its hash."""
        digest = hashlib.sha256(self.tokenizer.to_str().encode()).hexdigest()
        return {"kind": "text", "tokenizer": digest, "max_length": self.max_length, "pad": self.pad}
