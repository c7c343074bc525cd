"""Bodies cut from transformers give the library's own numbers, from every depth, rebuilt and copied."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tiny_models import IMAGE_CONFIGS, PROCESSOR, TEXT_CONFIGS, TEXTS, WAVE_CONFIGS, network, pictures, save_tokenizer
from torch import nn

from landbridge.core.errors import SourceError
from landbridge.core.examples import Sound
from landbridge.core.model import Body, Model, weights_hash
from landbridge.sources.transformers import Transformers


def text_folder(path: Path, kind: str) -> tuple[hf.PreTrainedModel, hf.PreTrainedTokenizerFast]:
    net = network(TEXT_CONFIGS[kind]())
    net.save_pretrained(path)
    return net, save_tokenizer(path)


def image_folder(path: Path, kind: str, **processor: object) -> hf.PreTrainedModel:
    net = network(IMAGE_CONFIGS[kind]())
    net.save_pretrained(path)
    (path / "preprocessor_config.json").write_text(json.dumps({**PROCESSOR, **processor}))
    return net


def check_depths(body: Body, inputs: dict[str, torch.Tensor], wanted: torch.Tensor) -> None:
    """Features equal the library's, and continuing from every block gives the same."""
    model = Model(body, nn.Identity()).eval()
    with torch.inference_mode():
        features = model.features(inputs)
        assert features.shape == (len(wanted), body.width)
        torch.testing.assert_close(features, wanted, atol=2e-5, rtol=2e-5)
        for k in range(len(body.blocks) + 1):
            assert torch.equal(model.forward_from(k, *model.tokens_at(k, inputs)), features), k


def check_pieces(body: Body) -> None:
    """Every weight belongs to the embedder or to exactly one block."""
    seen: list[int] = []
    for module in (*body.embedder, *(block.module for block in body.blocks)):
        seen += [id(p) for p in module.parameters()]
    assert len(seen) == len(set(seen))
    assert set(seen) == {id(p) for p in body.net.parameters()}


@pytest.mark.parametrize("kind", TEXT_CONFIGS)
def test_text_encoders_equal_the_library_with_padding(tmp_path, kind):
    net, tokenizer = text_folder(tmp_path, kind)
    body = Transformers().open(str(tmp_path))
    inputs = body.prepare.collate([body.prepare(text) for text in TEXTS])
    given = tokenizer(TEXTS, padding=True, truncation=True, max_length=20, return_tensors="pt")
    assert torch.equal(inputs["input_ids"], given["input_ids"])
    assert torch.equal(inputs["attention_mask"], given["attention_mask"])
    if kind in ("roberta", "mpnet", "distilbert"):
        given.pop("token_type_ids", None)
    with torch.inference_mode():
        hidden = net(**given).last_hidden_state
    mask = given["attention_mask"].unsqueeze(-1).float()
    check_depths(body, inputs, (hidden * mask).sum(1) / mask.sum(1))
    check_pieces(body)
    assert body.reads == "text" and len(body.blocks) == 3


def test_long_texts_are_cut_where_the_tokenizer_says(tmp_path):
    text_folder(tmp_path, "bert")
    body = Transformers().open(str(tmp_path))
    row = body.prepare(" ".join(["w1"] * 100))
    assert len(row["input_ids"]) == 20 and row["input_ids"][-1] == 3
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 7}')
    assert len(Transformers().open(str(tmp_path)).prepare(" ".join(["w1"] * 100))["input_ids"]) == 7


