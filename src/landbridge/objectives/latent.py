"""Hide parts of an input and have the network tell what its slow copy, which sees the whole, makes of them.

Shapes: B batch, T tokens, D width, M hidden tokens.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.core.batch import Batch, Inputs
from landbridge.core.contracts import Memory
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.core.model import Model
from landbridge.core.parts import part, real, whole
from landbridge.core.seeds import drawn
from landbridge.nn.hiding import chosen, fine_grid, hide_words, on_tokens, over_pixels, spans, token_grid
from landbridge.nn.slow_copy import SlowCopy, bare, slowness
from landbridge.nn.vocabulary import sample_inputs, vocabulary_of, word_table

SHARES = {"input_ids": 0.15, "pixels": 0.6, "wave": 0.5}  # hidden of each kind of input, as in the paper
SPAN = 10  # tokens that are hidden at a stretch in sounds


class _State(nn.Module):
    """The map from the student's tokens to the teacher's, and the teacher."""

    def __init__(self, model: Model, width: int) -> None:
        super().__init__()
        self.teacher = SlowCopy(bare(model))
        with drawn(0, "latent", width):
            self.tell = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


@part(
    "latent", paper="Baevski et al. 2022, data2vec: A General Framework for Self-supervised Learning, arXiv:2202.03555"
)
class Latent:
    """Learn without labels, from any kind of data: foretell what a teacher that sees everything makes of hidden parts.

    The wanted value of a hidden token is the mean over the teacher's last `layers` blocks, each token brought to mean 0
    and variance 1 first; the loss is the smooth L1 distance, quadratic below `beta` (equation 2). The teacher follows
    the network as an exponential average (equation 1). Words are hidden by the mask token, cells of pictures by their
    mean colour, stretches of sound by silence. Departs from the paper: layers are normalised by token for every kind of
    data, the last one's wanted values too, and of convolutions only layers with as many tokens as the last count.
    """

    share: float = real(
        0.0, 0.0, 0.9, help="of the input that is hidden, 0 for 0.15 of words, 0.6 of cells, 0.5 of sound"
    )
    layers: int = whole(6, 1, 1000, help="blocks of the teacher, counted from the last, that are averaged")
    momentum: float = real(0.99, 0.0, 1.0, help="how much of the teacher stays after a step; rises to 1")
    beta: float = real(2.0, 0.01, 100.0, log=True, help="distance from which on errors count linearly")
    strength: float = real(1.0, 0.0, 100.0, log=True, help="weight of the term beside others")
    alters_inputs: ClassVar[bool] = True
    trains_head: ClassVar[bool] = False
    own_rate: ClassVar[float] = 1e-3

    def begin(self, model: Model, domain: Domain, rows: np.ndarray, memory: Memory) -> nn.Module:
        """A copy of the body as teacher; UsageError where the inputs are of a kind that nothing here can hide."""
        inputs = sample_inputs(model, domain, rows, 1)
        if not set(SHARES) & set(inputs):
            body = model.body
            raise UsageError(
                f"latent: cannot hide parts of what {body.address} reads ({', '.join(inputs)}); use simclr"
            )
        with torch.no_grad():
            tokens, _ = model.layers(inputs)[-1]
        return _State(model, tokens.shape[2]).to(tokens.device)

    def loss(self, model: Model, state: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The mean smooth L1 distance over hidden tokens, in float32 at least."""
        assert isinstance(state, _State)
        if batch.inputs is None:
            raise UsageError("latent: the batch has no inputs to hide; it cannot learn from stored activations")
        teacher = state.teacher.module
        assert isinstance(teacher, Model)
        with torch.no_grad():
            layers = teacher.layers(batch.inputs)[1:]
            last, mask = layers[-1]
            alike = [tokens for tokens, _ in layers if tokens.shape == last.shape][-self.layers :]
            wanted_BTD = torch.stack([nn.functional.layer_norm(t, t.shape[-1:]) for t in alike]).mean(0)
        seen, hidden = self._hide(model, batch.inputs, last, mask, generator)
        where_BT = on_tokens(hidden, last, mask)
        told_MD = state.tell(model.layers(seen)[-1][0][where_BT])
        with torch.autocast(told_MD.device.type, enabled=False):
            exact = torch.promote_types(told_MD.dtype, torch.float32)
            each = nn.functional.smooth_l1_loss(
                told_MD.to(exact), wanted_BTD[where_BT].to(exact), beta=self.beta, reduction="sum"
            )
            value = each / max(1, told_MD.numel())
        return {"latent": self.strength * value}

    def _hide(
        self, model: Model, inputs: Inputs, tokens: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor]:
        """The inputs with parts hidden, and which: BxT words, Bxhxw cells, or BxT stretches of sound."""
        kind = next(name for name in SHARES if name in inputs)
        values, share = inputs[kind], self.share or SHARES[kind]
        if kind == "input_ids":
            words, table = vocabulary_of(model.body), word_table(model.body)
            hidden = chosen(words.ordinary(inputs), share, generator)
            count = 1 + int(values.max()) if table is None else table.num_embeddings
            return hide_words(inputs, hidden, words, count, generator), hidden
        if kind == "pixels":
            _, high, wide = token_grid(tokens, mask)
            high, wide = fine_grid(high, wide, max(1, values.shape[2] // high))
            places = torch.ones(len(values), high * wide, dtype=torch.bool, device=values.device)
            hidden = chosen(places, share, generator).view(-1, high, wide)
            blank = values.mean((2, 3), keepdim=True)
            return {**inputs, kind: torch.where(over_pixels(hidden, *values.shape[2:]), blank, values)}, hidden
        hidden = spans(len(values), tokens.shape[1], share, SPAN, generator).to(values.device)
        spread = nn.functional.interpolate(hidden.float()[:, None], values.shape[1], mode="nearest")[:, 0].bool()
        return {**inputs, kind: values.masked_fill(spread, 0.0)}, hidden

    @torch.no_grad()
    def after_step(self, model: Model, state: nn.Module, done: float) -> None:
        """The teacher follows."""
        assert isinstance(state, _State)
        state.teacher.follow(bare(model), slowness(self.momentum, done))

    def end(self, model: Model, state: nn.Module, memory: Memory) -> Memory:
        """Nothing new to remember: the teacher goes."""
        return memory
