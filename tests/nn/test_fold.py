"""Folded networks compute the same function and leave the original alone."""

from __future__ import annotations

import pytest
import torch
import transformers as hf
from torch import nn

from landbridge.core.model import Model, weights_hash
from landbridge.core.registry import find
from landbridge.nn.convnet import ConvNet
from landbridge.nn.fold import folded

torch.set_num_threads(1)

CONFIGS = {
    "mobilenet_v1": lambda: hf.MobileNetV1Config(depth_multiplier=0.25, tf_padding=True),
    "mobilenet_v2": lambda: hf.MobileNetV2Config(depth_multiplier=0.35, tf_padding=True),
    "mobilenet_v2 dilated": lambda: hf.MobileNetV2Config(depth_multiplier=0.35, tf_padding=True, output_stride=8),
    "mobilenet_v2 torch padding": lambda: hf.MobileNetV2Config(depth_multiplier=0.35, tf_padding=False),
    "resnet": lambda: hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], layer_type="basic"),
}


def unsettle(net: nn.Module) -> nn.Module:
    """Statistics and scales of batch norms unlike those of a new network."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low in ((module.running_mean, -0.2), (module.running_var, 0.5)):
                value.copy_(low + torch.rand(value.shape, generator=generator))
            with torch.no_grad():
                module.weight.copy_(0.5 + torch.rand(module.weight.shape, generator=generator))
                module.bias.copy_(torch.rand(module.bias.shape, generator=generator) - 0.5)
    return net.eval()


@pytest.mark.parametrize("size", [64, 45])
@pytest.mark.parametrize("kind", CONFIGS)
def test_hidden_states_stay_and_no_batch_norm_is_left(kind, size):
    net = unsettle(hf.AutoModel.from_config(CONFIGS[kind]()))
    before = weights_hash(net)
    fast = folded(net)
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted, got = net(pixels).last_hidden_state, fast(pixels).last_hidden_state
    torch.testing.assert_close(got, wanted, atol=1e-4 * wanted.abs().max().item(), rtol=1e-4)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules())
    assert weights_hash(net) == before and any(p.requires_grad for p in net.parameters())


def test_our_own_network_keeps_only_the_norms_that_have_no_named_convolution():
    net = unsettle(ConvNet())
    fast = folded(net)
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(fast(pixels), net(pixels), atol=1e-4, rtol=1e-4)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in fast.modules()) == 4  # the stem and three shortcuts


def test_a_body_gives_a_faster_body_and_stays_as_it_is():
    body = find("sources", "scratch")().open("convnet")
    unsettle(body.net)
    small = find("bridges", "native")(size=48).connect(body, {})
    before = weights_hash(body.net)
    fast = small.for_inference()
    assert fast.prepare == small.prepare and fast.net is not body.net and fast.address == body.address
    inputs = {"pixels": torch.randn(2, 3, 48, 48)}
    slow_model, fast_model = (Model(b, nn.Identity()).eval() for b in (small, fast))
    with torch.inference_mode():
        torch.testing.assert_close(fast_model.features(inputs), slow_model.features(inputs), atol=1e-4, rtol=1e-4)
        tokens = fast_model.tokens_at(2, inputs)
        torch.testing.assert_close(
            slow_model.forward_from(2, *tokens), slow_model.features(inputs), atol=1e-4, rtol=1e-4
        )
    assert weights_hash(body.net) == before
    text = find("sources", "embedded")().open("minilm", weights=False)
    assert text.for_inference() is text
