"""From tokens back to words, by the body's own word embeddings.

Shapes: B batch, T tokens, D width, M hidden tokens, E width of the embeddings, V words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landbridge.core.seeds import drawn


class WordDecoder(nn.Module):
    """A map to the embeddings' space, then scores by the embeddings themselves, which are not its own (tied).

    `norm(gelu(W h + b)) E^T + c` (Devlin et al. 2019, appendix A.2 and the authors' program; tying after Press & Wolf
    2017, arXiv:1608.05859). The sum is divided by the root of the embeddings' mean squared length, so that scores of
    checkpoints with long embeddings begin as even as those of short ones.
    """

    def __init__(self, width: int, table: nn.Embedding) -> None:
        super().__init__()
        with drawn(0, "words", width, table.embedding_dim):
            self.map = nn.Linear(width, table.embedding_dim)
        self.norm = nn.LayerNorm(table.embedding_dim)
        self.bias = nn.Parameter(torch.zeros(table.num_embeddings))

    def forward(self, tokens_MD: Tensor, table: nn.Embedding) -> Tensor:
        """Scores_MV."""
        rows_ME = self.norm(nn.functional.gelu(self.map(tokens_MD)))
        length = table.weight.detach().square().sum(1).mean().sqrt().clamp_min(1e-6)
        return nn.functional.linear(rows_ME / length, table.weight, self.bias)


def word_loss(
    decoder: WordDecoder, table: nn.Embedding, tokens_BTD: Tensor, hidden_BT: Tensor, ids_BT: Tensor
) -> Tensor:
    """The mean cross-entropy of the hidden words, in float32 at least; 0 where none is hidden."""
    scores_MV = decoder(tokens_BTD[hidden_BT], table)
    with torch.autocast(scores_MV.device.type, enabled=False):
        exact = scores_MV.to(torch.promote_types(scores_MV.dtype, torch.float32))
        each_M = nn.functional.cross_entropy(exact, ids_BT[hidden_BT], reduction="none")
        return each_M.sum() / max(1, len(each_M))
