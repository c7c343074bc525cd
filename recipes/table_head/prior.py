"""Tables without end for the table head to learn from: random causal models, many at once.

The family of `landbridge.worlds.causal` (a random graph of causes, plain mechanisms of weighted sums, noise,
categories, gaps; the target is a variable inside the graph), wider and in batches. That world makes one table a call,
with its truth told in full, which is too slow here. Wider means: variables that nobody observes, random trees and
products as mechanisms besides, noise of any strength, roots in clusters and with heavy tails, columns of pure noise,
values rounded, classes of unequal shares cut from one variable, won by the largest of several or lying in patches about
points, labels that are wrong, gaps that depend on the value. Prior-fitted networks: Müller et al. 2022,
arXiv:2112.10510; Hollmann et al. 2023, arXiv:2207.01848; trees in the prior: den Breejen et al. 2024, arXiv:2405.13396;
Qu et al. 2025, arXiv:2502.05564.

Shapes: G tables, N rows of which the first M are known, V variables, H of one layer, F columns, C classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from landbridge.nn.cells import FAR, SPAN

DEPTH = 4  # splits of a random tree
MOST_CLASSES = 10
MOST_LEVELS = 12  # of a category
PATCHES = 24  # points that share out the space between classes where these lie in patches
ROWS = (128, 192, 256, 384, 512, 768, 1152)
FEW_COLUMNS, MOST_COLUMNS = 5.0, 30.0  # at most in a table, at first and in the end


@dataclass(frozen=True)
class Tables:
    """G tables of one size: cells GxNxFx4, labels GxN, how many classes each has, and how many rows are known."""

    cells: Tensor
    labels: Tensor
    classes: Tensor
    known: int


@dataclass(frozen=True)
class Size:
    """How large the tables of a step are."""

    tables: int
    rows: int
    columns: int
    known: int


class Draw:
    """Draws from one stream."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Between low and high."""
        return low + (high - low) * torch.rand(shape, generator=self.generator)

    def log_uniform(self, *shape: int, low: float, high: float) -> Tensor:
        """Between low and high, as often in each octave."""
        return self.uniform(*shape, low=math.log(low), high=math.log(high)).exp()

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""
        return torch.randn(shape, generator=self.generator)

    def chance(self, share: float | Tensor, *shape: int) -> Tensor:
        """True in so many of the cases."""
        return torch.rand(shape, generator=self.generator) < share

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from low to below high."""
        return torch.randint(low, high, shape, generator=self.generator)


def size_of(draw: Draw, cells: int, grown: float = 1.0) -> Size:
    """The size of a step's tables: rows and columns at random, at most what they have `grown` to, and as many tables as
    make so many cells."""
    grown = min(1.0, grown)
    rows = ROWS[int(draw.whole(0, 1 + round(grown * (len(ROWS) - 1))))]
    columns = round(float(draw.log_uniform(1, low=2.0, high=FEW_COLUMNS * (MOST_COLUMNS / FEW_COLUMNS) ** grown)))
    known = round(rows * float(draw.uniform(1, low=0.3, high=0.9)))
    return Size(max(1, round(cells / (rows * (columns + 1)))), rows, columns, known)


def tables(size: Size, generator: torch.Generator) -> Tables:
    """A batch of tables, each of another causal model."""
    draw = Draw(generator)
    variables = _variables(draw, size)
    picked = draw.uniform(size.tables, variables.shape[2]).argsort(1)  # a random order of each table's variables
    ordered = variables.gather(2, picked.unsqueeze(1).expand(-1, size.rows, -1))
    labels, classes = _classes(draw, ordered, size)
    columns, category = _observed(draw, ordered[:, :, : size.columns])
    gone = _gaps(draw, columns)
    return Tables(as_cells(columns, gone, category, size.known), labels, classes, size.known)


def _variables(draw: Draw, size: Size) -> Tensor:
    """Every variable of G causal models, GxNxV, in layers of causes; V exceeds the columns by at least four."""
    layers = int(draw.whole(2, 6))
    width = max(3, -(-(size.columns + 4 + int(draw.whole(0, 2 + size.columns))) // layers))
    roots = _roots(draw, size, width)
    made = [roots]
    noise = draw.log_uniform(size.tables, 1, 1, low=0.003, high=0.6)
    trees = draw.uniform(size.tables, 1, 1) ** 2  # the share of tree mechanisms in each table
    few = draw.uniform(size.tables, 1, 1, low=0.1, high=0.9)  # the share of possible causes that are none
    for _ in range(layers - 1):
        causes = torch.cat(made[-2:], 2)
        effects = _mechanism(draw, causes, width, trees, few)
        made.append(_standard(effects) + noise * draw.normal(*effects.shape))
    return torch.cat(made, 2)


def _roots(draw: Draw, size: Size, width: int) -> Tensor:
    """What nothing causes, GxNxH: normal, even, heavy-tailed or in clusters; in some tables alike to each other."""
    shape = (size.tables, size.rows, width)
    plain = draw.normal(*shape)
    kind = draw.whole(0, 4, size.tables, 1, width)
    middles = 2.0 * draw.normal(size.tables, 5, width)
    member = draw.whole(0, 5, *shape)
    clusters = middles.gather(1, member) + 0.3 * plain
    even = draw.uniform(*shape, low=-1.7, high=1.7)
    heavy = plain * (0.7 * draw.normal(size.tables, size.rows, 1)).exp()
    found = torch.where(kind == 0, plain, torch.where(kind == 1, even, torch.where(kind == 2, heavy, clusters)))
    mixed = found @ draw.normal(size.tables, width, width) / math.sqrt(width)
    return _standard(torch.where(draw.chance(0.4, size.tables, 1, 1), mixed, found))


def _mechanism(draw: Draw, causes: Tensor, width: int, trees: Tensor, few: Tensor) -> Tensor:
    """GxNxU causes to GxNxH effects, each by a mechanism of its own."""
    groups, _, many = causes.shape
    first, second = (_sum(draw, causes, width, few) for _ in range(2))
    pace = draw.log_uniform(groups, 1, width, low=0.5, high=3.0)
    bends = (
        first,
        torch.tanh(2 * pace * first),
        first.square().clamp_max(9.0),
        torch.sin(2 * pace * first),
        (first > 0) * 1.5,
        first.abs(),
        torch.relu(first),
        torch.exp(-pace * first.square()),
        first * second,
        torch.maximum(first, second),
    )
    bent = torch.stack(bends)
    kind = draw.whole(0, len(bent), groups, 1, width).expand(first.shape)
    smooth = bent.gather(0, kind.unsqueeze(0))[0]
    at = draw.whole(0, many, groups, 1, width * DEPTH).expand(-1, causes.shape[1], -1)
    cut = draw.normal(groups, 1, width * DEPTH)
    sides = (causes.gather(2, at) > cut).long().unflatten(2, (width, DEPTH))
    leaf = (sides * 2 ** torch.arange(DEPTH)).sum(3)
    steps = draw.normal(groups, 2**DEPTH, width).gather(1, leaf)
    return torch.where(draw.chance(trees, groups, 1, width), steps, _standard(smooth))


def _sum(draw: Draw, causes: Tensor, width: int, few: Tensor) -> Tensor:
    """A weighted sum of some of the causes for each effect, moved and of spread 1."""
    groups, _, many = causes.shape
    weights = draw.normal(groups, many, width) * (~draw.chance(few, groups, many, width))
    at_least = torch.nn.functional.one_hot(draw.whole(0, many, groups, width), many).transpose(1, 2)
    summed = causes @ (weights + at_least * draw.normal(groups, many, width))
    return _standard(summed) + 0.7 * draw.normal(groups, 1, width)


def _classes(draw: Draw, ordered: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Labels GxN of 2 to 10 classes, some of them wrong, from variables GxNxV of which the first are the columns."""
    groups, rows = ordered.shape[:2]
    spare = ordered[:, :, size.columns :]
    classes = torch.where(draw.chance(0.5, groups), 2, draw.whole(2, MOST_CLASSES + 1, groups))
    blur = draw.log_uniform(groups, 1, 1, low=0.01, high=2.0)
    aim = spare[:, :, :4] + blur * draw.normal(groups, rows, min(4, spare.shape[2]))
    there = torch.arange(MOST_CLASSES) < classes[:, None]
    parts = draw.log_uniform(groups, MOST_CLASSES, low=0.1, high=1.0) * there
    even = draw.chance(0.3, groups, 1)
    parts = torch.where(even, there.float(), parts)
    edges = (parts / parts.sum(1, keepdim=True)).cumsum(1)[:, :-1]
    place = aim[:, :, 0].argsort(1).argsort(1).float().add(0.5).div(rows).contiguous()
    cut = torch.searchsorted(edges.contiguous(), place).minimum(classes[:, None] - 1)
    votes = aim @ draw.normal(groups, aim.shape[2], MOST_CLASSES) + 0.7 * draw.normal(groups, 1, MOST_CLASSES)
    won = votes.masked_fill(~there.unsqueeze(1), -math.inf).argmax(2)
    kind = draw.uniform(groups, 1)
    labels = torch.where(kind < 0.6, cut, torch.where(kind < 0.8, won, _patches(draw, ordered, aim, classes)))
    wrong = draw.chance(0.3 * draw.uniform(groups, 1) * draw.chance(0.3, groups, 1), groups, rows)
    other = (draw.uniform(groups, rows) * classes[:, None]).long()
    labels = torch.where(wrong, other, labels)
    names = draw.uniform(groups, MOST_CLASSES).masked_fill(~there, math.inf).argsort(1)  # classes in any order
    return names.gather(1, labels), classes


