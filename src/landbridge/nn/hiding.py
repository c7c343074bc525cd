"""Hide parts of inputs, and find again where they are among the tokens.

Shapes: B batch, T tokens, D width, N places, C channels, HxW pixels, hxw cells of a grid.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from landbridge.nn.vocabulary import Vocabulary

Inputs = dict[str, Tensor]
FINE = 6  # cells along an edge from which on a grid is fine enough to hide in


def chosen(allowed_BN: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """BxN, true at a random `share` of the places that are allowed in each row, to the nearest number, at least one."""
    draws_BN = torch.rand(allowed_BN.shape, generator=generator).to(allowed_BN.device)
    rank_BN = draws_BN.masked_fill(~allowed_BN, 2.0).argsort(1).argsort(1)
    count_B = (share * allowed_BN.sum(1)).round().clamp_min(1)
    return (rank_BN < count_B[:, None]) & allowed_BN


def spans(rows: int, places: int, share: float, length: int, generator: torch.Generator) -> Tensor:
    """BxN, true along stretches of `length` places that together cover about `share` of them, overlaps aside.

    The starts are drawn, as in wav2vec 2.0 (Baevski et al. 2020, section 4.1), but equally many in every row.
    """
    length = min(length, places)
    count = max(1, round(share * places / length))
    start_BS = torch.rand(rows, count, generator=generator).mul(places - length + 1).long()
    place_N = torch.arange(places)
    return ((place_N >= start_BS[..., None]) & (place_N < start_BS[..., None] + length)).any(1)


def fine_grid(height: int, width: int, most: int) -> tuple[int, int]:
    """A grid of h x w tokens, halved again and again while it has few cells along its shorter edge; no cell becomes
    smaller than a pixel, of which there are `most` for each token along an edge."""
    times = 1
    while min(height, width) * times < FINE and most % (2 * times) == 0:
        times *= 2
    return height * times, width * times


def token_grid(tokens: Tensor, mask: Tensor) -> tuple[int, int, int]:
    """How many special tokens come first, and height and width of the grid that the others form.

    A sequence of patches is taken for the largest square that its tokens fill.
    """
    if mask.dim() == 3:
        return 0, int(mask.shape[1]), int(mask.shape[2])
    side = math.isqrt(tokens.shape[1])
    return tokens.shape[1] - side * side, side, side


def on_tokens(hidden: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """Which tokens BxT show a hidden part: `hidden` is Bxhxw over a picture, or BxN along a sequence.

    A token counts where at least half of what it stands for is hidden; padding and special tokens never do.
    """
    if hidden.dim() == 3:
        special, high, wide = token_grid(tokens, mask)
        share = functional.adaptive_avg_pool2d(hidden.float()[:, None], (high, wide)).flatten(1)
        share = functional.pad(share, (special, 0))
    else:
        share = functional.adaptive_avg_pool1d(hidden.float()[:, None], tokens.shape[1])[:, 0]
    return (share >= 0.5) & mask.flatten(1).bool()


def over_pixels(hidden_Bhw: Tensor, height: int, width: int) -> Tensor:
    """Bx1xHxW, true where a pixel lies in a hidden cell."""
    return functional.interpolate(hidden_Bhw.float()[:, None], (height, width), mode="nearest").bool()


def hide_words(
    inputs: Inputs, hidden_BT: Tensor, words: Vocabulary, count: int, generator: torch.Generator, *, whole: bool = False
) -> Inputs:
    """The inputs with the chosen words hidden: 80 of 100 by the mask token, 10 by a random word, 10 not at all.

    (Devlin et al. 2019, section 3.1). With `whole` all are masked. A vocabulary of `count` words without a mask token
    has random words for all that would be masked (Clark et al. 2020, ELECTRA, section 3.4, "replace MLM").
    """
    ids_BT = inputs["input_ids"]
    draws_BT = torch.rand(ids_BT.shape, generator=generator).to(ids_BT.device)
    random_BT = torch.randint(count, ids_BT.shape, generator=generator).to(ids_BT.device)
    masked_BT = random_BT if words.mask is None else torch.full_like(ids_BT, words.mask)
    if not whole:
        masked_BT = torch.where(draws_BT < 0.8, masked_BT, torch.where(draws_BT < 0.9, random_BT, ids_BT))
    return {**inputs, "input_ids": torch.where(hidden_BT, masked_BT, ids_BT)}
