"""The network for series: a folder of weights and card, opened, rebuilt, redrawn and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from landbridge import testing
from landbridge.core.errors import SourceError
from landbridge.core.model import Model
from landbridge.nn.curve_net import CurveNet
from landbridge.sources import embedded, embedded_model
from landbridge.sources.curve_folder import CARD_FILE, WEIGHTS_FILE, open_curves, save_curves
from landbridge.sources.embedded import Embedded
from landbridge.sources.embedded_models.series import of
from landbridge.sources.scratch import Scratch
from landbridge.testing.data import toy_examples
from landbridge.testing.toys import TOY_CURVES


def learnt() -> CurveNet:
    """A small network whose statistics and map are not a new one's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = CurveNet(**TOY_CURVES)
        net.middle.uniform_(0.3, 0.7)
        net.spread.uniform_(0.1, 0.4)
    return net.eval()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the recipe writes it, and the package as if it lay inside."""
    save_curves(learnt(), tmp_path, {"licence": "Apache-2.0", "data": "none", "generated": True})
    for module in (embedded, embedded_model):
        monkeypatch.setattr(module, "models", lambda: {"series": of(tmp_path)})
    return tmp_path


def test_it_keeps_the_contract_of_sources(place: Path) -> None:
    testing.check_source(Embedded(), "series")
    (entry,) = Embedded().known()
    assert entry["address"] == "embedded:series" and entry["reads"] == "curves"


def test_what_is_opened_is_what_was_saved_but_for_half_precision(place: Path) -> None:
    body = Embedded().open("series")
    inputs = body.prepare.collate([body.prepare(series) for series in toy_examples("series", 5)[0]])
    with torch.inference_mode():
        found, exact = Model(body, nn.Identity()).eval().features(inputs), learnt()(inputs["own"], inputs["common"])
        torch.testing.assert_close(found, exact, atol=2e-3, rtol=2e-3)
        assert not torch.equal(found, exact)
    told = json.loads((place / CARD_FILE).read_text())
    assert body.card["sha256"] == told["sha256"] and told["network"] == TOY_CURVES and body.card["generated"]


def test_from_scratch_nothing_is_left_that_was_designed_or_learnt(place: Path) -> None:
    control, body = Scratch().open("embedded:series"), Embedded().open("series")
    for name, tensor in body.net.state_dict().items():
        assert not torch.equal(tensor, control.net.state_dict()[name]), name


def test_a_folder_without_network_and_files_without_shape_are_refused(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text("{}")
    with pytest.raises(SourceError, match="names no `network`"):
        open_curves(tmp_path, "embedded:series", False)
    (tmp_path / CARD_FILE).write_text('{"network": {"points": 64, "wings": 2}}')
    with pytest.raises(SourceError, match="wings"):
        open_curves(tmp_path, "embedded:series", False)
    with pytest.raises(SourceError, match=r"curves\.json is missing"):
        embedded_model.models()["series"].rebuild({}, "embedded:series")


def test_changed_weights_are_refused(place: Path) -> None:
    raw = bytearray((place / WEIGHTS_FILE).read_bytes())
    raw[-1] ^= 1
    (place / WEIGHTS_FILE).write_bytes(bytes(raw))
    with pytest.raises(SourceError, match="is not the file it should be"):
        Embedded().open("series")
