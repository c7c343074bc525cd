"""Hide words of a text and have the network say them.

Shapes: B batch, T tokens, D width, V words.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.parts import part, real
from landbridge.nn.hiding import chosen, hide_words
from landbridge.nn.vocabulary import Vocabulary, sample_inputs, vocabulary_of, word_table
from landbridge.nn.word_decoder import WordDecoder, word_loss


class _State(nn.Module):
    """The decoder, and the vocabulary."""

    def __init__(self, decoder: WordDecoder, words: Vocabulary) -> None:
        super().__init__()
        self.decoder, self.words = decoder, words


@part(
    "masked_language",
    paper="Devlin et al. 2019, BERT, arXiv:1810.04805; Gururangan et al. 2020, arXiv:2004.10964",
)
class MaskedLanguage:
    """Learn without labels to say hidden words from the words around them: `-mean log p(word | text)` over the hidden.

    15 of 100 words are chosen; of these 80 of 100 become the mask token, 10 a random word, and 10 stay (Devlin et al.,
    section 3.1). Words are said by the body's own embeddings, which train along unless the tuning holds them. A
    vocabulary without a mask token has random words in its place. For texts, and for tables read as texts.
    """

    share: float = real(0.15, 0.01, 0.9, help="of the words that are chosen, at least one")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    alters_inputs: ClassVar[bool] = True
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """The decoder; UsageError where the body reads no words."""
        inputs, table = sample_inputs(model, domain, rows, 1), word_table(model.body)
        if "input_ids" not in inputs or table is None:
            body = model.body
            raise UsageError(f"masked_language: hides words, {body.address} reads {body.reads}; use masked or latent")
        with torch.no_grad():
            tokens, _ = model.layers(inputs)[-1]
        return _State(WordDecoder(tokens.shape[2], table), vocabulary_of(model.body)).to(tokens.device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The mean cross-entropy of the chosen words."""
        assert isinstance(state, _State)
        table = word_table(model.body)
        if batch.inputs is None or table is None:
            raise UsageError("masked_language: the batch has no words to hide; stored activations do not serve")
        hidden_BT = chosen(state.words.ordinary(batch.inputs), self.share, generator)
        seen = hide_words(batch.inputs, hidden_BT, state.words, table.num_embeddings, generator)
        tokens_BTD, _ = model.layers(seen)[-1]
        value = word_loss(state.decoder, table, tokens_BTD, hidden_BT, batch.inputs["input_ids"])
        return {"masked_language": self.strength * value}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: the decoder goes."""
        return memory
