"""The activation store: what frozen weights make of a row is computed once and read from disk after that.

Features are pooled at every depth in one pass, whatever depths were asked for; tokens entering a block are kept for
what trains the blocks above it. Both lie in chunks on memory-mapped shelves, one for each key of everything that
decides the numbers: weights, small files, bridge, preprocessing, precision, depth and view. Rows are named by what the
body read of them, so recipes, runs and data sets that share a row share what was computed for it, and a changed row is
another row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from landbridge import __version__
from landbridge.core.batch import Batch
from landbridge.core.model import Body, Model, Views
from landbridge.core.seeds import torch_generator
from landbridge.engine.cache import Cache
from landbridge.engine.chunk import FIRST, Chunk, Lost, packed, unpacked
from landbridge.engine.extract import Arrays, NoRoomError, Watch, extract, stacked, unwatched
from landbridge.engine.memory import batched
from landbridge.engine.reader import cast
from landbridge.engine.shelf import Shelf
from landbridge.engine.supply import Supply

T = TypeVar("T")
END = "end"  # the body's own features; those of depth k are named by k
SAMPLE = 16  # rows by which the size of all is foretold
TRIES = 3  # chunks that may be lost before new ones are kept in memory


@dataclass(frozen=True)
class Activations:
    """Stored tokens entering block `depth`, on a grid when one is given; row i is some of the tokens of one piece."""

    pieces: tuple[np.ndarray, ...]  # each (sum of T, D) uint16, the bits of bfloat16
    piece: np.ndarray  # N, the piece of each row
    starts: np.ndarray  # N, its first token there
    lengths: np.ndarray  # N
    grid: tuple[int, ...]
    depth: int
    chunks: tuple[Chunk, ...] = ()  # held, so that their files are not evicted
    above: tuple[Activations, ...] = ()  # the same rows at each later depth, where they were asked for

    def batch(self, positions: np.ndarray, index: Tensor, target: Tensor) -> Batch:
        """The batch of the stored rows at `positions`, padded to the longest."""
        tokens, mask = self._padded(positions)
        above = tuple(layer._padded(positions) for layer in self.above)
        return Batch(index=index, target=target, tokens=tokens, mask=mask, depth=self.depth, above=above)

    def _padded(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        lengths = self.lengths[positions]
        longest = int(lengths.max())
        block = np.zeros((len(positions), longest, self.pieces[0].shape[1]), np.uint16)
        for i, (p, n) in enumerate(zip(positions, lengths, strict=True)):
            start = self.starts[p]
            block[i, :n] = self.pieces[self.piece[p]][start : start + n]
        tokens = torch.from_numpy(block).view(torch.bfloat16).float()
        mask = (torch.arange(longest)[None] < torch.from_numpy(lengths)[:, None]).to(torch.float32)
        if self.grid:
            mask = mask.view(len(positions), *self.grid)
        return tokens, mask


class ActivationStore:
    """Shelves in the run's own `folder` or, with a `cache`, in the folder that all runs of a user share."""

    def __init__(self, folder: Path, *, cache: Cache | None = None, limit: int = 8 << 30) -> None:
        self.limit = limit  # bytes of tokens over all views; what would not fit is refused by `fits`
        self._places = [*([cache] if cache is not None else []), Cache(folder)]
        self._shelves: dict[str, tuple[Supply, Shelf]] = {}

    @property
    def saved(self) -> float:
        """Seconds that other runs spent on what was found, and this one therefore did not."""
        return sum(shelf.seconds for _, shelf in self._shelves.values())

    def fits(self, rows: int, bytes_each: float, views: int) -> bool:
        """Whether that many activations may be stored."""
        return rows * bytes_each * views <= self.limit

    def shelf(self, key: dict[str, Any], supply: Supply) -> Shelf:
        """The shelf of a key for the rows of a supply's domain."""
        full = {**key, "format": FIRST.decode(), "torch": torch.__version__, "landbridge": __version__}
        name = hashlib.sha256(json.dumps(full, sort_keys=True, default=str).encode()).hexdigest()[:32]
        known = self._shelves.get(name)
        if known is None or known[0].domain is not supply.domain:
            known = self._shelves[name] = supply, Shelf(name, len(supply.domain), self._places)
        return known[1]

    def features(
        self, body: Body, supply: Supply, rows: np.ndarray, taps: Sequence[int], *, key: dict[str, Any],
        dtype: torch.dtype, size: int, watch: Watch = unwatched,
    ) -> np.ndarray:  # fmt: skip
        """Features (N,D) float32 of `rows`: the means entering the blocks of `taps`, in order, and the body's own."""
        model, device = Model(body, torch.nn.Identity()), next(body.net.parameters()).device
        names = [*map(str, range(len(body.blocks))), END]
        shelf = self.shelf({**key, "kind": "features", "dtype": str(dtype), "device": device.type}, supply)

        @torch.inference_mode()
        def read(some: np.ndarray) -> Arrays:
            batch = supply.batch(some).to(device)
            made = model.depths(cast(batch.inputs or {}, dtype))
            return {name: m.float().cpu().numpy() for name, m in zip(names, made, strict=True)}

        def missing() -> None:
            what = body.address
            extract(shelf, supply, shelf.missing(rows), read, _pooled, size=size, what=what, disk=False, watch=watch)

        wanted = [*map(str, sorted(taps)), END]
        return _whole(shelf, missing, lambda: _gathered(shelf, rows, wanted))

    def tokens(
        self, model: Model, supply: Supply, rows: np.ndarray, *, depth: int, view: int, key: dict[str, Any],
        dtype: torch.dtype, size: int = 32, views: int = 1, above: bool = False, watch: Watch = unwatched,
    ) -> Activations | None:  # fmt: skip
        """The tokens of `rows` entering block `depth`, with `above` also at each later depth; view 0 is the plain
        example, others are random views, drawn for each row by itself. None where all `views` of them would not fit or
        no disk takes them."""
        device = next(model.parameters()).device
        seen = _named(supply.suited) if view else ""
        what = {"kind": "layers" if above else "tokens", "depth": depth, "view": view, "views": seen}
        shelf = self.shelf({**key, **what, "dtype": str(dtype), "device": device.type}, supply)
        model.eval()

        @torch.inference_mode()
        def read(some: np.ndarray) -> Arrays:
            batch = supply.batch(some, _by_row(supply, some, view), torch.Generator()).to(device)
            inputs = cast(batch.inputs or {}, dtype)
            layers = model.tokens_from(depth, inputs) if above else [model.tokens_at(depth, inputs)]
            return {n: a for i, layer in enumerate(layers) for n, a in _flat(_mark(i), *layer).items()}

        if len(shelf.missing(rows)) and not self._room(shelf, supply, rows, read, views):
            return None

        def missing() -> None:
            what = "activations"
            extract(shelf, supply, shelf.missing(rows), read, _ragged, size=size, what=what, disk=True, watch=watch)

        try:
            return _whole(shelf, missing, lambda: _climbing(shelf, rows, depth, model if above else None))
        except NoRoomError:
            return None

    def _room(
        self, shelf: Shelf, supply: Supply, rows: np.ndarray, read: Callable[[np.ndarray], Arrays], views: int
    ) -> bool:
        """Whether all rows fit, by the mean size of some; what is on disk already was found to fit before."""
        some = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
        left = shelf.find(some, supply.digests(some))
        if not len(left):
            return True
        made = [m for _, m in batched([np.arange(len(left))], lambda at: read(left[at]), "activations")]
        held = sum(a.nbytes for m in made for n, a in m.items() if n.startswith("tokens"))
        return self.fits(len(rows), held / len(left), views)