@pytest.mark.parametrize(("mode", "pool"), [("cls_token", lambda h: h[0]), ("max_tokens", lambda h: h.amax(0))])
def test_declared_pooling_is_obeyed(tmp_path, mode, pool):
    net, tokenizer = text_folder(tmp_path, "bert")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
    body = Transformers().open(str(tmp_path))
    inputs = body.prepare.collate([body.prepare(text) for text in TEXTS])
    with torch.inference_mode():
        alone = [net(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in TEXTS]
    check_depths(body, inputs, torch.stack([pool(h) for h in alone]))


def test_unsupported_pooling_is_refused(tmp_path):
    text_folder(tmp_path, "bert")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_lasttoken": true}')
    with pytest.raises(SourceError, match="pools by lasttoken"):
        Transformers().open(str(tmp_path))


@pytest.mark.parametrize("kind", IMAGE_CONFIGS)
def test_image_encoders_equal_the_library(tmp_path, kind):
    net = image_folder(tmp_path, kind)
    body = Transformers().open(str(tmp_path))
    images = pictures()
    inputs = body.prepare.collate([body.prepare(image) for image in images])
    processor = hf.AutoImageProcessor.from_pretrained(tmp_path)
    pixels = processor(images=images, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(inputs["pixels"], pixels, atol=1e-6, rtol=1e-6)
    with torch.inference_mode():
        out = net(pixel_values=pixels)
    hidden = out.last_hidden_state
    if kind in ("vit", "deit"):
        wanted = hidden[:, 0]
    elif kind == "dinov2":
        wanted = torch.cat([hidden[:, 0], hidden[:, 1:].mean(1)], 1)
    else:
        wanted = out.pooler_output.flatten(1)
    check_depths(body, inputs, wanted)
    if kind not in ("vit", "deit", "dinov2"):  # those also carry a mask token or a pooler that features do not use
        check_pieces(body)


@pytest.mark.parametrize("kind", ["vit", "deit", "mobilenet_v2", "dinov2"])
def test_another_resolution_equals_the_library(tmp_path, kind):
    net = image_folder(tmp_path, kind)
    body = Transformers().open(str(tmp_path))
    pixels = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    more = {"interpolate_pos_encoding": True} if kind in ("vit", "deit") else {}
    with torch.inference_mode():
        out = net(pixel_values=pixels, **more)
        wanted = out.last_hidden_state[:, 0] if kind != "mobilenet_v2" else out.pooler_output.flatten(1)
        got = Model(body, nn.Identity()).eval().features({"pixels": pixels})[:, : wanted.shape[1]]
    torch.testing.assert_close(got, wanted, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("size", [40, 45])
def test_tensorflows_padding_is_kept_with_dilation_and_odd_sizes(tmp_path, stride, size):
    net = network(hf.MobileNetV2Config(depth_multiplier=0.35, tf_padding=True, output_stride=stride))
    net.save_pretrained(tmp_path)
    body = Transformers().open(str(tmp_path))
    kinds = {m.convolution.padding != (0, 0) for m in body.net.modules() if "convolution" in dict(m.named_children())}
    assert kinds == {True, False}  # some pad by themselves now, the strided and pointwise ones do not
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        check_depths(body, {"pixels": pixels}, net(pixels).pooler_output.flatten(1))


@pytest.mark.parametrize(
    "processor",
    [
        {
            "image_processor_type": "MobileNetV2ImageProcessor",
            "size": {"shortest_edge": 37},
            "crop_size": {"height": 32, "width": 32},
        },
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}, "crop_pct": 0.875},
        {
            "image_processor_type": "DeiTImageProcessor",
            "size": {"height": 40, "width": 40},
            "crop_size": {"height": 32, "width": 32},
            "do_center_crop": True,
        },
        {"image_processor_type": "ViTImageProcessor", "do_normalize": False},
        {
            "image_processor_type": "BitImageProcessor",
            "size": {"shortest_edge": 36},
            "crop_size": {"height": 32, "width": 32},
        },
    ],
)
@pytest.mark.parametrize("size", [(50, 41), (33, 77)])
def test_preparation_equals_the_librarys_image_processors(tmp_path, processor, size):
    image_folder(tmp_path, "mobilenet_v2", **processor)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": PROCESSOR["image_mean"], "image_std": PROCESSOR["image_std"], **processor})
    )
    body = Transformers().open(str(tmp_path))
    images = pictures(size=size)
    wanted = hf.AutoImageProcessor.from_pretrained(tmp_path)(images=images, return_tensors="pt")["pixel_values"]
    got = body.prepare.collate([body.prepare(image) for image in images])["pixels"]
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", WAVE_CONFIGS)
def test_speech_encoders_equal_the_library_with_padding(tmp_path, kind):
    net = network(WAVE_CONFIGS[kind]())
    net.save_pretrained(tmp_path)
    processor = hf.Wav2Vec2FeatureExtractor(sampling_rate=16_000, do_normalize=True, return_attention_mask=True)
    processor.save_pretrained(tmp_path)
    body = Transformers().open(str(tmp_path))
    generator = np.random.default_rng(0)
    waves = [generator.normal(size=n).astype(np.float32) for n in (2400, 1700, 3100)]
    inputs = body.prepare.collate([body.prepare(Sound(wave, 16_000)) for wave in waves])
    given = processor(waves, sampling_rate=16_000, padding=True, return_tensors="pt")
    torch.testing.assert_close(inputs["wave"], given["input_values"], atol=1e-5, rtol=1e-5)
    with torch.inference_mode():
        hidden = net(**given).last_hidden_state
        mask = net._get_feature_vector_attention_mask(hidden.shape[1], given["attention_mask"]).unsqueeze(-1).float()
    check_depths(body, inputs, (hidden * mask).sum(1) / mask.sum(1))
    check_pieces(body)


