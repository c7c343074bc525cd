"""Low-rank updates beside frozen weights, by the PEFT library and in its file format."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import save
from torch import nn

from landbridge.core.contracts import Handle
from landbridge.core.errors import UsageError
from landbridge.core.model import Body, Model
from landbridge.core.parts import part, real, whole, words
from landbridge.core.seeds import stream
from landbridge.tunings.freeze import depths, falling, freeze, groups, head_groups, release

# How model families call the linear maps that make queries and values (Hu et al. 2021 adapt these two).
QUERY_VALUE = frozenset(
    {"query", "value", "q_proj", "v_proj", "q_lin", "v_lin", "q", "v", "query_proj", "value_proj"}
    | {"qkv", "c_attn", "Wqkv", "query_key_value", "in_proj"}
)
_ADAPTER = "default"


@part("lora", paper="Hu et al. 2021, LoRA: low-rank adaptation of large language models, arXiv:2106.09685")
class LoRA:
    """W + alpha/rank B A beside each targeted W, with B zero at the start, so that the first output is the source's.

    `targets`: "auto" takes the query and value maps of the blocks, and where there are none all their linear maps and
    ungrouped convolutions; "linear" takes all of these everywhere in the blocks; else names of layers, separated by
    spaces. A is drawn from a fixed stream, the same in each run.
    """

    rank: int = whole(8, 1, 512, log=True, help="rank of the update")
    alpha: float = real(16.0, 0.01, 1024.0, log=True, help="the update is scaled by alpha / rank")
    dropout: float = real(0.0, 0.0, 0.9, help="dropout of what enters the update")
    targets: str = words("auto", help="auto, linear, or names of layers")
    head_scale: float = real(1.0, 0.1, 100.0, log=True, help="how much faster the head learns")

    def attach(self, model: Model) -> Handle:
        """Freeze the body and put an update beside each target; UsageError when nothing is targeted."""
        freeze(model)
        body = model.body
        config = LoraConfig(
            r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=self._targets(body)
        )
        device = next(body.net.parameters()).device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(0, "lora"))
            inject_adapter_in_model(config, body.net, adapter_name=_ADAPTER)
        body.net.to(device)
        moving = [(n, p) for n, p in body.net.named_parameters() if p.requires_grad]
        made = [*groups(body, moving, falling(body, 1.0)), *head_groups(model, self.head_scale)]
        release(made)
        depth_of = depths(body)
        drops = [layer.lora_dropout for _, layer in _layers(body.net)]
        return Handle(
            groups=made, first_moving=min(depth_of[n] for n, _ in moving), moving=[*drops, model.head], lr=5e-4
        )

    def export(self, model: Model, source: str) -> dict[str, bytes]:
        """The two files that `PeftModel.from_pretrained` reads over the original library's model; before `merge`."""
        net = model.body.net
        state = get_peft_model_state_dict(net, adapter_name=_ADAPTER)
        tensors = {f"base_model.model.{n}": t.detach().cpu().contiguous() for n, t in sorted(state.items())}
        config = net.peft_config[_ADAPTER]
        with tempfile.TemporaryDirectory() as folder:
            config.save_pretrained(folder)
            facts = json.loads((Path(folder) / "adapter_config.json").read_text())
        facts |= {"base_model_name_or_path": source, "inference_mode": True}
        facts["target_modules"] = sorted(
            facts["target_modules"]
        )  # PEFT keeps a set, whose order changes from run to run
        text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
        return {"adapter_config.json": text.encode(), "adapter_model.safetensors": save(tensors)}

    def merge(self, model: Model) -> None:
        """Add each update to its weight and put the original layer back."""
        net = model.body.net
        for name, layer in list(_layers(net)):
            layer.merge(safe_merge=True)
            net.set_submodule(name, layer.get_base_layer())
        if "peft_config" in vars(net):
            del net.peft_config

    def _targets(self, body: Body) -> list[str]:
        """Full paths in the net of the layers to adapt."""
        inside = {id(m) for block in body.blocks for m in block.module.modules()}
        able = {n: m for n, m in body.net.named_modules() if _adaptable(m)}
        in_blocks = [n for n, m in able.items() if id(m) in inside]
        if self.targets in ("auto", "linear"):
            attention = [n for n in in_blocks if n.rpartition(".")[2] in QUERY_VALUE]
            found = attention if attention and self.targets == "auto" else in_blocks
        else:
            wished = self.targets.split()
            found = [n for n in able if any(n == w or n.endswith(f".{w}") for w in wished)]
        if not found:
            last = sorted({n.rpartition(".")[2] for n in able})
            raise UsageError(f"lora: targets '{self.targets}' match no layer; layers here: {', '.join(last) or 'none'}")
        return found


def _adaptable(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)


def _layers(net: nn.Module) -> Iterator[tuple[str, LoraLayer]]:
    """Every adapted layer with its path."""
    for name, module in net.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module
