"""Factors by hand and against the PEFT library; what they multiply in each family."""

from __future__ import annotations

import pytest
import torch
from bodies import inputs, model_of, shake, tiny
from peft import IA3Config, PeftModel, get_peft_model

from landbridge.core.errors import UsageError
from landbridge.core.model import weights_hash
from landbridge.testing import toy_batch, toy_model
from landbridge.tunings.ia3 import IA3, _targets


def factors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Path of the layer to its factors."""
    return {n.split(".ia3_l")[0].removeprefix("body.net."): p for n, p in model.named_parameters() if "ia3_l" in n}


def test_keys_values_and_the_widened_part_are_multiplied() -> None:
    model, plain = toy_model("text"), toy_model("text")
    handle = IA3().attach(model)
    assert torch.equal(model.eval().output(toy_batch(model.body)), plain.output(toy_batch(plain.body)))
    shake(model.body.net)
    layers = {name.rpartition(".")[2] for name in factors(model)}
    assert layers == {"key", "value", "down"} and handle.first_moving == 0
    with torch.no_grad():  # the same by hand: rows of key and value, columns of down
        for name, factor in factors(model).items():
            layer, row = plain.body.net.get_submodule(name), not name.endswith("down")
            layer.weight.mul_(factor.reshape(-1, 1) if row else factor.reshape(1, -1))
            if row:
                layer.bias.mul_(factor.flatten())
    batch = toy_batch(model.body)
    torch.testing.assert_close(model.output(batch), plain.output(batch), atol=1e-6, rtol=1e-5)
    before = model.output(batch)
    IA3().merge(model)
    torch.testing.assert_close(model.output(batch), before, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(model.body.net.state_dict(), plain.body.net.state_dict())


def test_factors_are_spared_from_decay_and_few() -> None:
    model = toy_model("text")
    handle = IA3(head_scale=0.5).attach(model)
    body = [g for g in handle.groups if not g["name"].startswith("head")]
    assert body and not any(g["decay"] for g in body)
    assert sum(p.numel() for g in body for p in g["params"]) == 3 * 3 * 16
    assert {g["scale"] for g in handle.groups} == {1.0, 0.5}


@pytest.mark.parametrize(
    ("kind", "outputs", "entries"),
    [
        ("bert", {"key", "value"}, {"output.dense"}),
        ("mpnet", {"k", "v"}, {"output.dense"}),
        ("vit", {"k_proj", "v_proj"}, {"mlp.fc2"}),
        ("convnext", {"pwconv1", "pwconv2", "1"}, set()),
    ],
)
def test_targets_of_each_family(kind: str, outputs: set[str], entries: set[str]) -> None:
    found, narrowing = _targets(tiny(kind))
    assert {n.rpartition(".")[2] for n in found} == outputs
    assert {".".join(n.split(".")[-2:]) for n in narrowing} == entries
    assert not any("attention" in n for n in narrowing)


@pytest.mark.parametrize("kind", ["bert", "vit", "mobilenet_v2", "convnext", "minilm"])
def test_merged_equals_unmerged_on_real_architectures(kind: str) -> None:
    body = tiny(kind)
    model, given, names = model_of(body), inputs(body), list(body.net.state_dict())
    with torch.no_grad():
        plain = model(given)
        IA3().attach(model)
        torch.testing.assert_close(model(given), plain)
        shake(body.net)
        moved = model(given)
        IA3().merge(model)
        torch.testing.assert_close(model(given), moved, atol=1e-4, rtol=1e-4)
        assert float((moved - plain).abs().max()) > 1e-4 and list(body.net.state_dict()) == names


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT asks transformers
def test_peft_gives_the_same_and_reads_the_files(tmp_path) -> None:
    body = tiny("bert")
    model, ids = model_of(body), torch.arange(12).reshape(2, 6)
    IA3().attach(model)
    shake(body.net)
    adapted = body.net(ids).last_hidden_state
    for name, data in IA3().export(model, "somewhere/bert").items():
        (tmp_path / name).write_bytes(data)
    loaded = PeftModel.from_pretrained(tiny("bert").net, tmp_path).eval()
    assert torch.equal(loaded(ids).last_hidden_state, adapted)
    config = IA3Config(target_modules=["key", "value", r"output.dense"], feedforward_modules=["output.dense"])
    usual = get_peft_model(tiny("bert").net, config)  # PEFT's own choice for BERT also takes attention.output.dense
    ours = {n for n, _ in loaded.named_parameters() if "ia3_l" in n}
    theirs = {n for n, _ in usual.named_parameters() if "ia3_l" in n}
    assert ours < theirs and all("attention.output.dense" in n for n in theirs - ours)


def test_files_are_the_same_bytes_each_time_and_the_head_stays() -> None:
    written = []
    for _ in range(2):
        model = toy_model("text")
        head = weights_hash(model.head)
        IA3().attach(model)
        written.append(IA3().export(model, "toy:"))
        assert weights_hash(model.head) == head
    assert written[0] == written[1]


def test_a_body_without_layers_to_multiply_is_refused() -> None:
    model = torch.nn.Module()
    model.body = torch.nn.Module()
    model.body.net, model.body.address, model.body.blocks = torch.nn.Identity(), "tiny:none", []
    with pytest.raises(UsageError, match="ia3: the blocks of tiny:none have no linear map"):
        IA3().attach(model)