def test_an_uncut_family_is_one_block_and_says_so(tmp_path):
    config = hf.AlbertConfig(
        vocab_size=44,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
    )
    net = network(config)
    net.save_pretrained(tmp_path)
    tokenizer = save_tokenizer(tmp_path)
    body = Transformers().open(str(tmp_path))
    assert len(body.blocks) == 1 and "albert" in body.card["note"]
    given = tokenizer(TEXTS, padding=True, return_tensors="pt")
    mask = given["attention_mask"].unsqueeze(-1).float()
    with torch.inference_mode():
        hidden = net(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state
    check_depths(body, body.prepare.collate([body.prepare(t) for t in TEXTS]), (hidden * mask).sum(1) / mask.sum(1))


def test_an_uncut_image_family_is_one_block(tmp_path):
    config = hf.SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4)
    net = network(config)
    net.save_pretrained(tmp_path)
    body = Transformers().open(str(tmp_path))
    assert "no preprocessor_config.json" in body.card["note"]
    inputs = body.prepare.collate([body.prepare(image) for image in pictures()])
    with torch.inference_mode():
        wanted = net(pixel_values=inputs["pixels"]).last_hidden_state.mean(1)
    check_depths(body, inputs, wanted)


@pytest.mark.parametrize("kind", ["bert", "mobilenet_v2"])
def test_rebuilt_copied_and_reset(tmp_path, kind):
    if kind == "bert":
        text_folder(tmp_path, kind)
        examples = TEXTS
    else:
        image_folder(tmp_path, kind)
        examples = pictures()
    body = Transformers().open(str(tmp_path))
    inputs = body.prepare.collate([body.prepare(e) for e in examples])
    with torch.inference_mode():
        wanted = Model(body, nn.Identity()).eval().features(inputs)
    files = body.files()
    assert not any(str(tmp_path).encode() in data for data in files.values())
    shutil.rmtree(tmp_path)

    other = Transformers().rebuild(files)
    other.net.load_state_dict(body.net.state_dict())
    again = other.prepare.collate([other.prepare(e) for e in examples])
    check_depths(other, again, wanted)
    assert other.prepare.spec() == body.prepare.spec()

    duplicate = copy.deepcopy(body)
    state = torch.random.get_rng_state()
    duplicate.reset(torch.Generator().manual_seed(3))
    assert torch.equal(torch.random.get_rng_state(), state)
    check_depths(body, inputs, wanted)  # the original did not move with its copy
    assert weights_hash(duplicate.net) != weights_hash(body.net)
    hashes = set()
    for seed in (3, 3, 4):
        duplicate.reset(torch.Generator().manual_seed(seed))
        hashes.add(weights_hash(duplicate.net))
    assert len(hashes) == 2
    norms = [m for m in duplicate.net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.momentum == 0.1 for m in norms)


