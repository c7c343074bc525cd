"""Prompts and prefixes by hand: where the tokens go, what sees them, and which bodies take none."""

from __future__ import annotations

import pytest
import torch
from bodies import GRIDS, SEQUENCES, inputs, model_of, shake, tiny

from landbridge.core.errors import UsageError
from landbridge.core.model import Model, mean_pool, weights_hash
from landbridge.nn.heads import Head
from landbridge.testing import check_tuning, toy_batch, toy_model
from landbridge.tunings.adapter import Adapter
from landbridge.tunings.ladder import Ladder
from landbridge.tunings.prefix import Prefix
from landbridge.tunings.prompt import Prompt


def by_hand(model: Model, given: dict[str, torch.Tensor], tokens_KPD: torch.Tensor, lowest: int) -> torch.Tensor:
    """The prompt of each depth before the real tokens of that depth; pooling over the real ones alone."""
    body, (depths, length, _) = model.body, tokens_KPD.shape
    h, mask = body.embed(given)
    many = torch.cat([torch.ones(len(mask), length, dtype=mask.dtype), mask], 1)
    learnt = None
    for i, block in enumerate(body.blocks):
        if i < lowest:
            h, mask = block(h, mask)
            continue
        if i < lowest + depths:
            learnt = tokens_KPD[i - lowest].expand(len(h), -1, -1)
        out, _ = block(torch.cat([learnt, h], 1), many)
        learnt, h = out[:, :length], out[:, length:]
    return model.head(body.pool(h, mask))


@pytest.mark.parametrize("kind", [*SEQUENCES, "minilm"])
@pytest.mark.parametrize("tuning", [Prompt(length=3), Prefix(length=2), Prefix(length=2, where="upper")], ids=str)
def test_the_output_is_the_formulas(kind: str, tuning: Prompt | Prefix) -> None:
    body = tiny(kind)
    given, model, net = inputs(body), model_of(body), weights_hash(body.net)
    handle = tuning.attach(model)
    shake(body.inserts[0])
    with torch.no_grad():
        wanted = by_hand(model, given, body.inserts[0].tokens, handle.first_moving)
        torch.testing.assert_close(model(given), wanted, atol=1e-5, rtol=1e-4)
        for k in range(len(body.blocks) + 1):
            torch.testing.assert_close(model.forward_from(k, *model.tokens_at(k, given)), model(given))
    assert weights_hash(body.net) == net
    blocks = len(body.blocks)
    depths = 1 if isinstance(tuning, Prompt) else blocks - handle.first_moving
    assert handle.first_moving == (blocks + 1) // 2 * (getattr(tuning, "where", "all") == "upper")
    width = body.embed(given)[0].shape[-1]
    assert sum(p.numel() for p in body.inserts.parameters()) == depths * tuning.length * width


@pytest.mark.parametrize("tuning", [Prompt(), Prefix()], ids=str)
def test_padding_says_nothing(tuning: Prompt | Prefix) -> None:
    body = tiny("bert")
    given, model = inputs(body), model_of(body)
    tuning.attach(model)
    shake(body.inserts[0])
    with torch.no_grad():
        together = model(given)
        for row in range(3):
            length = int(given["attention_mask"][row].sum())
            alone = model({k: v[row : row + 1, :length] for k, v in given.items()})
            torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("tuning", [Prompt(length=4), Prefix(length=4, where="upper")], ids=str)
def test_a_tap_sees_the_real_tokens_alone(tuning: Prompt | Prefix) -> None:
    body = tiny("bert")
    given, model = inputs(body), Model(body, Head(48, 2), taps=(1, 2)).eval()
    tuning.attach(model)
    with torch.no_grad():
        features = model.features(given)
        for place, k in enumerate((1, 2)):
            tokens, _ = model.tokens_at(k, given)
            extra = tokens.shape[1] - 7
            assert extra == (4 if k > body.inserts[0].lowest else 0)
            wanted = mean_pool(tokens[:, extra:], given["attention_mask"])
            torch.testing.assert_close(features[:, 16 * place : 16 * (place + 1)], wanted)


@pytest.mark.parametrize("kind", [*GRIDS, "toy"])
@pytest.mark.parametrize("tuning", [Prompt(), Prefix()], ids=str)
def test_a_grid_is_refused_in_one_line(kind: str, tuning: Prompt | Prefix) -> None:
    model = toy_model("image") if kind == "toy" else model_of(tiny(kind))
    name = type(tuning).__name__.lower()
    with pytest.raises(UsageError, match=rf"^{name}: t\w+:\w+ has grids of positions, no token sequence; use adapter"):
        tuning.attach(model)
    assert not len(model.body.inserts) and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("earlier", [Prompt(), Prefix(), Ladder()], ids=str)
def test_what_cannot_follow_is_refused(earlier: Prompt | Prefix | Ladder) -> None:
    model = toy_model("text")
    earlier.attach(model)
    with pytest.raises(UsageError, match=f"prompt: cannot follow {earlier.part_name}, which already stays"):
        Prompt().attach(model)


def test_an_adapter_may_stand_before_and_a_ladder_after() -> None:
    model = toy_model("text")
    batch = toy_batch(model.body)
    for tuning in (Adapter(), Prompt(), Ladder()):
        tuning.attach(model)
        shake(model.body.inserts[-1])
    with torch.no_grad():
        alone = model.eval().output(batch)
        assert alone.shape == (32, 2) and bool(torch.isfinite(alone).all())


@pytest.mark.parametrize("tuning", [Prompt(length=1, dropout=0.5), Prefix(length=3, where="upper")], ids=str)
def test_variants_keep_the_contract(tuning: Prompt | Prefix) -> None:
    check_tuning(tuning)
