"""What the tunings that the PEFT library implements share: putting its layers in, its files, and merging them away."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from peft import PeftConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save
from torch import nn

from landbridge.core.model import Body, Model
from landbridge.core.seeds import stream
from landbridge.tunings.freeze import Named

ADAPTER = "default"
GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "groups")


def inject(body: Body, config: PeftConfig, name: str) -> Named:
    """Wrap the layers that the configuration names; the new parameters, drawn from the fixed stream `name`."""
    device = next(body.net.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(0, name))
        inject_adapter_in_model(config, body.net, adapter_name=ADAPTER)
    for _, layer in wrapped(body.net):
        base = layer.get_base_layer()
        if isinstance(base, nn.Conv2d):  # MobileNets, which pad by themselves, ask a convolution for its geometry
            for field in GEOMETRY:
                setattr(layer, field, getattr(base, field))
    body.net.to(device)
    return [(n, p) for n, p in body.net.named_parameters() if p.requires_grad]


def files(model: Model, source: str) -> dict[str, bytes]:
    """The two files that `PeftModel.from_pretrained` reads over the original library's model; before `take_out`."""
    net = model.body.net
    state = get_peft_model_state_dict(net, adapter_name=ADAPTER)
    tensors = {f"base_model.model.{n}": t.detach().cpu().contiguous() for n, t in sorted(state.items())}
    with tempfile.TemporaryDirectory() as folder:
        net.peft_config[ADAPTER].save_pretrained(folder)
        facts = json.loads((Path(folder) / "adapter_config.json").read_text())
    facts |= {"base_model_name_or_path": source, "inference_mode": True}
    for key in ("target_modules", "feedforward_modules"):  # PEFT keeps sets, whose order changes from run to run
        if isinstance(facts.get(key), list):
            facts[key] = sorted(facts[key])
    text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
    return {"adapter_config.json": text.encode(), "adapter_model.safetensors": save(tensors)}


def take_out(model: Model) -> None:
    """Add to each weight what was learnt beside it and put the original layer back."""
    net = model.body.net
    for name, layer in list(wrapped(net)):
        layer.merge(safe_merge=True)
        net.set_submodule(name, layer.get_base_layer())
    if "peft_config" in vars(net):
        del net.peft_config


def wrapped(net: nn.Module) -> Iterator[tuple[str, BaseTunerLayer]]:
    """Every layer that PEFT has wrapped, with its path."""
    for name, module in net.named_modules():
        if isinstance(module, BaseTunerLayer):
            yield name, module


def able(body: Body) -> dict[str, nn.Module]:
    """Path to layer of every linear map and ungrouped convolution of the net: what can be wrapped."""
    return {n: m for n, m in body.net.named_modules() if _able(m)}


def able_in_blocks(body: Body) -> dict[str, nn.Module]:
    """The same, of those inside the blocks."""
    inside = {id(m) for block in body.blocks for m in block.module.modules()}
    return {n: m for n, m in able(body).items() if id(m) in inside}


def _able(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
