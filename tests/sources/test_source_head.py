"""The classifier of a checkpoint gives the original library's logits; where there is none, none is claimed."""

from __future__ import annotations

import json

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tiny_models import IMAGE_CONFIGS, PROCESSOR, TEXT_CONFIGS, save_tokenizer
from torch import nn

from landbridge.core.model import Model
from landbridge.sources.transformers import Transformers


def classifier(folder, kind: str):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = IMAGE_CONFIGS[kind]()
        config.num_labels = 7
        config.architectures = ["DeiTForImageClassification"] if kind == "deit" else None  # it has two kinds of heads
        whole = hf.AutoModelForImageClassification.from_config(config).eval()
        for p in whole.classifier.parameters():
            nn.init.normal_(p)
    whole.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return whole


@pytest.mark.parametrize("kind", IMAGE_CONFIGS)
def test_source_logits_equal_the_librarys(tmp_path, kind) -> None:
    whole = classifier(tmp_path, kind)
    body = Transformers().open(str(tmp_path))
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    weight, bias = body.source_head
    with torch.inference_mode():
        features = Model(body, nn.Identity()).eval().features({"pixels": pixels})
        torch.testing.assert_close(features @ weight.T + bias, whole(pixels).logits, atol=1e-4, rtol=1e-4)
    assert not any("source_head" in name for name in body.state_dict())
    assert Transformers().open(str(tmp_path), weights=False).source_head is None
    assert Transformers().rebuild(body.files()).source_head is None


def test_weights_in_several_files_are_found_by_their_index(tmp_path) -> None:
    classifier(tmp_path, "vit")
    whole = load_file(tmp_path / "model.safetensors")
    head = {n: t for n, t in whole.items() if n.startswith("classifier")}
    parts = {"one.safetensors": {n: t for n, t in whole.items() if n not in head}, "two.safetensors": head}
    for name, tensors in parts.items():
        save_file(tensors, tmp_path / name, {"format": "pt"})
    (tmp_path / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {n: file for file, tensors in parts.items() for n in tensors}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    weight, bias = Transformers().open(str(tmp_path)).source_head
    assert torch.equal(weight, head["classifier.weight"]) and torch.equal(bias, head["classifier.bias"])


@pytest.mark.parametrize("kind", ["bare", "text"])
def test_there_is_none_without_a_linear_classifier_over_the_features(tmp_path, kind) -> None:
    if kind == "bare":
        hf.AutoModel.from_config(IMAGE_CONFIGS["vit"]()).save_pretrained(tmp_path)
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    else:  # as wide as the features, but over a pooler that they do not pass
        hf.AutoModelForSequenceClassification.from_config(TEXT_CONFIGS["bert"]()).save_pretrained(tmp_path)
        save_tokenizer(tmp_path)
    assert Transformers().open(str(tmp_path)).source_head is None
