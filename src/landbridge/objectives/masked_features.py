"""Hide cells of a table's rows and have the network say them.

Shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Model, Prepare
from landbridge.core.parts import part, real
from landbridge.nn.hiding import chosen, hide_words
from landbridge.nn.vocabulary import Vocabulary, sample_inputs, vocabulary_of, word_table
from landbridge.nn.word_decoder import WordDecoder, word_loss


class _State(nn.Module):
    """The decoder and the vocabulary; the rows, and where the cells of those seen so far stand among their words."""

    def __init__(self, decoder: WordDecoder, words: Vocabulary, domain: Domain, prepare: Prepare) -> None:
        super().__init__()
        self.decoder, self.words, self.domain, self.prepare = decoder, words, domain, prepare
        self.known: dict[int, np.ndarray] = {}

    def cells(self, index: Tensor, width: int) -> Tensor:
        """BxT, the number of the cell that a token belongs to, -1 for none."""
        found = np.full((len(index), width), -1, np.int64)
        for i, row in enumerate(index.tolist()):
            if row not in self.known:
                self.known[row] = cells_of(self.domain.example(row), self.prepare)
            found[i, : len(self.known[row])] = self.known[row][:width]
        return torch.from_numpy(found).to(index.device)


@part(
    "masked_features", paper="Huang et al. 2020, TabTransformer, arXiv:2012.06678; Yoon et al. 2020, VIME, NeurIPS 2020"
)
class MaskedFeatures:
    """Learn without labels to say hidden cells of a row from its other cells: `-mean log p(words of the cell | row)`.

    30 of 100 cells of each row are hidden whole (Huang et al., section 2.1, "masked language modeling"). Tables are
    read as sentences here (`describe`), so a cell is all words of its value, and is said by the text source's own
    embeddings; the paper's network has an embedding for each category and a classifier for each column instead. Gaps
    are not hidden.
    """

    share: float = real(0.3, 0.01, 0.9, help="of the cells of a row that are hidden, at least one")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    alters_inputs: ClassVar[bool] = True
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """The decoder; UsageError where the data has no cells or the body reads no words."""
        body, kind = model.body, domain.modality.part_name
        if kind != "table":
            raise UsageError(f"masked_features: hides cells of table rows, the data is {kind}; use masked_language, "
                             "masked or latent")  # fmt: skip
        inputs, table = sample_inputs(model, domain, rows, 1), word_table(body)
        if "input_ids" not in inputs or table is None:
            raise UsageError(f"masked_features: hides words of cells, {body.address} reads none; use bridge describe")
        with torch.no_grad():
            tokens, _ = model.layers(inputs)[-1]
        decoder = WordDecoder(tokens.shape[2], table)
        return _State(decoder, vocabulary_of(body), domain, body.prepare).to(tokens.device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The mean cross-entropy of the words of the hidden cells."""
        assert isinstance(state, _State)
        table = word_table(model.body)
        if batch.inputs is None or table is None:
            raise UsageError("masked_features: the batch has no cells to hide; stored activations do not serve")
        cell_BT = state.cells(batch.index, batch.inputs["input_ids"].shape[1])
        there_BN = torch.stack([(cell_BT == n).any(1) for n in range(int(cell_BT.max()) + 1)], 1)
        hidden_BN = chosen(there_BN, self.share, generator)
        hidden_BT = hidden_BN.gather(1, cell_BT.clamp_min(0)) & (cell_BT >= 0)
        seen = hide_words(batch.inputs, hidden_BT, state.words, table.num_embeddings, generator, whole=True)
        tokens_BTD, _ = model.layers(seen)[-1]
        value = word_loss(state.decoder, table, tokens_BTD, hidden_BT, batch.inputs["input_ids"])
        return {"masked_features": self.strength * value}

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: the decoder goes."""
        return memory


def cells_of(row: Mapping[str, Any], prepare: Prepare) -> np.ndarray:
    """T, for each token of a prepared row the number of the column whose value it spells, -1 for all else.

    A value's tokens are those that change when the cell is emptied: between the longest common beginning and the
    longest common end of both. Nothing need be known of how the row was put into words. Where a row is cut off at the
    end, a cell reaches at most to the next one.
    """
    ids = prepare(row)["input_ids"]
    found = np.full(len(ids), -1, np.int64)
    filled = [name for name, value in row.items() if value is not None]
    stretches = sorted((*_changed(ids, prepare({**row, name: None})["input_ids"]), n) for n, name in enumerate(filled))
    for place, (start, end, number) in enumerate(stretches):
        following = stretches[place + 1][0] if place + 1 < len(stretches) else len(ids)
        found[start : min(end, max(following, start))] = number
    return found


def _changed(ids: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """First and last position (excluded) of the tokens that another sequence has otherwise."""
    shorter = min(len(ids), len(other))
    same = ids[:shorter] == other[:shorter]
    start = shorter if same.all() else int(same.argmin())
    tail = ids[len(ids) - shorter :][::-1] == other[len(other) - shorter :][::-1]
    end = shorter if tail.all() else int(tail.argmin())
    return start, max(start, len(ids) - min(end, shorter - start))
