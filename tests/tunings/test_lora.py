"""LoRA's files against the PEFT library, its targets and its way back."""

from __future__ import annotations

import pytest
import torch
from bodies import inputs, model_of, tiny
from peft import PeftModel
from transformers import BertConfig, BertModel

from landbridge.core.errors import UsageError
from landbridge.core.model import weights_hash
from landbridge.testing import check_tuning, toy_batch, toy_model
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


def by_hand(layer, x: torch.Tensor, dora: bool, scaling: float) -> torch.Tensor:
    """W' x + b, where W' = W + s BA, its rows scaled to the learnt lengths with DoRA."""
    base, a, b = layer.base_layer, layer.lora_A["default"].weight, layer.lora_B["default"].weight
    weight = base.weight + scaling * b @ a
    if dora:
        weight = weight * (layer.lora_magnitude_vector["default"].weight / weight.norm(dim=1))[:, None]
    return x @ weight.T + base.bias


@pytest.mark.parametrize(("dora", "rslora"), [(True, False), (False, True), (True, True)])
def test_dora_and_rslora_are_their_formulas_and_merge(dora: bool, rslora: bool) -> None:
    tuning, model = LoRA(rank=4, alpha=8.0, dora=dora, rslora=rslora), toy_model("text")
    batch = toy_batch(model.body)
    before = model.output(batch)
    tuning.attach(model)
    torch.testing.assert_close(model.eval().output(batch), before)
    shake(model.body.net)
    for name, p in model.body.net.named_parameters():
        if "magnitude" in name:
            p.data *= 1.3
    x = torch.randn(5, 16, generator=torch.Generator().manual_seed(2))
    layer = model.body.net.layers[0].query
    torch.testing.assert_close(layer(x), by_hand(layer, x, dora, 8.0 / (2.0 if rslora else 4.0)))
    moved = model.output(batch)
    assert float((moved - before).abs().max().detach()) > 1e-3
    tuning.merge(model)
    torch.testing.assert_close(model.output(batch), moved, atol=1e-5, rtol=1e-4)
    assert list(model.body.net.state_dict()) == list(toy_model("text").body.net.state_dict())


def test_a_network_that_pads_by_itself_finds_the_geometry_of_its_convolutions() -> None:
    body = tiny("mobilenet_v2")
    model, given = model_of(body), inputs(body)
    with torch.no_grad():
        plain = model(given)
        LoRA(dora=True).attach(model)
        torch.testing.assert_close(model(given), plain)
        shake(body.net)
        moved = model(given)
        LoRA(dora=True).merge(model)
        torch.testing.assert_close(model(given), moved, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["text", "image"])
def test_lengths_of_rows_are_spared_from_decay(kind: str) -> None:
    model = toy_model(kind)
    handle = LoRA(dora=True).attach(model)
    lengths = {id(p) for n, p in model.named_parameters() if "magnitude" in n}
    groups = [g for g in handle.groups if lengths & {id(p) for p in g["params"]}]
    assert lengths and groups and not any(g["decay"] for g in groups)
    check_tuning(LoRA(rank=2, dora=True, rslora=True))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT asks transformers
def test_peft_reads_a_dora_file(tmp_path) -> None:
    model = torch.nn.Module()
    model.body, model.head, model.taps = Wrapped(bert()), torch.nn.Linear(16, 2), ()
    tuning, ids = LoRA(rank=4, dora=True, rslora=True), torch.arange(12).reshape(2, 6)
    tuning.attach(model)
    shake(model.body.net)
    adapted = model.body.net.eval()(ids).last_hidden_state
    for name, data in tuning.export(model, "somewhere/bert").items():
        (tmp_path / name).write_bytes(data)
    loaded = PeftModel.from_pretrained(bert(), tmp_path).eval()
    torch.testing.assert_close(loaded(ids).last_hidden_state, adapted)
