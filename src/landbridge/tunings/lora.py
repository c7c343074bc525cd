"""Low-rank updates beside frozen weights, by the PEFT library and in its file format."""

from __future__ import annotations

from peft import LoraConfig
from peft.tuners.lora import LoraLayer

from landbridge.core.contracts import Handle
from landbridge.core.errors import UsageError
from landbridge.core.model import Body, Model
from landbridge.core.parts import flag, part, real, whole, words
from landbridge.tunings.freeze import depths, falling, freeze, groups, head_groups, release
from landbridge.tunings.peft_layers import able, able_in_blocks, files, inject, take_out, wrapped

# How model families call the linear maps that make queries and values (Hu et al. 2021 adapt these two).
QUERY_VALUE = frozenset(
    {"query", "value", "q_proj", "v_proj", "q_lin", "v_lin", "q", "v", "query_proj", "value_proj"}
    | {"qkv", "c_attn", "Wqkv", "query_key_value", "in_proj"}
)


@part("lora", paper="Hu et al. 2021, LoRA: low-rank adaptation of large language models, arXiv:2106.09685")
class LoRA:
    """W + alpha/rank B A beside each targeted W, with B zero at the start, so that the first output is the source's.

    `targets`: "auto" takes the query and value maps of the blocks, and where there are none all their linear maps and
    ungrouped convolutions; "linear" takes all of these everywhere in the blocks; else names of layers, separated by
    spaces. A is drawn from a fixed stream, the same in each run.

    With `dora` (Liu et al. 2024, arXiv:2402.09353) the updated W is scaled, row by row, to a learnt length, the length
    of W at the start; with `rslora` (Kalajdzievski 2023, arXiv:2312.03732) the update is scaled by alpha / sqrt(rank),
    which keeps its size alike over ranks.
    """

    rank: int = whole(8, 1, 512, log=True, help="rank of the update")
    alpha: float = real(16.0, 0.01, 1024.0, log=True, help="the update is scaled by alpha / rank")
    dropout: float = real(0.0, 0.0, 0.9, help="dropout of what enters the update")
    targets: str = words("auto", help="auto, linear, or names of layers")
    head_scale: float = real(1.0, 0.1, 100.0, log=True, help="how much faster the head learns")
    dora: bool = flag(False, help="learn the length of each row of W apart from its direction")
    rslora: bool = flag(False, help="scale the update by alpha / sqrt(rank)")

    def attach(self, model: Model) -> Handle:
        """Freeze the body and put an update beside each target; UsageError when nothing is targeted."""
        body = model.body
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self._targets(body),
            use_dora=self.dora,
            use_rslora=self.rslora,
        )
        freeze(model)
        moving = inject(body, config, "lora")
        lengths = [(n, p) for n, p in moving if "magnitude" in n]  # of rows; decay would pull them to 0
        updates = [(n, p) for n, p in moving if "magnitude" not in n]
        even = falling(body, 1.0)
        made = [*groups(body, updates, even), *head_groups(model, self.head_scale)]
        made += [{**group, "decay": False} for group in groups(body, lengths, even)]
        release(made)
        depth_of = depths(body)
        drops = [layer.lora_dropout for _, layer in wrapped(body.net) if isinstance(layer, LoraLayer)]
        return Handle(
            groups=made, first_moving=min(depth_of[n] for n, _ in moving), moving=[*drops, model.head], lr=5e-4
        )

    def export(self, model: Model, source: str) -> dict[str, bytes]:
        """The two files that `PeftModel.from_pretrained` reads over the original library's model; before `merge`."""
        return files(model, source)

    def merge(self, model: Model) -> None:
        """Add each update to its weight and put the original layer back."""
        take_out(model)

    def _targets(self, body: Body) -> list[str]:
        """Full paths in the net of the layers to adapt."""
        adaptable, in_blocks = list(able(body)), list(able_in_blocks(body))
        if self.targets in ("auto", "linear"):
            attention = [n for n in in_blocks if n.rpartition(".")[2] in QUERY_VALUE]
            found = attention if attention and self.targets == "auto" else in_blocks
        else:
            wished = self.targets.split()
            found = [n for n in adaptable if any(n == w or n.endswith(f".{w}") for w in wished)]
        if not found:
            last = sorted({n.rpartition(".")[2] for n in adaptable})
            raise UsageError(f"lora: targets '{self.targets}' match no layer; layers here: {', '.join(last) or 'none'}")
        return found
