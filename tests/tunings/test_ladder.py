"""The ladder by hand: gates, layers and the way back; and no gradient in the body."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from bodies import inputs, model_of, shake, tiny
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, gelu, layer_norm

from landbridge.core.batch import Batch
from landbridge.core.errors import UsageError
from landbridge.core.model import Model, weights_hash
from landbridge.nn.side import Attention, SideLayer, resized
from landbridge.testing import check_tuning, toy_batch, toy_model
from landbridge.tunings.ladder import Ladder


def by_hand(model: Model, given: dict[str, Tensor], lowest: int) -> Tensor:
    """s <- mu W h + (1 - mu) layer(s) at each depth; h + up(norm(s)) at the end."""
    body, side = model.body, model.body.inserts[0]
    h, mask = body.embed(given)
    s, before = torch.zeros(()), mask
    for k in range(len(body.blocks) + 1):
        if k >= lowest:
            read = h @ side.down[k - lowest].weight.T + side.down[k - lowest].bias
            if k == lowest:
                s = read
            else:
                s = side.layers[k - lowest - 1](s, before)
                if mask.dim() == 3:
                    grid = s.unflatten(1, before.shape[1:]).permute(0, 3, 1, 2)
                    s = adaptive_avg_pool2d(grid, mask.shape[1:]).permute(0, 2, 3, 1).flatten(1, 2)
                mu = 1 / (1 + torch.exp(-side.gates[k - lowest - 1]))
                s = mu * read + (1 - mu) * s
            before = mask
        if k < len(body.blocks):
            h, mask = body.blocks[k](h, mask)
    s = layer_norm(s, s.shape[-1:], side.norm.weight, side.norm.bias)
    return model.head(body.pool(h + s @ side.up.weight.T + side.up.bias, mask))


@pytest.mark.parametrize("kind", ["bert", "vit", "mobilenet_v2", "convnext", "minilm"])
@pytest.mark.parametrize("where", ["all", "upper"])
def test_the_output_is_the_formulas(kind: str, where: str) -> None:
    body = tiny(kind)
    given, model = inputs(body), model_of(body)
    with torch.no_grad():
        plain = model(given)
        handle = Ladder(reduction=4, where=where).attach(model)
        assert torch.equal(model(given), plain)
        shake(body.inserts[0])
        torch.testing.assert_close(model(given), by_hand(model, given, handle.first_moving), atol=1e-4, rtol=1e-4)
        assert float((model(given) - plain).abs().max()) > 1e-3
    assert handle.first_moving == (0 if where == "all" else (len(body.blocks) + 1) // 2)


@pytest.mark.parametrize("reads", ["text", "image"])
def test_no_gradient_enters_the_body(reads: str) -> None:
    model = toy_model(reads)
    handle, batch, seen = Ladder().attach(model), toy_batch(model.body), []
    before = weights_hash(model.body.net)
    for block in model.body.blocks:
        block.module.register_forward_hook(lambda module, args, out: seen.append((args[0], out)))
    handle.train_mode(model)
    model.output(batch).square().sum().backward()
    assert len(seen) == 3 and not any(t.requires_grad for pair in seen for t in pair)
    assert all(p.grad is not None for p in model.head.parameters() if p.requires_grad)
    assert all(p.grad is None for p in model.body.net.parameters()) and weights_hash(model.body.net) == before


@pytest.mark.parametrize("kind", ["bert", "vit", "mobilenet_v2"])
@pytest.mark.parametrize("where", ["all", "upper"])
def test_stored_tokens_of_all_depths_spare_the_body(kind: str, where: str) -> None:
    body = tiny(kind)
    given, model = inputs(body), model_of(body)
    with torch.no_grad():
        layers = model.tokens_from(lowest := 0 if where == "all" else (len(body.blocks) + 1) // 2, given)
        handle = Ladder(reduction=4, where=where).attach(model)
        assert handle.listens and handle.first_moving == lowest
        shake(body.inserts[0])
        wanted = model(given)
        ran: list[int] = []
        for block in body.blocks:
            block.module.register_forward_hook(lambda module, args, out: ran.append(1))
        (tokens, mask), *above = layers
        index = torch.arange(len(tokens))
        batch = Batch(index=index, tokens=tokens, mask=mask, depth=lowest, above=tuple(above))
        torch.testing.assert_close(model.output(batch), wanted, atol=1e-5, rtol=1e-5)
        assert not ran
        with pytest.raises(ValueError, match="read below block"):
            model.features_along(lowest + 1, above)


def test_it_cannot_be_joined_half_way_up() -> None:
    model = toy_model("text")
    handle, batch = Ladder(where="upper").attach(model), toy_batch(model.body)
    assert model.latest_start == handle.first_moving == 2
    shake(model.body.inserts[0])
    with torch.no_grad():
        tokens, mask = model.tokens_at(2, batch.inputs)
        torch.testing.assert_close(model.forward_from(2, tokens, mask), model.output(batch))
        with pytest.raises(ValueError, match="read below block 3; start from block 2"):
            model.forward_from(3, tokens, mask)


def test_a_side_layer_is_attention_and_a_perceptron() -> None:
    torch.manual_seed(0)
    layer, tokens = SideLayer(64, grid=False), torch.randn(2, 5, 64)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    mix = layer.mix
    assert isinstance(mix, Attention) and mix.heads == 2
    q, k, v = layer.mix.inward(layer.first_norm(tokens)).chunk(3, -1)
    heads = []
    for part in (slice(0, 32), slice(32, 64)):
        scores = q[..., part] @ k[..., part].transpose(1, 2) / 32**0.5
        heads.append(scores.masked_fill(mask[:, None] == 0, float("-inf")).softmax(-1) @ v[..., part])
    wanted = tokens + mix.outward(torch.cat(heads, -1))
    wanted = wanted + layer.down(gelu(layer.up(layer.second_norm(wanted))))
    torch.testing.assert_close(layer(tokens, mask), wanted, atol=1e-5, rtol=1e-4)


def test_a_sequence_that_changes_its_length_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be carried over"):
        resized(torch.zeros(1, 4, 2), torch.Size([4]), torch.Size([3]))


class Turning:
    """A block that reads a grid and gives a sequence, as the last layers of hybrid nets do."""

    def __init__(self) -> None:
        self.module = torch.nn.Conv2d(3, 3, 1)

    def __call__(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return tokens, mask.flatten(1)


def test_a_body_that_turns_a_grid_into_a_sequence_is_refused() -> None:
    block = Turning()
    with pytest.raises(UsageError, match="ladder: tiny:hybrid turns a grid into a sequence"):
        Ladder().insert(SimpleNamespace(blocks=[block], net=block.module, address="tiny:hybrid"))


def test_its_parameters_are_few_and_variants_keep_the_contract() -> None:
    model = toy_model("text")
    Ladder(reduction=4).attach(model)
    width, narrow = 16, 4
    layer = 4 * narrow * narrow + 4 * narrow + 4 * narrow + 2 * narrow * 4 * narrow + 4 * narrow + narrow
    wanted = 4 * (width * narrow + narrow) + 3 * layer + 3 + 2 * narrow + narrow * width + width
    assert sum(p.numel() for p in model.body.inserts.parameters()) == wanted
    check_tuning(Ladder(reduction=2, where="upper"))
