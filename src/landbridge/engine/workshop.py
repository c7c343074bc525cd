"""What the trials of one domain share: opened sources, prepared examples, features and stored activations."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from landbridge.core import codec
from landbridge.core.domain import Domain
from landbridge.core.errors import OutOfTimeError
from landbridge.core.model import Body, Example, Model, weights_hash
from landbridge.core.progress import Progress, Tick, silent
from landbridge.core.seeds import torch_generator
from landbridge.engine.memory import batched
from landbridge.engine.precision import Precision, pick_precision
from landbridge.engine.predictor import open_source
from landbridge.engine.reader import cast, fast_copy
from landbridge.engine.store import Activations, ActivationStore
from landbridge.engine.supply import Supply, in_order

SAMPLE = 16  # examples on which the fast copy is checked
READ, READ_IMAGES = 64, 8  # rows at a time: activations of pictures should stay in the processor's cache
PATIENCE = 1.5  # seconds of reading after which its end is foretold


@dataclass
class Road:
    """A source connected to the domain by a bridge, untouched by training: what trials copy and share.

    `features` fills row by row: NxD with NaN where a row was not asked for yet, one array per set of taps.
    """

    source: str
    bridge: Any
    facts: Mapping[str, Any]
    bare: Body  # the source as it was opened, from which the bridge learns
    body: Body  # the same weights behind the bridge
    origin: str
    supply: Supply
    precision: Precision
    reader: Body  # a faster copy with the same features, for what stays frozen
    reader_dtype: torch.dtype
    size: int  # rows read at a time
    kept: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def key(self) -> dict[str, Any]:
        """Everything that decides the activations of a row."""
        return {
            "weights": self.origin,
            "inserts": weights_hash(self.body.inserts),
            "prepare": self.body.prepare.spec(),
            "data": self.supply.domain.fingerprint,
        }


class Workshop:
    """Opens each source once and lends copies; computes each row's features once."""

    def __init__(
        self, domain: Domain, *, device: torch.device, folder: Path, seed: int = 0, progress: Progress = silent
    ) -> None:
        self.domain = domain
        self.device = device
        self.seed = seed
        self.progress = progress
        self.folder = folder
        self.store = ActivationStore(folder / "activations")
        self._roads: dict[str, Road] = {}
        self._supplies: dict[str, Supply] = {}

    def road(self, source: str, bridge: Any, rows: np.ndarray) -> Road:
        """The connected source; what the bridge must learn it learns from `rows`, which hold no test row."""
        name = f"{source}|{codec.text(bridge)}"
        opened = self._roads.get(name)
        if opened is None or opened.facts != bridge.fit(opened.bare, self.domain, rows):
            self.progress(Tick(stage="open", detail=source))
            bare = open_source(source, modality=self.domain.modality.part_name)
            if source.startswith("scratch:"):
                bare.reset(torch_generator(self.seed, "scratch", source))
            origin = weights_hash(bare.net)
            facts = bridge.fit(bare, self.domain, rows)
            body = bridge.connect(bare, facts).to(self.device).eval()
            supply = self._supply(body)
            sample = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
            inputs = {k: v.to(self.device) for k, v in supply.inputs(sample).items()}
            precision = pick_precision(self.device, body.net)
            reader, dtype = fast_copy(body, inputs, self.device)
            size = READ_IMAGES if body.reads == "image" and self.device.type == "cpu" else READ
            opened = Road(source, bridge, facts, bare, body, origin, supply, precision, reader, dtype, size)
            self._roads[name] = opened
        return opened

    def _supply(self, body: Body) -> Supply:
        """Bodies that prepare alike share the prepared examples."""
        key = json.dumps([body.reads, body.prepare.spec()], sort_keys=True)
        if key not in self._supplies:
            self._supplies[key] = Supply(self.domain, body.prepare, body.views)
        return self._supplies[key]

    def lend(self, road: Road, seed: int) -> tuple[Body, bool]:
        """A copy that a trial may train, and whether its weights are the road's: one from scratch starts anew."""
        body = copy.deepcopy(road.body)
        anew = road.source.startswith("scratch:") and seed != self.seed
        if anew:
            body.reset(torch_generator(seed, "scratch", road.source))
        return body, not anew

    @torch.inference_mode()
    def features(self, road: Road, taps: tuple[int, ...], rows: np.ndarray, *, ends: float = math.inf) -> np.ndarray:
        """Features of `rows` (N,D) float32 by the untrained source; each row is computed once.

        OutOfTimeError when the first batches show that the rest would end after monotonic time `ends`.
        """
        values, known = road.kept.get(
            taps, (np.zeros((len(self.domain), 0), np.float32), np.zeros(len(self.domain), bool))
        )
        missing = rows[~known[rows]]
        if len(missing):
            lengths, done = road.supply.lengths(missing), 0
            work, total, began = 0, float(lengths.sum()), time.monotonic()
            model = Model(road.reader, torch.nn.Identity(), taps=taps)

            def read(positions: np.ndarray) -> np.ndarray:
                batch = road.supply.batch(missing[positions]).to(self.device)
                return model.features(cast(batch.inputs or {}, road.reader_dtype)).float().cpu().numpy()

            for positions, piece in batched(in_order(missing, lengths, road.size), read, road.source):
                if not values.shape[1]:
                    values = np.zeros((len(self.domain), piece.shape[1]), np.float32)
                    road.kept[taps] = (values, known)
                values[missing[positions]] = piece
                known[missing[positions]] = True
                done += len(positions)
                work += int(lengths[positions].sum())
                took = time.monotonic() - began
                if took > PATIENCE and began + took * total / work > ends:
                    whole = took * total / work
                    told = f"{road.source}: reading {len(missing)} rows would take {whole:.0f} s"
                    raise OutOfTimeError(told, max(0.0, ends - began) / whole)
                self.progress(Tick(stage="features", done=done / len(missing), detail=road.source))
        return values[rows]

    @torch.inference_mode()
    def features_of(self, road: Road, taps: tuple[int, ...], examples: Sequence[Example]) -> np.ndarray:
        """Features (N,D) float32 of examples that are no rows of the domain."""
        prepare = road.body.prepare
        inputs = {k: v.to(self.device) for k, v in prepare.collate([prepare(e) for e in examples]).items()}
        model = Model(road.reader, torch.nn.Identity(), taps=taps)
        return model.features(cast(inputs, road.reader_dtype)).float().cpu().numpy()

    def activations(self, road: Road, rows: np.ndarray, *, depth: int, views: int) -> tuple[Activations, ...] | None:
        """Stored tokens entering block `depth` in the plain and `views - 1` random views; None when too large."""
        model = Model(road.reader, torch.nn.Identity())
        with torch.inference_mode():
            sample = {k: v.to(self.device) for k, v in road.supply.inputs(rows[:1]).items()}
            tokens, _ = model.tokens_at(depth, cast(sample, road.reader_dtype))
        if not self.store.fits(len(rows), tokens.shape[1], tokens.shape[2], views):
            return None
        return tuple(
            self.store.tokens(
                model, road.supply, rows, depth=depth, view=v, key=road.key, dtype=road.reader_dtype, size=road.size
            )
            for v in range(views)
        )
