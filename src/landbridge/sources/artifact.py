"""`artifact:` sources: what an earlier run learnt is knowledge for the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from landbridge.core import codec, registry
from landbridge.core.artifact import Artifact as Stored
from landbridge.core.artifact import first_source_files, read_artifact
from landbridge.core.errors import SourceError
from landbridge.core.insert import put_back
from landbridge.core.model import Body
from landbridge.core.parts import part
from landbridge.sources.named import NamedBody

NAME_FILE = "artifact.json"
WEIGHTS, INSERTS = "body/", "inserts/"  # where an artifact keeps arrays


@part("artifact")
class Artifact:
    """`artifact:FOLDER`: the adapted body of an earlier result, its bridge and inserts, without its head.

    The artifact is verified by its manifest before anything in it is used. Of a mean of answers the first member's body
    is the source. An artifact that a control won (a rival without a body) cannot be one.
    """

    def open(self, address: str, *, weights: bool = True, modality: str | None = None) -> Body:
        """The adapted body; ArtifactError when the folder is torn, SourceError when it holds no body."""
        stored = read_artifact(Path(address).expanduser())
        facts = stored.document("preprocess.json").get("predictor")
        if not isinstance(facts, dict) or facts.get("kind") != "model":
            raise SourceError(f"artifact:{address}: a control won that run, so there is no body to transfer from")
        files = first_source_files(stored.files)
        scheme, _, rest = str(facts["source"]).partition(":")
        source = registry.find("sources", scheme)()
        body: Body = source.rebuild(files) if facts["complete"] else source.open(rest)
        if weights:
            _load(body.net, stored, WEIGHTS, address, complete=bool(facts["complete"]))
        else:
            body.reset(torch.Generator().manual_seed(0))
        way = {
            "scheme": scheme,
            "bridge": facts["bridge"],
            "facts": facts["facts"],
            "inserts": facts.get("inserts", []),
        }
        connected = _connected(body, way, f"artifact:{address}", {"sha256": stored.digest})
        if weights:
            _load(connected.inserts, stored, INSERTS, address, complete=True)
        return connected

    def rebuild(self, files: Mapping[str, bytes]) -> Body:
        """The architecture from `Body.files()`, over the bridge of the earlier run."""
        if NAME_FILE not in files:
            raise SourceError(f"artifact: {NAME_FILE} is missing from the saved source files")
        ways = json.loads(files[NAME_FILE])
        inner = registry.find("sources", ways[-1]["scheme"])().rebuild(
            {**files, NAME_FILE: json.dumps(ways[:-1]).encode()}
        )
        return _connected(inner, ways[-1], "artifact:saved", {})

    def known(self) -> list[dict[str, Any]]:
        """Artifacts lie wherever a person put them; none are known by themselves."""
        return []


def _load(module: nn.Module, stored: Stored, prefix: str, address: str, *, complete: bool) -> None:
    """The artifact's arrays under a prefix; all there are when it is complete, else those that training changed."""
    arrays = {n.removeprefix(prefix): a for n, a in stored.arrays.items() if n.startswith(prefix)}
    weights = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    try:
        module.load_state_dict(weights, strict=complete)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:160]
        raise SourceError(f"artifact:{address}: its weights do not fit its architecture ({first})") from error


def _connected(body: Body, way: Mapping[str, Any], address: str, card: Mapping[str, Any]) -> Body:
    """The body behind the earlier run's bridge. Ways are kept in a list, as an artifact may come from an artifact."""
    before = json.loads(body.files().get(NAME_FILE, b"[]"))
    through = codec.from_json("bridges", way["bridge"]).connect(body, way["facts"])
    named = NamedBody(through, address=address, files={NAME_FILE: json.dumps([*before, dict(way)]).encode()})
    put_back(named, way.get("inserts", ()))
    named.card.update(card, generated=False)  # whatever it began from, it has seen the data of that run
    return named
