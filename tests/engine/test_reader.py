"""The fast copy is taken only where features stay what they are; devices and precision are picked."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from landbridge.core.errors import ResourceError, UsageError
from landbridge.core.model import Model
from landbridge.engine import reader
from landbridge.engine.precision import Precision, pick_device, pick_precision
from landbridge.engine.reader import alike, cast, fast_copy
from landbridge.sources.scratch import convnet
from landbridge.testing import toy_batch, toy_body

CPU = torch.device("cpu")


def inputs_of(body, rows: int = 12) -> dict[str, torch.Tensor]:
    """Real inputs of a body."""
    return toy_batch(body, rows).inputs


def test_folding_keeps_the_numbers_and_leaves_the_original_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "bfloat16_gain", lambda device: 1.0)
    body = convnet().eval()
    for module in body.net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    before = {n: t.clone() for n, t in body.net.state_dict().items()}
    inputs = inputs_of(body)
    fast, dtype = fast_copy(body, inputs, CPU)
    assert dtype is torch.float32 and fast is not body
    assert sum(isinstance(m, nn.BatchNorm2d) for m in fast.net.modules()) < sum(
        isinstance(m, nn.BatchNorm2d) for m in body.net.modules()
    )
    with torch.no_grad():
        one, two = (Model(b, nn.Identity()).features(cast(inputs, dtype)) for b in (body, fast))
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)
    assert all(torch.equal(t, before[n]) for n, t in body.net.state_dict().items())


@pytest.mark.parametrize(("gain", "scale", "dtype"), [(2.0, 0.0, torch.bfloat16), (1.1, 0.0, torch.float32),
                                                      (2.0, 3000.0, torch.float32)])  # fmt: skip
def test_bfloat16_is_taken_where_it_gains_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, gain: float, scale: float, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(reader, "bfloat16_gain", lambda device: gain)
    body = toy_body("text")
    with torch.no_grad():  # a great common shift eats the few digits of bfloat16 that tell examples apart
        body.net.last_norm.bias.add_(scale)
    assert fast_copy(body, inputs_of(body), CPU)[1] is dtype


def test_a_body_that_cannot_compute_in_bfloat16_is_read_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "bfloat16_gain", lambda device: 2.0)
    body = toy_body("text")
    kind = type(body)

    class Stubborn(kind):
        """Multiplies by a float32 matrix of its own."""

        def pool(self, tokens, mask):
            """Features through a constant."""
            return super().pool(tokens, mask) @ torch.eye(self.width)

    body.__class__ = Stubborn
    assert fast_copy(body, inputs_of(body), CPU)[1] is torch.float32


def test_a_faster_copy_with_other_numbers_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "bfloat16_gain", lambda device: 1.0)
    body = toy_body("text")
    wrong = copy.deepcopy(body)
    wrong.net.words.weight.data.normal_()
    body.for_inference = lambda: wrong
    inputs = inputs_of(body)
    fast, _ = fast_copy(body, inputs, CPU)
    assert torch.equal(fast.net.words.weight, body.net.words.weight)


def test_alike_looks_at_what_tells_examples_apart() -> None:
    reference = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    assert alike(reference + 100, reference + 100, 0.999)
    assert not alike(reference + 100, reference[torch.arange(7, -1, -1)] + 100, 0.9)
    assert not alike(reference, torch.full_like(reference, float("nan")), 0.9)


def test_inputs_are_cast_but_word_numbers_stay() -> None:
    made = cast({"pixels": torch.rand(2, 3, 4, 4), "ids": torch.arange(3)}, torch.bfloat16)
    assert made["pixels"].dtype is torch.bfloat16 and made["ids"].dtype is torch.int64
    assert made["pixels"].is_contiguous(memory_format=torch.channels_last)


def test_devices_are_picked_and_absent_ones_refused() -> None:
    assert pick_device("cpu") == CPU
    with pytest.raises(UsageError, match="one of auto, cpu, cuda, mps, got 'tpu'"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ResourceError, match="device cuda is not available"):
            pick_device("cuda")
    assert pick_precision(CPU).dtype in (torch.float32, torch.bfloat16)


def test_autocast_is_on_only_in_bfloat16() -> None:
    left = torch.ones(2, 2)
    for dtype in (torch.float32, torch.bfloat16):
        with Precision(device=CPU, dtype=dtype).autocast():
            assert (left @ left).dtype is dtype
