"""Tiny randomly initialised models of the original library, saved as folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *[f"w{i}" for i in range(40)]]
TEXTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w10 w11 unknown w12", "w39 w38"]

_TEXT = {"vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
_TEXT |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 0}
_IMAGE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
_IMAGE |= {"image_size": 32, "patch_size": 8}
_WAVE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
_WAVE |= {"conv_dim": (8, 8, 8), "conv_kernel": (10, 3, 3), "conv_stride": (5, 4, 2), "num_feat_extract_layers": 3}
_WAVE |= {"num_conv_pos_embeddings": 6, "num_conv_pos_embedding_groups": 2}

TEXT_CONFIGS = {
    "bert": lambda: hf.BertConfig(**_TEXT),
    "electra": lambda: hf.ElectraConfig(embedding_size=12, **_TEXT),
    "roberta": lambda: hf.RobertaConfig(**_TEXT),
    "mpnet": lambda: hf.MPNetConfig(**_TEXT),
    "distilbert": lambda: hf.DistilBertConfig(
        vocab_size=len(WORDS), dim=16, n_layers=3, n_heads=2, hidden_dim=24, max_position_embeddings=40
    ),
}
IMAGE_CONFIGS = {
    "mobilenet_v1": lambda: hf.MobileNetV1Config(depth_multiplier=0.25, image_size=32),
    "mobilenet_v2": lambda: hf.MobileNetV2Config(depth_multiplier=0.35, image_size=32, tf_padding=True),
    "resnet": lambda: hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], layer_type="basic"),
    "convnext": lambda: hf.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 2], num_stages=2, image_size=32),
    "vit": lambda: hf.ViTConfig(**_IMAGE),
    "deit": lambda: hf.DeiTConfig(**_IMAGE),
    "dinov2": lambda: hf.Dinov2Config(**_IMAGE),
}
WAVE_CONFIGS = {
    "wav2vec2": lambda: hf.Wav2Vec2Config(**_WAVE),
    "wav2vec2-stable": lambda: hf.Wav2Vec2Config(do_stable_layer_norm=True, feat_extract_norm="layer", **_WAVE),
    "hubert": lambda: hf.HubertConfig(**_WAVE),
}
PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 32, "width": 32},
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.25],
    "resample": 3,
}


def network(config: hf.PreTrainedConfig, seed: int = 0) -> hf.PreTrainedModel:
    """The library's own body with random weights; batch norms get statistics that differ from a new network's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = hf.AutoModel.from_config(config)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        for name, weight in net.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(weight, std=0.1)
    return net.eval()


def save_tokenizer(folder: Path) -> hf.PreTrainedTokenizerFast:
    """A word-level tokenizer with BERT's special tokens."""
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_object=raw, model_max_length=20, **names)
    tokenizer.save_pretrained(folder)
    return tokenizer


def pictures(count: int = 3, size: tuple[int, int] = (50, 41)) -> list[Image.Image]:
    """Random smooth pictures of one size."""
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (count, 6, 7, 3), dtype=np.uint8)
    return [Image.fromarray(a).resize(size, Image.Resampling.BICUBIC) for a in small]
