"""Learnt factors on keys, values and what the feed-forward part widens to, by the PEFT library in its file format."""

from __future__ import annotations

from peft import IA3Config
from torch import nn

from landbridge.core.contracts import Handle
from landbridge.core.errors import UsageError
from landbridge.core.model import Body, Model
from landbridge.core.parts import part, real
from landbridge.tunings.freeze import depths, falling, freeze, groups, head_groups, release
from landbridge.tunings.peft_layers import able_in_blocks, files, inject, take_out

# How model families call the maps that make keys and values (fused ones make queries too), and the map that narrows
# again at the end of a feed-forward part where its shape does not show it.
KEY_VALUE = frozenset(
    {"key", "value", "k_proj", "v_proj", "k_lin", "v_lin", "k", "v", "key_proj", "value_proj"}
    | {"qkv", "c_attn", "Wqkv", "query_key_value", "in_proj"}
)
NARROWING = frozenset({"fc2", "lin2", "down", "down_proj", "wo", "w2"})


@part("ia3", paper="Liu et al. 2022, Few-shot parameter-efficient fine-tuning is better and cheaper, arXiv:2205.05638")
class IA3:
    """Every key, every value and every channel inside a feed-forward part is multiplied by a learnt factor, 1 at first.

    In blocks without keys and values (convolutions) the channels that each ungrouped convolution or linear map makes
    are multiplied. The factors are merged into the weights; they are spared from decay, which would pull them to 0.
    """

    head_scale: float = real(1.0, 0.1, 100.0, log=True, help="how much faster the head learns")

    def attach(self, model: Model) -> Handle:
        """Freeze the body and put factors on the targets; UsageError when there are none."""
        body = model.body
        outputs, inputs = _targets(body)
        freeze(model)
        moving = inject(body, IA3Config(target_modules=[*outputs, *inputs], feedforward_modules=inputs), "ia3")
        factors = [{**group, "decay": False} for group in groups(body, moving, falling(body, 1.0))]
        made = [*factors, *head_groups(model, self.head_scale)]
        release(made)
        depth_of = depths(body)
        return Handle(groups=made, first_moving=min(depth_of[n] for n, _ in moving), moving=[model.head], lr=1e-2)

    def export(self, model: Model, source: str) -> dict[str, bytes]:
        """The two files that `PeftModel.from_pretrained` reads over the original library's model; before `merge`."""
        return files(model, source)

    def merge(self, model: Model) -> None:
        """Multiply each weight by its factors and put the original layer back."""
        take_out(model)


def _targets(body: Body) -> tuple[list[str], list[str]]:
    """Paths of the layers whose outputs are multiplied, and of those whose inputs are."""
    layers = able_in_blocks(body)
    outputs = [n for n in layers if n.rpartition(".")[2] in KEY_VALUE]
    if not outputs:
        outputs = list(layers)
        if not outputs:
            raise UsageError(f"ia3: the blocks of {body.address} have no linear map or ungrouped convolution; use full")
        return outputs, []
    return outputs, [n for n, m in layers.items() if n not in outputs and _narrows(n, m)]


def _narrows(name: str, layer: nn.Module) -> bool:
    wide = isinstance(layer, nn.Linear) and layer.in_features > layer.out_features
    return wide or name.rpartition(".")[2] in NARROWING