def _patches(draw: Draw, ordered: Tensor, aim: Tensor, classes: Tensor) -> Tensor:
    """Labels GxN by the nearest of some points, of columns in half of the tables, else of `aim` GxNxU."""
    groups, _, many = aim.shape
    own = draw.chance(0.5, groups, 1, 1)
    points = draw.normal(groups, PATCHES, many)
    of = (draw.uniform(groups, PATCHES) * classes[:, None]).long()
    nearest = torch.cdist(torch.where(own, ordered[:, :, :many], aim), points).argmin(2)
    return of.gather(1, nearest)


def _observed(draw: Draw, columns: Tensor) -> tuple[Tensor, Tensor]:
    """What is seen of GxNxF variables, and which columns are categories, GxF."""
    groups, rows, width = columns.shape
    blank = draw.chance(0.3 * draw.uniform(groups, 1) ** 2, groups, width).unsqueeze(1)
    columns = torch.where(blank, draw.normal(*columns.shape), columns)
    bend = draw.chance(0.3, groups, 1, width)
    columns = torch.where(
        bend, (draw.uniform(groups, 1, width, low=0.3, high=1.5) * columns).clamp_max(8).exp(), columns
    )
    place = columns.argsort(1).argsort(1).float().add(0.5).div(rows)
    kind = draw.uniform(groups, width)
    categories = draw.uniform(groups, 1) ** 1.5  # their share in each table
    is_category = kind < categories * 0.8
    levels = torch.where(draw.chance(0.4, groups, width), 2, draw.whole(2, MOST_LEVELS + 1, groups, width))
    skew = draw.log_uniform(groups, 1, width, low=0.4, high=2.5)
    stepped = ((place**skew) * levels.unsqueeze(1)).floor()
    order = draw.uniform(groups, MOST_LEVELS, width).argsort(1).float()
    codes = order.gather(1, stepped.long().clamp(0, MOST_LEVELS - 1))
    rounded = (place**skew * 4 * levels.unsqueeze(1)).floor()
    few = draw.chance(0.25, groups, 1, width)
    columns = torch.where(few, rounded, columns)
    flags = draw.chance(0.5, groups, 1, width) & (levels == 2).unsqueeze(1)  # two values that pass for a number
    marked = is_category.unsqueeze(1)
    return torch.where(marked, codes, columns), is_category & ~flags.squeeze(1)


