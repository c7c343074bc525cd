"""A trained model as a predictor: what answers for new examples, and what an artifact holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from landbridge.core import codec, registry
from landbridge.core.artifact import BESIDE
from landbridge.core.contracts import Predictor, Task
from landbridge.core.errors import ArtifactError, LandbridgeError
from landbridge.core.insert import put_back
from landbridge.core.model import Body, Example, Model, weights_hash
from landbridge.engine.ensemble import Ensemble, under
from landbridge.engine.memory import batched
from landbridge.engine.supply import in_order
from landbridge.nn.context_head import ContextHead, head_of
from landbridge.nn.heads import Head

CHUNK = 512  # examples held at a time
BATCH = 32


class ModelPredictor:
    """Predicts in float32, so that the same weights give the same numbers before and after saving."""

    def __init__(self, model: Model, *, source: str, bridge: Any, facts: Mapping[str, Any], origin: str) -> None:
        self.model = model.eval().float()
        self.source = source
        self.bridge = bridge
        self.facts = dict(facts)
        self.origin = origin  # hash of the source's weights before training

    @property
    def complete(self) -> bool:
        """Whether the artifact holds all weights; a body that ships with the package is named instead."""
        return not self.source.startswith("embedded:")

    @torch.inference_mode()
    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC of any number of examples, in order; memory stays flat."""
        prepare, device = self.model.body.prepare, next(self.model.parameters()).device
        fast = Model(self.model.body.for_inference(), self.model.head, taps=self.model.taps).eval()
        size = ContextHead.batch if isinstance(self.model.head, ContextHead) else BATCH
        pieces: list[np.ndarray] = []
        iterator = iter(examples)
        while chunk := [prepare(e) for e in islice(iterator, CHUNK)]:

            def one(positions: np.ndarray, chunk: Sequence[Mapping[str, np.ndarray]] = chunk) -> np.ndarray:
                inputs = {k: v.to(device) for k, v in prepare.collate([chunk[p] for p in positions]).items()}
                return fast(inputs).float().cpu().numpy()

            lengths = np.array([max(a.size for a in arrays.values()) for arrays in chunk])
            output: np.ndarray | None = None
            for positions, piece in batched(in_order(np.arange(len(chunk)), lengths, size), one, "prediction"):
                output = np.zeros((len(chunk), piece.shape[1]), np.float32) if output is None else output
                output[positions] = piece
            if output is not None:
                pieces.append(output)
        return np.concatenate(pieces) if pieces else np.zeros((0, 0), np.float32)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """JSON and arrays; a body that ships with the package gives only what training changed, and its hash."""
        body = self.model.body
        arrays = {f"body/{n}": t.detach().cpu().numpy() for n, t in body.net.state_dict().items()}
        if not self.complete:
            original = open_source(self.source).net.state_dict()
            arrays = {n: a for n, a in arrays.items() if not np.array_equal(a, original[n[5:]].numpy())}
        head = self.model.head
        assert isinstance(head, (Head, ContextHead))
        for prefix, module in (("inserts/", body.inserts), ("head/", head)):
            arrays |= {f"{prefix}{n}": t.detach().cpu().numpy() for n, t in module.state_dict().items()}
        facts = {
            "kind": "model",
            "source": self.source,
            "source_sha256": self.origin,
            "complete": self.complete,
            "bridge": codec.to_json(self.bridge),
            "facts": self.facts,
            "inserts": [codec.to_json(insert.tuning) for insert in body.inserts],
            "taps": list(self.model.taps),
            "head": head.spec(),
            "preprocess": body.prepare.spec(),
        }
        return facts, arrays


class RivalPredictor:
    """A control as a predictor, so that the control that wins is delivered like anything else."""

    def __init__(self, inner: Predictor, rival: Any) -> None:
        self.inner = inner
        self.rival = rival

    def predict(self, examples: Iterable[Example]) -> np.ndarray:
        """output_NC float32, in order."""
        return self.inner.predict(examples)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """JSON and arrays of the fitted rival."""
        facts, arrays = self.inner.state()
        return {"kind": "rival", "rival": codec.to_json(self.rival), "state": facts}, arrays