def _whole(shelf: Shelf, missing: Callable[[], None], gather: Callable[[], T]) -> T:
    """Compute what is missing and gather, anew where a chunk turns out to be damaged or gone."""
    lost = 0
    while True:
        missing()
        try:
            return gather()
        except Lost as error:
            shelf.forget(error)
            lost += 1
            if lost > len(shelf.chunks) + TRIES:
                shelf.open.clear()  # a disk that keeps nothing, or others that evict faster than this one reads


def _pooled(made: Sequence[Arrays]) -> tuple[Arrays, dict[str, Any]]:
    halves = {name: packed(values) for name, values in stacked(made).items()}
    return {n: h for n, (h, _) in halves.items()}, {"exponents": {n: e for n, (_, e) in halves.items()}}


def _mark(layer: int) -> str:
    """What follows the names of the arrays of a layer: nothing for the lowest."""
    return f".{layer}" if layer else ""


def _flat(mark: str, tokens: Tensor, mask: Tensor) -> Arrays:
    """The real tokens of a batch row after row, how many each row has, and the shape of a grid."""
    bits = tokens.to(torch.bfloat16).cpu().contiguous().view(torch.int16).numpy().view(np.uint16)
    counts = mask.flatten(1).sum(1).round().long().cpu().numpy()
    flat = np.concatenate([row[:n] for row, n in zip(bits, counts, strict=True)])
    grid = np.array(mask.shape[1:] if mask.dim() > 2 else ())
    return {f"tokens{mark}": flat, f"counts{mark}": counts, f"grid{mark}": grid}


