"""Real architectures, tiny and random, as bodies that tunings are tried on."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
import transformers as hf

from landbridge.core.model import Body, Model
from landbridge.nn.heads import Head
from landbridge.sources import bert_like, conv, vit_like
from landbridge.sources.cut import CutBody

_TEXT = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
_TEXT |= {"intermediate_size": 24, "max_position_embeddings": 40}
_IMAGE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
_IMAGE |= {"image_size": 32, "patch_size": 8}
_MADE = {
    "bert": (lambda: hf.BertConfig(**_TEXT), bert_like.bert),
    "mpnet": (lambda: hf.MPNetConfig(**_TEXT), bert_like.mpnet),
    "vit": (lambda: hf.ViTConfig(**_IMAGE), vit_like.vit),
    "dinov2": (lambda: hf.Dinov2Config(**_IMAGE), vit_like.dinov2),
    "mobilenet_v2": (lambda: hf.MobileNetV2Config(depth_multiplier=0.1, image_size=32), conv.mobilenet_v2),
    "convnext": (lambda: hf.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 2], num_stages=2), conv.convnext),
}
SEQUENCES, GRIDS = ("bert", "mpnet", "vit", "dinov2"), ("mobilenet_v2", "convnext")


@cache
def _opened(kind: str) -> CutBody:
    config, cut = _MADE[kind]
    made = config()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = hf.AutoModel.from_config(made).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.Conv2d):  # the library's own start lets deep convolutions fade to nothing
                torch.nn.init.kaiming_normal_(module.weight)
    empty: Any = None
    given = {"fresh": empty, "prepare": empty, "views": None, "card": {}, "small_files": {}}
    return CutBody(address=f"tiny:{kind}", net=net, cut=cut(made), **given)


def tiny(kind: str) -> Body:
    """A fresh copy of a body; "minilm" is the real embedded one."""
    return copy.deepcopy(_minilm() if kind == "minilm" else _opened(kind))


@cache
def _minilm() -> Body:
    from landbridge.sources.embedded import Embedded

    return Embedded().open("minilm")


def inputs(body: Body, rows: int = 3) -> dict[str, torch.Tensor]:
    """Random inputs; texts of different lengths, so that there is padding."""
    generator = torch.Generator().manual_seed(1)
    if body.reads == "image":
        return {"pixels": torch.randn(rows, 3, 32, 32, generator=generator)}
    ids = torch.randint(1, 40, (rows, 7), generator=generator)
    mask = (torch.arange(7)[None] < torch.arange(7, 7 - rows, -1)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


def model_of(body: Body) -> Model:
    """A model whose head says something."""
    head = Head(body.width, 2)
    head.fill(torch.randn(2, body.width, generator=torch.Generator().manual_seed(2)), torch.zeros(2))
    return Model(body, head).eval()


def shake(module: torch.nn.Module, spread: float = 0.3) -> None:
    """Give every parameter that moves something to say."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