def _gaps(draw: Draw, columns: Tensor) -> Tensor:
    """Which cells are missing, GxNxF: in some tables, by chance or where the value is high."""
    groups, rows, width = columns.shape
    share = 0.4 * draw.uniform(groups, 1, width) ** 2
    share = share * draw.chance(0.3, groups, 1, 1) * draw.chance(0.5, groups, 1, width)
    place = columns.argsort(1).argsort(1).float().div(rows)
    level = torch.where(draw.chance(0.3, groups, 1, width), place, draw.uniform(groups, rows, width))
    return level < share


def as_cells(columns: Tensor, gone: Tensor, category: Tensor, known: int) -> Tensor:
    """The channels that `bridges.columns` makes, its scales learnt from the known rows: GxNxFx4."""
    seen = columns.masked_fill(gone, math.inf)
    ordered = seen[:, :known].transpose(1, 2).sort(2).values.contiguous()
    count = (~gone[:, :known]).sum(1).clamp_min(1).float().unsqueeze(1)
    asked = seen.transpose(1, 2).contiguous()
    low, high = (torch.searchsorted(ordered, asked, side=s).float().transpose(1, 2) for s in ("left", "right"))
    rank = SPAN * ((low + high).minimum(2 * count) / count - 1.0)
    within = ((rank.abs() < 0.98 * SPAN) & ~gone)[:, :known]
    there = within.sum(1, keepdim=True).clamp_min(1)
    middle = (columns[:, :known] * within).sum(1, keepdim=True) / there
    spread = ((columns[:, :known] - middle).square() * within).sum(1, keepdim=True).div(there).sqrt()
    far = ((columns - middle) / torch.where(spread > 1e-6, spread, 1.0)).clamp(-FAR, FAR)
    kept = ~gone
    kinds = category.float().unsqueeze(1).expand(rank.shape)
    return torch.stack([rank * kept, far * kept, gone.float(), kinds], 3)


def _standard(values: Tensor) -> Tensor:
    """Middle 0 and spread 1 over the rows of each table."""
    return (values - values.mean(1, keepdim=True)) / values.std(1, keepdim=True).clamp_min(1e-6)