def rebuild(
    facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], files: Mapping[str, bytes], task: Task
) -> Predictor:
    """The predictor that `state` wrote; `files` are what `source_files` gave. ArtifactError when they do not fit."""
    first = _alone(facts, arrays, files, task)
    if "beside" not in facts:
        return first
    members = [first]
    for number, other in enumerate(facts["beside"], 1):
        own = {name: arrays[name] for name in other["shared"]} | under(arrays, number)
        members.append(_alone(other, own, under(files, number), task))
    return Ensemble(members, facts["spreads"], centred=bool(facts["centred"]))


def source_files(predictor: Predictor | None) -> dict[str, bytes]:
    """The small files from which the architecture of a body is rebuilt, where the artifact holds all its weights; of an
    ensemble those of every member."""
    if isinstance(predictor, Ensemble):
        files = source_files(predictor.first)
        for number, member in enumerate(predictor.members[1:], 1):
            files |= {f"{BESIDE}{number}/{name}": data for name, data in source_files(member).items()}
        return files
    held = isinstance(predictor, ModelPredictor) and predictor.complete
    return dict(predictor.model.body.files()) if held else {}


def first_model(predictor: Predictor | None) -> ModelPredictor | None:
    """The model that stands for a predictor: itself, or an ensemble's first member; None for a control."""
    found = predictor.first if isinstance(predictor, Ensemble) else predictor
    return found if isinstance(found, ModelPredictor) else None


def _alone(
    facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], files: Mapping[str, bytes], task: Task
) -> Predictor:
    if facts["kind"] == "rival":
        rival = codec.from_json("rivals", facts["rival"])
        return RivalPredictor(rival.rebuild(task, facts["state"], arrays), rival)
    own = {name: data for name, data in files.items() if not name.startswith(BESIDE)}
    body = _rebuilt_body(facts, arrays, own)
    bridge = codec.from_json("bridges", facts["bridge"])
    body = bridge.connect(body, facts["facts"])
    put_back(body, facts.get("inserts", ()))
    _fill(body.inserts, "inserts/", arrays, "inserts of the artifact", strict=True)
    head = head_of(facts["head"], body.net)
    _fill(head, "head/", arrays, "head of the artifact", strict=True)
    model = Model(body, head, taps=facts["taps"])
    return ModelPredictor(
        model, source=facts["source"], bridge=bridge, facts=facts["facts"], origin=facts["source_sha256"]
    )


def _rebuilt_body(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], files: Mapping[str, bytes]) -> Body:
    source = str(facts["source"])
    body = (
        registry.find("sources", source.split(":", 1)[0])().rebuild(files) if facts["complete"] else open_source(source)
    )
    if not facts["complete"] and weights_hash(body.net) != facts["source_sha256"]:
        raise ArtifactError(f"the installed weights of {source} are not those the artifact was made from; reinstall it")
    _fill(body.net, "body/", arrays, f"architecture of {source}", strict=bool(facts["complete"]))
    return body


def _fill(module: nn.Module, prefix: str, arrays: Mapping[str, np.ndarray], what: str, *, strict: bool) -> None:
    """Load the arrays under a prefix into a module; without `strict` some may be left out, never added."""
    weights = {n[len(prefix) :]: torch.from_numpy(np.array(a)) for n, a in arrays.items() if n.startswith(prefix)}
    try:
        _, unexpected = module.load_state_dict(weights, strict=strict)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise ArtifactError(f"the weights do not fit the {what}: {first}") from error
    if unexpected:
        raise ArtifactError(f"the weights do not fit the {what}: unexpected {unexpected[0]}")


def open_source(source: str, *, weights: bool = True, modality: str | None = None) -> Body:
    """The body behind `scheme:address`."""
    scheme, _, address = source.partition(":")
    if not address:
        raise LandbridgeError(f"a source is written scheme:name, such as embedded:minilm, got '{source}'")
    return registry.find("sources", scheme)().open(address, weights=weights, modality=modality)