def _ragged(made: Sequence[Arrays]) -> tuple[Arrays, dict[str, Any]]:
    grids = {n: a.tolist() for n, a in made[0].items() if n.startswith("grid")}
    return stacked([{n: a for n, a in m.items() if n not in grids} for m in made]), grids


def _gathered(shelf: Shelf, rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Float32 features of the rows, side by side in the order of `names`."""
    made: np.ndarray | None = None
    for positions, chunk in shelf.pieces(rows):
        slots, columns = shelf.slot[rows[positions]], [chunk.array(name) for name in names]
        if made is None:
            made = np.empty((len(rows), sum(c.shape[1] for c in columns)), np.float32)
        start = 0
        for name, column in zip(names, columns, strict=True):
            end = start + column.shape[1]
            made[positions, start:end] = unpacked(column[slots], chunk.facts["exponents"][name])
            start = end
        chunk.release()
    return np.zeros((0, 0), np.float32) if made is None else made


def _climbing(shelf: Shelf, rows: np.ndarray, depth: int, model: Model | None) -> Activations:
    """The activations at a depth, and with a model those of its later depths above them."""
    above = range(1, len(model.body.blocks) - depth + 1) if model is not None else ()
    layers = tuple(_activations(shelf, rows, depth + i, _mark(i)) for i in above)
    return replace(_activations(shelf, rows, depth, ""), above=layers)


def _activations(shelf: Shelf, rows: np.ndarray, depth: int, mark: str) -> Activations:
    piece, starts, lengths = (np.zeros(len(rows), np.int64) for _ in range(3))
    pieces: list[np.ndarray] = []
    chunks: list[Chunk] = []
    for positions, chunk in shelf.pieces(rows):
        counts, slots = chunk.array(f"counts{mark}"), shelf.slot[rows[positions]]
        piece[positions], lengths[positions] = len(pieces), counts[slots]
        starts[positions] = (np.cumsum(counts) - counts)[slots]
        pieces.append(chunk.array(f"tokens{mark}"))
        chunks.append(chunk)
    grid = tuple(chunks[0].facts[f"grid{mark}"])
    return Activations(tuple(pieces), piece, starts, lengths, grid, depth, tuple(chunks))


def _by_row(supply: Supply, rows: np.ndarray, view: int) -> Views | None:
    """Random views whose randomness belongs to the row, whatever rows it is computed with."""
    if not view or supply.suited is None:
        return None
    views, names = supply.suited, [d.hex() for d in supply.digests(rows).tolist()]
    return lambda inputs, _: _each(views, inputs, [torch_generator(view, "views", name) for name in names])


def _each(views: Views, inputs: dict[str, Tensor], generators: Sequence[torch.Generator]) -> dict[str, Tensor]:
    seen = [views({k: v[i : i + 1] for k, v in inputs.items()}, g) for i, g in enumerate(generators)]
    return {name: torch.cat([one[name] for one in seen]) for name in seen[0]}


def _named(views: Views | None) -> str:
    """A name for views that other processes give them too."""
    return repr(views) if is_dataclass(views) else getattr(views, "__qualname__", type(views).__qualname__)
