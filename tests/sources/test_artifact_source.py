"""An earlier result as a source: its adapted weights, over its bridge, and again from what that leads to."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from landbridge.core import codec
from landbridge.core.artifact import write_artifact
from landbridge.core.errors import ArtifactError, SourceError
from landbridge.core.examples import Sound
from landbridge.core.model import Body, Model
from landbridge.core.registry import find
from landbridge.sources.artifact import Artifact


def store(path, body: Body, source: str, bridge, facts, *, complete: bool = True, keep=lambda name: True) -> None:
    """An artifact with the parts of the format that a source reads."""
    arrays = {f"body/{n}": t.numpy().copy() for n, t in body.net.state_dict().items() if keep(n)}
    predictor = {"kind": "model", "source": source, "complete": complete}
    predictor |= {"bridge": codec.to_json(bridge), "facts": facts}
    files = {f"source/{name}": data for name, data in body.files().items()}
    write_artifact(path, documents={"preprocess.json": {"predictor": predictor}}, arrays=arrays, files=files)


def moved(body: Body, seed: int) -> Body:
    """The body with every weight changed, as by training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in body.net.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return body


def answers(body: Body, example) -> torch.Tensor:
    with torch.inference_mode():
        return Model(body, nn.Identity()).eval().features(body.prepare.collate([body.prepare(example)]))


SOUND = Sound(np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32), 8000)


def test_the_adapted_body_over_its_bridge_and_on_from_there(tmp_path):
    bridge, facts = find("bridges", "spectrogram")(size=64), {"rate": 8000, "seconds": 0.5}
    first = moved(bridge.connect(find("sources", "scratch")().open("convnet"), facts), 1)
    store(tmp_path / "one", first, "scratch:convnet", bridge, facts)
    source = Artifact().open(str(tmp_path / "one"))
    assert source.reads == "audio" and source.address == f"artifact:{tmp_path / 'one'}"
    assert torch.equal(answers(source, SOUND), answers(first, SOUND))

    second, native = moved(source, 2), find("bridges", "native")()
    wanted = answers(second, SOUND)
    store(tmp_path / "two", second, source.address, native, {})
    (tmp_path / "one").rename(tmp_path / "gone")  # the second stands by itself
    again = Artifact().open(str(tmp_path / "two"))
    assert torch.equal(answers(again, SOUND), wanted)
    third = Artifact().rebuild(again.files())
    third.net.load_state_dict(again.net.state_dict())
    assert torch.equal(answers(third, SOUND), wanted)


def test_an_artifact_that_keeps_only_what_changed(tmp_path):
    body = find("sources", "embedded")().open("minilm")
    with torch.no_grad():
        body.net.encoder.layer[5].output.LayerNorm.bias.add_(0.5)
    native = find("bridges", "native")()
    name = "encoder.layer.5.output.LayerNorm.bias"
    store(tmp_path / "one", body, "embedded:minilm", native, {}, complete=False, keep=lambda n: n == name)
    source = Artifact().open(str(tmp_path / "one"))
    assert torch.equal(answers(source, "some words"), answers(body, "some words"))
    random = Artifact().open(str(tmp_path / "one"), weights=False)
    assert not torch.equal(answers(random, "some words"), answers(body, "some words"))


def test_a_control_or_a_damaged_artifact_is_no_source(tmp_path):
    rival = {"preprocess.json": {"predictor": {"kind": "rival"}}}
    write_artifact(tmp_path / "control", documents=rival, arrays={}, files={})
    with pytest.raises(SourceError, match="a control won"):
        Artifact().open(str(tmp_path / "control"))
    body, native = find("sources", "scratch")().open("convnet"), find("bridges", "native")()
    store(tmp_path / "torn", body, "scratch:convnet", native, {}, keep=lambda n: not n.startswith("stem"))
    with pytest.raises(SourceError, match="do not fit"):
        Artifact().open(str(tmp_path / "torn"))
    (tmp_path / "torn" / "preprocess.json").write_text(json.dumps({}))
    with pytest.raises(ArtifactError):
        Artifact().open(str(tmp_path / "torn"))
    with pytest.raises(ArtifactError):
        Artifact().open(str(tmp_path / "nowhere"))