def test_a_checkpoint_file_may_be_named_and_a_task_head_is_left_out(tmp_path):
    config = IMAGE_CONFIGS["mobilenet_v2"]()
    whole = hf.AutoModelForImageClassification.from_config(config).eval()
    whole.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "best.safetensors")
    body = Transformers().open(str(tmp_path / "best.safetensors"))
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        wanted = whole.mobilenet_v2(pixels).pooler_output.flatten(1)
    check_depths(body, {"pixels": pixels}, wanted)


def test_weights_false_draws_the_same_weights_each_time_without_the_file(tmp_path):
    image_folder(tmp_path, "resnet")
    (tmp_path / "model.safetensors").unlink()
    state = torch.random.get_rng_state()
    hashes = {weights_hash(Transformers().open(str(tmp_path), weights=False).net) for _ in range(2)}
    assert len(hashes) == 1 and torch.equal(torch.random.get_rng_state(), state)


def _damage(folder: Path, how: str) -> None:
    file = folder / "model.safetensors"
    if how == "missing":
        state = load_file(file)
        del state["encoder.layer.1.attention.self.query.weight"]
        save_file(state, file, {"format": "pt"})
    elif how == "shape":
        state = load_file(file)
        state["encoder.layer.0.output.dense.bias"] = torch.zeros(5)
        save_file(state, file, {"format": "pt"})
    elif how in ("fewer layers", "unknown type", "code"):
        config = json.loads((folder / "config.json").read_text())
        config |= {"fewer layers": {"num_hidden_layers": 2}, "unknown type": {"model_type": "nonsuch"}}.get(how, {})
        if how == "code":
            config |= {"model_type": "nonsuch", "auto_map": {"AutoConfig": "mine.Config"}}
            (folder / "mine.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
        (folder / "config.json").write_text(json.dumps(config))
    elif how == "pickle":
        file.rename(folder / "pytorch_model.bin")
    elif how == "torn":
        file.write_bytes(file.read_bytes()[:1000])
    elif how == "no tokenizer":
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
    else:
        (folder / how).unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", r"lacks encoder\.layer\.1\.attention\.self\.query\.weight"),
        ("shape", r"has other shapes for encoder\.layer\.0\.output\.dense\.bias"),
        ("fewer layers", r"has unexpected encoder\.layer\.2\."),
        ("unknown type", "config.json is not one that transformers knows"),
        ("code", "config.json is not one that transformers knows"),
        ("pickle", r"holds only pytorch_model\.bin, a pickle"),
        ("torn", r"model\.safetensors cannot be read"),
        ("config.json", "has no config.json"),
        ("model.safetensors", "has no model.safetensors"),
        ("no tokenizer", "has no tokenizer"),
    ],
)
def test_a_damaged_folder_is_one_line_that_says_what_to_do(tmp_path, how, message):
    text_folder(tmp_path, "bert")
    _damage(tmp_path, how)
    with pytest.raises(SourceError, match=message) as caught:
        Transformers().open(str(tmp_path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/nowhere/at/all", "no such folder"),
        ("owner/never-fetched", "hf download owner/never-fetched"),
        ("a b c", "neither a local folder nor a hub name"),
        ("", "needs a folder"),
    ],
)
def test_an_address_that_is_not_here_is_never_downloaded(address, message):
    with pytest.raises(SourceError, match=message):
        Transformers().open(address)


def test_a_pickled_file_is_refused_by_name(tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"only \.safetensors"):
        Transformers().open(str(tmp_path / "weights.pt"))
