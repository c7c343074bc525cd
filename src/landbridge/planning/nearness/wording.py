"""How well a source's vocabulary covers the texts: unknown pieces, broken words, texts that are cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from landbridge.nn.text_prepare import TextPrepare

ROWS = 500


def wording(prepare: TextPrepare, texts: Sequence[str]) -> dict[str, Any]:
    """Shares over the given texts: pieces that are unknown, pieces for each word, texts longer than the limit.

    Words broken into many pieces are a sign of another language or field than the source's (Rust et al. 2021,
    arXiv:2012.15613, call it fertility; about 1.2 is usual for a source's own language).
    """
    tokenizer = prepare.tokenizer
    unknown = _unknown(prepare)
    special = tokenizer.num_special_tokens_to_add(False)
    pieces = words = lost = 0
    lengths: list[int] = []
    tokenizer.no_truncation()
    try:
        for text in texts[:ROWS]:
            code = tokenizer.encode(text)
            ids = [i for i, mark in zip(code.ids, code.special_tokens_mask, strict=True) if not mark or i == unknown]
            pieces, words = pieces + len(ids), words + max(1, len(text.split()))
            lost += sum(i == unknown for i in ids)
            lengths.append(len(ids) + special)
    finally:
        tokenizer.enable_truncation(max_length=prepare.max_length)
    return {
        "unknown": lost / max(1, pieces),
        "pieces_per_word": pieces / max(1, words),
        "length": float(np.median(lengths)) if lengths else 0.0,
        "limit": prepare.max_length,
        "cut": float(np.mean([n > prepare.max_length for n in lengths])) if lengths else 0.0,
        "rows": len(lengths),
    }


def _unknown(prepare: TextPrepare) -> int | None:
    """The number of the piece that stands for what the vocabulary lacks."""
    found = [prepare.tokenizer.token_to_id(name) for name in ("[UNK]", "<unk>", "<UNK>")]
    return next((i for i in found if i is not None), None)
