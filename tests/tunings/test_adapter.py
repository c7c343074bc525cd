"""Adapters by hand, their size, and what they leave alone."""

from __future__ import annotations

import pytest
import torch
from bodies import inputs, model_of, shake, tiny

from landbridge.core.model import Model, weights_hash
from landbridge.testing import check_tuning, toy_batch, toy_model
from landbridge.testing.training import train
from landbridge.tunings.adapter import Adapter
from landbridge.tunings.flow import flow_of


def by_hand(model: Model, given: dict[str, torch.Tensor], lowest: int) -> torch.Tensor:
    """Block after block, h + up(gelu(down(h))) after each from depth `lowest` on."""
    body, weights = model.body, model.body.inserts[0].state_dict()
    h, mask = body.embed(given)
    for i, block in enumerate(body.blocks, 1):
        h, mask = block(h, mask)
        if i >= lowest:
            down, b1, up, b2 = (
                weights[f"layers.{i - lowest}.{n}"] for n in ("down.weight", "down.bias", "up.weight", "up.bias")
            )
            h = h + torch.nn.functional.gelu(h @ down.T + b1) @ up.T + b2
    return model.head(body.pool(h, mask))


@pytest.mark.parametrize("kind", ["bert", "vit", "mobilenet_v2", "convnext", "minilm"])
@pytest.mark.parametrize("where", ["all", "upper"])
def test_the_output_is_the_formulas(kind: str, where: str) -> None:
    body = tiny(kind)
    given, model, net = inputs(body), model_of(body), weights_hash(body.net)
    with torch.no_grad():
        plain = model(given)
        handle = Adapter(where=where).attach(model)
        assert torch.equal(model(given), plain)  # zero at the start
        shake(body.inserts[0], 0.05)
        adapted = model(given)
        torch.testing.assert_close(adapted, by_hand(model, given, handle.first_moving), atol=1e-5, rtol=1e-4)
        assert float((adapted - plain).abs().max()) > 1e-3
        assert torch.equal(Model(body.for_inference(), model.head)(given), adapted) or kind == "mobilenet_v2"
    assert handle.first_moving == (1 if where == "all" else (len(body.blocks) + 1) // 2)
    assert weights_hash(body.net) == net


def test_on_a_grid_it_is_a_1x1_convolution() -> None:
    model = toy_model("image")
    Adapter().attach(model)
    shake(model.body.inserts[0])
    layer, tokens = model.body.inserts[0].layers[0], torch.randn(2, 20, 16)
    grid = tokens.unflatten(1, (4, 5)).permute(0, 3, 1, 2)
    narrow = torch.nn.functional.conv2d(grid, layer.down.weight[:, :, None, None], layer.down.bias)
    added = torch.nn.functional.conv2d(
        torch.nn.functional.gelu(narrow), layer.up.weight[:, :, None, None], layer.up.bias
    )
    torch.testing.assert_close(layer(tokens), added.permute(0, 2, 3, 1).flatten(1, 2))


@pytest.mark.parametrize("kind", ["bert", "mobilenet_v2"])
def test_its_parameters_are_two_maps_and_two_biases_a_depth(kind: str) -> None:
    body = tiny(kind)
    Adapter(reduction=4).attach(model_of(body))
    widths = flow_of(body, "test").widths[1:]
    assert sum(p.numel() for p in body.inserts.parameters()) == sum(2 * w * (w // 4) + w // 4 + w for w in widths)


def test_from_the_store_it_trains_to_what_it_would_from_inputs() -> None:
    outputs = []
    for stored in (False, True):
        model = toy_model("text")
        handle, batch = Adapter(where="upper").attach(model), toy_batch(model.body)
        if stored:
            with torch.no_grad():
                tokens, mask = model.tokens_at(handle.first_moving, batch.inputs)
            batch = type(batch)(index=batch.index, target=batch.target, tokens=tokens, mask=mask, depth=2)
        train(model, handle, batch)
        outputs.append(model.output(toy_batch(model.body)))
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-4)


def test_dropout_of_the_bottleneck_trains_and_the_bodys_does_not() -> None:
    model = toy_model("text")
    handle = Adapter(dropout=0.5).attach(model)
    handle.train_mode(model)
    on = [n for n, m in model.body.named_modules() if m.training and isinstance(m, torch.nn.Dropout)]
    assert on and all(n.startswith("inserts.0.") for n in on)


def test_variants_keep_the_contract() -> None:
    check_tuning(Adapter(reduction=2, dropout=0.2, where="upper"))


def test_two_adapters_stand_on_each_other_and_the_first_is_frozen() -> None:
    model = toy_model("text")
    batch = toy_batch(model.body)
    train(model, Adapter().attach(model), batch)
    before, first = model.output(batch), weights_hash(model.body.inserts[0])
    handle = Adapter(reduction=2).attach(model)
    assert torch.equal(model.eval().output(batch), before)
    train(model, handle, batch)
    assert weights_hash(model.body.inserts[0]) == first and not torch.equal(model.output(batch), before)
