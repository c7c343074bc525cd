"""Artifacts of earlier runs: what they remember of their targets, and their sources as they were before adapting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.bridges.native import Native
from landbridge.core import codec, registry
from landbridge.core.artifact import TARGET, Artifact, first_source_files, read_artifact
from landbridge.core.contracts import Task
from landbridge.core.domain import Domain
from landbridge.core.errors import ArtifactError, LandbridgeError, SourceError, UsageError
from landbridge.engine.workshop import Road, Workshop
from landbridge.planning.nearness.target import Target


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """An artifact: where it lies, what it learnt on, how its source reads, and its target or why it tells nothing."""

    path: str
    name: str
    modality: str
    task: Task | None
    predictor: Mapping[str, Any]
    columns: Sequence[str]
    files: Mapping[str, bytes]  # of its source, where it holds all of it
    target: Target | None
    silent: str = ""

    @property
    def label(self) -> str:
        """A short name: that of its folder."""
        return Path(self.path).expanduser().resolve().name

    @property
    def source(self) -> str:
        """The address of its source as its recipe had it; folders are cut to their names."""
        return str(self.predictor.get("source", ""))


def open_earlier(paths: str | Path | Sequence[str | Path], domain: Domain) -> list[Earlier]:
    """The artifacts, each once; ArtifactError for what is none or is torn, UsageError for one of another modality."""
    found: dict[str, Earlier] = {}
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        stored = read_artifact(Path(path).expanduser())
        earlier = found.setdefault(stored.digest, _opened(str(path), stored))
        wanted = domain.modality.part_name
        if earlier.modality != wanted:
            raise UsageError(
                f"--near {path}: was adapted to {earlier.modality} data, {domain.name} is {wanted}; "
                f"name artifacts of {wanted} data"
            )
    return list(found.values())


def _opened(path: str, stored: Artifact) -> Earlier:
    preprocess, evidence = stored.document("preprocess.json"), stored.document("evidence.json")
    data = stored.files.get(TARGET)
    target = None if data is None else Target.from_bytes(f"{path}/{TARGET}", data)
    try:
        reading, predictor = preprocess["reading"], preprocess["predictor"]
        labels = stored.documents.get("labels.json")
        task = None if labels is None else registry.find("tasks", labels["part"]).from_json(labels)
        return Earlier(
            path=path, name=str(evidence.get("name", Path(path).name)), modality=str(reading["modality"]), task=task,
            predictor=predictor, columns=list(reading.get("columns") or ()), target=target,
            files=first_source_files(stored.files),
            silent="" if target is not None else _why(evidence, predictor),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: its documents do not fit together ({error}); run or copy it again") from error


def _why(evidence: Mapping[str, Any], predictor: Mapping[str, Any]) -> str:
    """Why an artifact remembers nothing of its target."""
    if evidence.get("kind") == "pretrained":
        return "it is a pretrained source, which had no target; name what was adapted from it"
    if said := (evidence.get("remembered") or {}).get("why"):
        return str(said)
    if predictor.get("kind") != "model":
        return "a control was delivered, which has no source to see the target through"
    return "it was written before artifacts remembered their targets; run it again"


def road_of(workshop: Workshop, earlier: Earlier, rows: np.ndarray) -> Road:
    """The artifact's source before it was adapted, reading the data through the artifact's own bridge.

    A source that is open already with the same weights; the artifact itself, where adapting left its body alone; or
    what its address names. SourceError where none of them is the same as then.
    """
    facts, domain = earlier.predictor, workshop.domain
    bridge = codec.from_json("bridges", facts["bridge"])
    columns = set(domain.reading.get("columns") or ())
    if earlier.modality == "table" and not columns & set(earlier.columns):
        raise SourceError(f"the data has none of its columns ({', '.join(earlier.columns[:3])}); rename them")
    same = [source for source, origin in workshop.origins().items() if origin == facts["source_sha256"]]
    tried: list[LandbridgeError] = []
    ways = [(s, bridge, facts["facts"]) for s in [*same, earlier.source]]
    ways.insert(len(same), (f"artifact:{Path(earlier.path).expanduser()}", Native(), {}))
    for way in ways:
        try:
            road = workshop.road_by(*way, rows)
        except LandbridgeError as error:
            tried.append(error)
            continue
        if _same(road, earlier):
            return road
    other = f" ({tried[-1]})" if tried else ""
    scheme = earlier.source.partition(":")[0]
    raise SourceError(f"its source {earlier.source} is not at hand{other}; name it with --source {scheme}:FOLDER")


def _same(road: Road, earlier: Earlier) -> bool:
    """Whether a road gives the features that the target was remembered in: weights, small files, preprocessing."""
    facts, own = earlier.predictor, road.source.startswith("artifact:")
    if road.origin != facts["source_sha256"] or (own and facts.get("inserts")):
        return False
    if not own and earlier.files and dict(earlier.files) != road.bare.files():
        return False
    return json.dumps(road.body.prepare.spec(), sort_keys=True) == json.dumps(facts["preprocess"], sort_keys=True)
