"""Texts of unlike length in one batch: read in pieces of like length, to the same features and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from landbridge.core.batch import Batch
from landbridge.core.model import LIKE, Model
from landbridge.engine.predictor import open_source


@pytest.fixture
def model(encoder: str) -> Model:
    """A small text encoder of transformers with one number as its head."""
    body = open_source(encoder, modality="text")
    return Model(body, nn.Linear(body.width, 1)).eval()


def texts(model: Model, lengths: list[int]) -> dict[str, torch.Tensor]:
    """Collated texts of so many words."""
    prepare = model.body.prepare
    return prepare.collate([prepare(" ".join(["word", "other", "third"][i % 3] for i in range(n))) for n in lengths])


@pytest.mark.parametrize(
    ("lengths", "passes"),
    [([60] + [3 + i % 5 for i in range(24)], 4), ([20] * 25, 1), ([60] + [3] * (LIKE - 1), 1), ([60, 1], 1)],
)
def test_features_and_gradients_are_those_of_the_padded_batch(
    model: Model, lengths: list[int], passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, sizes, real = texts(model, lengths), list[tuple[int, int]](), Model.features_from

    def counted(self: Model, k: int, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        sizes.append((len(tokens), tokens.shape[1]))
        return real(self, k, tokens, mask)

    monkeypatch.setattr(Model, "features_from", counted)
    weight = torch.randn(len(lengths), 1, generator=torch.Generator().manual_seed(0))
    found: list[torch.Tensor] = []
    batch = Batch(index=torch.arange(len(lengths)), inputs=inputs)
    for way in (lambda: model.head(model.features(inputs)), lambda: model.output(batch)):
        model.zero_grad()
        output = way()
        (output * weight).sum().backward()
        found += [output.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])]
    assert len(sizes) - 1 == passes and sum(n for n, _ in sizes[1:]) == len(lengths)
    assert torch.allclose(found[0], found[2], atol=1e-5) and torch.allclose(found[1], found[3], atol=1e-4)
    longest = int(inputs["attention_mask"].sum(1).max())
    assert passes == 1 or max(size for _, size in sizes[2:]) < longest  # the short ones are not padded to the longest


def test_stored_tokens_are_read_alike_and_padding_on_the_left_is_left_alone(model: Model) -> None:
    inputs = texts(model, [60] + [4] * 24)
    tokens, mask = model.tokens_at(1, inputs)
    stored = Batch(index=torch.arange(25), tokens=tokens, mask=mask, depth=1)
    assert torch.allclose(model.pooled(stored), model.features(inputs), atol=1e-5)
    turned = Batch(index=torch.arange(25), tokens=tokens.flip(1), mask=mask.flip(1), depth=1)
    assert torch.allclose(model.pooled(turned), model.features_from(1, tokens.flip(1), mask.flip(1)), atol=1e-6)


def test_what_is_only_read_takes_the_fused_kernel_and_comes_to_the_same(model: Model) -> None:
    inputs, config = texts(model, [60, 30, 4]), model.body.net.config
    with torch.inference_mode():
        read = model.features(inputs)
    assert config._attn_implementation == "sdpa"
    trained = model.features(inputs)
    assert config._attn_implementation == "eager" and torch.allclose(read, trained, atol=1e-5)
