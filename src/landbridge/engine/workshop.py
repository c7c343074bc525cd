"""What the trials of one domain share: opened sources, prepared examples, features and stored activations."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
from landbridge.engine.cache import Cache
from landbridge.engine.extract import Watch
from landbridge.engine.precision import Precision, pick_precision
from landbridge.engine.predictor import open_source
from landbridge.engine.reader import cast, fast_copy
from landbridge.engine.store import Activations, ActivationStore
from landbridge.engine.supply import Supply

SAMPLE = 16  # examples on which the fast copy is checked
READ, READ_CPU, READ_IMAGES = 64, 32, 8  # rows at a time: on CPUs activations should stay in the processor's cache
PATIENCE = 1.5  # seconds of reading after which its end is foretold
LATE_BY = 0.2  # of the time there is that reading may end late by when it is nearly done, and by less before


@dataclass
class Road:
    """A source connected to the domain by a bridge, untouched by training: what trials copy and share."""

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

    @cached_property
    def key(self) -> dict[str, Any]:
        """Everything that decides a row's activations but what the body reads of the row itself.

        The small files say what weights do not: heads of attention, activation functions, how tokens are pooled.
        """
        made = hashlib.sha256()
        for name, data in sorted(self.bare.files().items()):
            made.update(f"{name}\0{len(data)}\0".encode() + data)
        return {
            "weights": self.origin,
            "files": made.hexdigest(),
            "body": type(self.body).__qualname__,
            "bridge": codec.to_json(self.bridge),
            "facts": dict(self.facts),
            "inserts": weights_hash(self.body.inserts),
            "prepare": self.body.prepare.spec(),
        }


class Workshop:
    """Opens each source once and lends copies; computes each row's activations once, or finds them in the cache."""

    def __init__(
        self,
        domain: Domain,
        *,
        device: torch.device,
        folder: Path,
        seed: int = 0,
        progress: Progress = silent,
        cache: Cache | None = None,
    ) -> None:
        self.domain = domain
        self.device = device
        self.seed = seed
        self.progress = progress
        self.folder = folder
        self.store = ActivationStore(folder / "activations", cache=cache)
        self.notes = cache.folder.parent / "paces" if cache is not None else folder / "paces"  # what work costs here
        self.rehearsed: dict[str, float] = {}  # seconds of a gradient for a unit of length, by stages of recipes
        self._roads: dict[str, Road] = {}
        self._supplies: dict[str, Supply] = {}

    def road(self, source: str, bridge: Any, rows: np.ndarray) -> Road:
        """The connected source; what the bridge must learn it learns from `rows`, which hold no test row."""
        name = f"{source}|{codec.text(bridge)}"
        opened = self._roads.get(name)
        if opened is None or opened.facts != bridge.fit(opened.bare, self.domain, rows):
            bare = self._opened(source)
            facts = bridge.fit(bare, self.domain, rows)
            opened = self._roads[name] = self._connected(source, bare, bridge, facts, rows)
        return opened

    def road_by(self, source: str, bridge: Any, facts: Mapping[str, Any], rows: np.ndarray) -> Road:
        """The same with what the bridge learnt in an earlier run; `rows` are some that it will read."""
        opened = self._roads.get(f"{source}|{codec.text(bridge)}")
        if opened is not None and opened.facts == facts:
            return opened
        return self._connected(source, self._opened(source), bridge, facts, rows)

    def origins(self) -> dict[str, str]:
        """The sources that are open, each with the hash of its weights."""
        return {road.source: road.origin for road in self._roads.values()}

    def _opened(self, source: str) -> Body:
        self.progress(Tick(stage="open", detail=source))
        bare = open_source(source, modality=self.domain.modality.part_name)
        if source.startswith("scratch:"):
            bare.reset(torch_generator(self.seed, "scratch", source))
        return bare

    def _connected(self, source: str, bare: Body, bridge: Any, facts: Mapping[str, Any], rows: np.ndarray) -> Road:
        origin = weights_hash(bare.net)
        body = bridge.connect(bare, facts).to(self.device).eval()
        supply = self._supply(body)
        sample = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
        inputs = {k: v.to(self.device) for k, v in supply.inputs(sample).items()}
        precision = pick_precision(self.device, body.net)
        reader, dtype = fast_copy(body, inputs, self.device)
        size = READ if self.device.type != "cpu" else READ_IMAGES if body.reads == "image" else READ_CPU
        return Road(source, bridge, facts, bare, body, origin, supply, precision, reader, dtype, size)

    def _supply(self, body: Body) -> Supply:
        """Bodies that prepare alike share the prepared examples."""
        key = json.dumps([body.reads, body.prepare.spec()], sort_keys=True)
        if key not in self._supplies:
            self._supplies[key] = Supply(self.domain, body.prepare, body.views)
        return self._supplies[key]

    def learnt(self) -> list[dict[str, Any]]:
        """What work on the data found out about it, as the checks of a report have it."""
        known = [s.sides for s in self._supplies.values() if s.sides is not None and s.sides.one]
        detail = "of {0.rows} pictures {0.share:.0%} are told from their mirror images, so training mirrors none"
        return [{"name": "mirror images", "found": k.rows, "detail": detail.format(k)} for k in known[:1]]

    def lend(self, road: Road, seed: int) -> tuple[Body, bool]:
        """A copy that a trial may train, and whether its weights are the road's: one from scratch starts anew."""
        body = copy.deepcopy(road.body)
        anew = road.source.startswith("scratch:") and seed != self.seed
        if anew:
            body.reset(torch_generator(seed, "scratch", road.source))
        return body, not anew

    def features(self, road: Road, taps: tuple[int, ...], rows: np.ndarray, *, ends: float = math.inf) -> np.ndarray:
        """Features of `rows` (N,D) float32 by the untrained source; each row is computed once, at all depths.

        OutOfTimeError when the first batches show that the rest would end after monotonic time `ends`.
        """
        return self.store.features(
            road.reader, road.supply, rows, taps, key=road.key, dtype=road.reader_dtype, size=road.size,
            watch=self.watching(road, ends),
        )  # fmt: skip

    def watching(self, road: Road, ends: float) -> Watch:
        """Shows how far reading is, and ends it as soon as it shows that it would end after monotonic time `ends`; the
        more is read, the later it may be, as giving up would lose what was read."""
        began = time.monotonic()

        def watch(share: float, missing: int) -> None:
            took = time.monotonic() - began
            whole = took / max(share, 1e-9)
            if took > PATIENCE and began + whole - ends > LATE_BY * share * (ends - began):
                told = f"{road.source}: reading {missing} rows would take {whole:.0f} s"
                raise OutOfTimeError(told, max(0.0, ends - began) / whole)
            self.progress(Tick(stage="features", done=share, detail=road.source))

        return watch

    @torch.inference_mode()
    def features_of(self, road: Road, taps: tuple[int, ...], examples: Sequence[Example]) -> np.ndarray:
        """Features (N,D) float32 of examples that are no rows of the domain."""
        prepare = road.body.prepare
        inputs = {k: v.to(self.device) for k, v in prepare.collate([prepare(e) for e in examples]).items()}
        model = Model(road.reader, torch.nn.Identity(), taps=taps)
        return model.features(cast(inputs, road.reader_dtype)).float().cpu().numpy()

    def activations(
        self, road: Road, rows: np.ndarray, *, depth: int, views: int, above: bool = False, ends: float = math.inf
    ) -> tuple[Activations, ...] | None:
        """Stored tokens entering block `depth`, with `above` at each later depth too, in the plain and up to
        `views - 1` random views; None when too large.

        OutOfTimeError when the plain view would end after monotonic time `ends`; random views are made only while
        they leave half of the time to training.
        """
        model, made = Model(road.reader, torch.nn.Identity()), list[Activations]()
        half = time.monotonic() + 0.5 * (ends - time.monotonic()) if math.isfinite(ends) else math.inf
        for view in range(views):
            try:
                found = self.store.tokens(
                    model, road.supply, rows, depth=depth, view=view, key=road.key, dtype=road.reader_dtype,
                    size=road.size, views=views, above=above, watch=self.watching(road, half if made else ends),
                )  # fmt: skip
            except OutOfTimeError:
                if not made:
                    raise
                break
            if found is None:
                return None
            made.append(found)
        return tuple(made)
