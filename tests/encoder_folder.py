"""A tiny text encoder of random weights, saved as a folder in the original library's layout."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers

TEXT = "river stone bridge engine wheel motor the a one of some many few class"
WORDS = ["[PAD]", "[UNK]", *TEXT.split()]


def write_encoder(folder: Path) -> str:
    """Write it and return its address."""
    config = hf.BertConfig(vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                           intermediate_size=24, max_position_embeddings=40, pad_token_id=0)  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        hf.AutoModel.from_config(config).save_pretrained(folder)
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    hf.PreTrainedTokenizerFast(tokenizer_object=raw, model_max_length=20, **names).save_pretrained(folder)
    return f"transformers:{folder}"
