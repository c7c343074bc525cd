"""LoRA's files against the PEFT library, its targets and its way back."""

from __future__ import annotations

import pytest
import torch
from peft import PeftModel
from transformers import BertConfig, BertModel

from landbridge.core.errors import UsageError
from landbridge.core.model import weights_hash
from landbridge.testing import toy_batch, toy_model
from landbridge.tunings.lora import LoRA


class Wrapped(torch.nn.Module):
    """A library's BERT where a body's net is; tunings ask a body for nothing else."""

    def __init__(self, net: BertModel) -> None:
        super().__init__()
        self.net = net
        self.embedder = (net.embeddings,)
        self.blocks = [_Layer(layer) for layer in net.encoder.layer]


class _Layer:
    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module


def bert() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    return BertModel(config, add_pooling_layer=False).eval()


def shake(net: torch.nn.Module) -> None:
    """Give every update something to say."""
    g = torch.Generator().manual_seed(1)
    for name, p in net.named_parameters():
        if "lora_B" in name:
            p.data = torch.randn(p.shape, generator=g) * 0.1


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT asks transformers
def test_peft_reads_the_files_onto_the_original_model(tmp_path) -> None:
    model = torch.nn.Module()
    model.body, model.head, model.taps = Wrapped(bert()), torch.nn.Linear(16, 2), ()
    handle = LoRA(rank=4, alpha=8.0).attach(model)
    ids = torch.arange(12).reshape(2, 6)
    before = bert()(ids).last_hidden_state
    torch.testing.assert_close(model.body.net.eval()(ids).last_hidden_state, before)
    assert handle.first_moving == 0
    shake(model.body.net)
    adapted = model.body.net(ids).last_hidden_state
    assert float((adapted - before).abs().max().detach()) > 1e-3
    for name, data in LoRA(rank=4, alpha=8.0).export(model, "somewhere/bert").items():
        (tmp_path / name).write_bytes(data)
    loaded = PeftModel.from_pretrained(bert(), tmp_path).eval()
    torch.testing.assert_close(loaded(ids).last_hidden_state, adapted)
    LoRA(rank=4, alpha=8.0).merge(model)
    torch.testing.assert_close(model.body.net(ids).last_hidden_state, adapted, atol=1e-5, rtol=1e-4)
    assert list(model.body.net.state_dict()) == list(bert().state_dict())
    assert type(model.body.net.encoder.layer[0].attention.self.query) is torch.nn.Linear


def test_files_are_the_same_bytes_each_time() -> None:
    files = []
    for _ in range(2):
        model = toy_model("text")
        LoRA().attach(model)
        files.append(LoRA().export(model, "toy:"))
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("kind", "targets", "found"),
    [
        ("text", "auto", {"query", "value"}),
        ("text", "linear", {"query", "key", "value", "out", "up", "down"}),
        ("text", "up", {"up"}),
        ("image", "auto", {"conv"}),
    ],
)
def test_targets(kind: str, targets: str, found: set[str]) -> None:
    model = toy_model(kind)
    LoRA(targets=targets).attach(model)
    adapted = {n.split(".lora_A")[0].rpartition(".")[2] for n, _ in model.named_parameters() if "lora_A" in n}
    assert adapted == found


def test_the_lowest_adapted_block_is_the_first_moving() -> None:
    model = toy_model("text")
    handle = LoRA(targets="layers.1.up").attach(model)
    assert handle.first_moving == 1


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="targets 'attn' match no layer; layers here: down, key"):
        LoRA(targets="attn").attach(toy_model("text"))


def test_dropout_of_the_update_trains_and_the_bodys_does_not() -> None:
    model = toy_model("text")
    handle = LoRA(dropout=0.5).attach(model)
    shake(model.body.net)
    handle.train_mode(model)
    batch = toy_batch(model.body)
    torch.manual_seed(0)
    first, second = model.output(batch), model.output(batch)
    assert not torch.equal(first, second)
    on = {type(m).__name__ for m in model.body.net.modules() if m.training}
    assert on == {"ModuleDict", "Dropout"}
    names = [n for n, m in model.body.net.named_modules() if m.training and isinstance(m, torch.nn.Dropout)]
    assert names and all("lora_dropout" in n for n in names)
    before = weights_hash(model)
    LoRA(dropout=0.5).merge(model)
    assert weights_hash(model) != before
