"""Objectives that hide parts of inputs against loops written out, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from landbridge.core.batch import Batch
from landbridge.core.errors import UsageError
from landbridge.core.model import Body, Model
from landbridge.core.registry import find
from landbridge.nn.heads import Head
from landbridge.nn.hiding import chosen, hide_words, on_tokens, over_pixels, spans
from landbridge.nn.vocabulary import Vocabulary, word_table
from landbridge.objectives.latent import Latent
from landbridge.objectives.masked import Masked
from landbridge.objectives.masked_features import MaskedFeatures, cells_of
from landbridge.objectives.masked_language import MaskedLanguage
from landbridge.testing import toy_batch, toy_domain, toy_model


def begun(objective, reads: str):
    model, domain = toy_model(reads), toy_domain(reads)
    return model, objective.begin(model, domain, domain.folds[0].pairs[0].train, {}), toy_batch(model.body, rows=6)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def value(objective, model, state, batch) -> float:
    return float(sum(objective.loss(model, state, batch, seeded()).values()).detach())


@pytest.mark.parametrize("normalise", [True, False])
def test_masked_is_the_squared_error_of_hidden_pixels_cell_by_cell(normalise: bool) -> None:
    objective = Masked(share=0.5, normalise=normalise)
    model, state, batch = begun(objective, "image")
    pixels = batch.inputs["pixels"]
    assert state.grid == (8, 8) and state.cells == (8, 8) and state.edge == 2  # 16 pixels, one stride of 2
    hidden = chosen(torch.ones(6, 64, dtype=torch.bool), 0.5, seeded()).view(6, 8, 8)
    seen = pixels.clone()
    for b, i, j in hidden.nonzero().tolist():
        seen[b, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = state.filling.detach()
    with torch.no_grad():
        tokens = model.layers({"pixels": seen})[-1][0]
        drawn = state.draw(tokens).view(6, 8, 8, 3, 2, 2)
    errors = []
    for b, i, j in hidden.nonzero().tolist():
        cell = pixels[b, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        wanted = (cell - cell.mean()) / (cell.var() + 1e-6).sqrt() if normalise else cell
        errors.append(float((drawn[b, i, j] - wanted).square().mean()))
    assert value(objective, model, state, batch) == pytest.approx(np.mean(errors), rel=1e-4)


class _Strided(Body):
    """A body whose last grid is 2 x 2 over pictures of 20 pixels, which it does not divide evenly into cells of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.address, self.reads, self.width, self.blocks = "toy:strided", "image", 4, ()
        self.net = nn.Conv2d(3, 4, 11, stride=9)
        self.embedder, self.prepare = (self.net,), toy_model("image").body.prepare

    def embed(self, inputs):
        grid = self.net(inputs["pixels"])
        return grid.flatten(2).transpose(1, 2), torch.ones(len(grid), *grid.shape[2:])

    def pool(self, tokens, mask):
        return tokens.mean(1)

    def files(self):
        return {}

    def reset(self, generator):
        return None


def test_masked_hides_finer_than_a_coarse_grid_and_takes_any_size() -> None:
    model = Model(_Strided(), Head(4, 1))
    model.body.prepare = type(model.body.prepare)(size=20, resize=20, crop="squash")
    objective = Masked()
    state = objective.begin(model, toy_domain("image"), np.arange(3), {})
    assert state.grid == (2, 2) and state.cells == (4, 4) and state.edge == 10
    batch = Batch(index=torch.arange(3), inputs={"pixels": torch.randn(3, 3, 20, 20, generator=seeded())})
    assert math.isfinite(value(objective, model, state, batch))


def test_masked_language_is_the_cross_entropy_of_chosen_words_by_the_body_s_own_table() -> None:
    objective = MaskedLanguage(share=0.4)
    model, state, batch = begun(objective, "text")
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    generator = seeded()
    hidden = chosen(mask.bool(), 0.4, generator)
    seen = hide_words(batch.inputs, hidden, Vocabulary(), 64, generator)
    table = word_table(model.body).weight
    length = table.square().sum(1).mean().sqrt()
    losses = []
    with torch.no_grad():
        tokens = model.layers(seen)[-1][0]
        for b, t in hidden.nonzero().tolist():
            row = state.decoder.norm(nn.functional.gelu(state.decoder.map(tokens[b, t]))) / length
            scores = [float(row @ table[w] + state.decoder.bias[w]) for w in range(64)]
            losses.append(-scores[int(ids[b, t])] + math.log(sum(map(math.exp, scores))))
    assert value(objective, model, state, batch) == pytest.approx(np.mean(losses), rel=1e-4)


def test_80_of_100_words_are_masked_10_are_random_and_10_stay() -> None:
    ids = torch.randint(5, 1000, (50, 400), generator=seeded())
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    everywhere = torch.ones_like(ids, dtype=torch.bool)
    seen = hide_words(inputs, everywhere, Vocabulary(mask=4, special=(0, 4)), 1000, seeded())["input_ids"]
    assert (seen == 4).float().mean() == pytest.approx(0.8, abs=0.01)
    assert (seen == ids).float().mean() == pytest.approx(0.1, abs=0.01)
    whole = hide_words(inputs, everywhere, Vocabulary(mask=4), 1000, seeded(), whole=True)["input_ids"]
    assert bool((whole == 4).all())
    none = hide_words(inputs, everywhere & False, Vocabulary(mask=4), 1000, seeded())["input_ids"]
    assert torch.equal(none, ids)


def test_special_words_and_padding_are_never_chosen_and_every_text_has_one() -> None:
    inputs = {
        "input_ids": torch.tensor([[1, 7, 8, 2], [1, 9, 2, 0]]),
        "attention_mask": torch.tensor([[1] * 4, [1, 1, 1, 0]]),
    }
    allowed = Vocabulary(mask=3, special=(0, 1, 2, 3)).ordinary(inputs)
    assert allowed.tolist() == [[False, True, True, False], [False, True, False, False]]
    for seed in range(5):
        hidden = chosen(allowed, 0.15, torch.Generator().manual_seed(seed))
        assert hidden.sum(1).tolist() == [1, 1] and not bool((hidden & ~allowed).any())


def test_masked_features_hides_whole_cells_by_the_words_that_an_empty_cell_changes() -> None:
    model, state, batch = begun(MaskedFeatures(), "table")
    row = {"size": 1.25, "colour": "dark blue"}
    sentence = model.body.prepare.sentence(row)  # size is medium (1.25); colour is dark blue
    numbers = cells_of(row, model.body.prepare).tolist()
    words = sentence.split()
    size = sentence.removeprefix("size is ").split(" colour")[0].split()
    assert [w for w, n in zip(words, numbers, strict=True) if n == 0] == size and size[-1] == "(1.25);"
    assert [w for w, n in zip(words, numbers, strict=True) if n == 1] == ["dark", "blue"]
    gap = cells_of({"size": None, "colour": "red"}, model.body.prepare)
    assert set(gap.tolist()) == {-1, 0}
    assert math.isfinite(value(MaskedFeatures(), model, state, batch))
    cells = state.cells(batch.index, batch.inputs["input_ids"].shape[1])
    assert cells.shape == batch.inputs["input_ids"].shape and int(cells.max()) == 1


@pytest.mark.parametrize("reads", ["text", "image"])
def test_latent_is_the_smooth_distance_to_the_teacher_s_mean_layer(reads: str) -> None:
    objective = Latent(share=0.5, layers=2, beta=0.7, momentum=0.9)
    model, state, batch = begun(objective, reads)
    with torch.no_grad():
        layers = model.layers(batch.inputs)  # the teacher begins as a copy
        last, mask = layers[-1]
        alike = [t for t, _ in layers[1:] if t.shape == last.shape][-2:]
        wanted = torch.stack([(t - t.mean(-1, keepdim=True)) / (t.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
                              for t in alike]).mean(0)  # fmt: skip
        seen, hidden = objective._hide(model, batch.inputs, last, mask, seeded())
        told = state.tell(model.layers(seen)[-1][0])
    errors = []
    for b, t in on_tokens(hidden, last, mask).nonzero().tolist():
        for gap in (told[b, t] - wanted[b, t]).tolist():
            errors.append(0.5 * gap**2 / 0.7 if abs(gap) < 0.7 else abs(gap) - 0.35)
    assert value(objective, model, state, batch) == pytest.approx(np.mean(errors), rel=1e-4)

    before = [p.clone() for p in state.teacher.parameters()]
    with torch.no_grad():
        for p in model.body.parameters():
            p.add_(1.0)
    objective.after_step(model, state, 0.0)
    for old, new in zip(before, state.teacher.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)


def test_spans_cover_about_the_share_in_stretches() -> None:
    hidden = spans(200, 100, 0.5, 10, seeded())
    assert 0.3 < float(hidden.float().mean()) < 0.5  # overlaps cost some
    runs = [len(r) for row in hidden.int().tolist() for r in "".join(map(str, row)).split("0") if r]
    assert min(runs) >= 10
    assert spans(3, 4, 0.5, 10, seeded()).all()


def test_hidden_cells_find_their_pixels_and_their_tokens_behind_special_ones() -> None:
    hidden = torch.tensor([[[1, 0], [0, 1]]], dtype=torch.bool)
    assert over_pixels(hidden, 4, 4)[0, 0].int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    tokens = torch.zeros(1, 5, 3)  # a class token and 2 x 2 patches
    assert on_tokens(hidden, tokens, torch.ones(1, 5))[0].int().tolist() == [0, 1, 0, 0, 1]
    assert on_tokens(hidden, torch.zeros(1, 4, 3), torch.ones(1, 2, 2))[0].int().tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("name", "reads", "way"),
    [
        ("masked", "text", "use masked_language"),
        ("masked", "table", "use masked_language"),
        ("masked_language", "image", "use masked or latent"),
        ("masked_features", "text", "use masked_language"),
        ("masked_features", "image", "masked or latent"),
    ],
)
def test_data_that_does_not_fit_is_refused_in_one_line_with_a_way_out(name: str, reads: str, way: str) -> None:
    model, domain = toy_model(reads), toy_domain(reads)
    with pytest.raises(UsageError) as raised:
        find("objectives", name)().begin(model, domain, np.arange(4), {})
    assert str(raised.value).startswith(f"{name}: ") and way in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(("name", "reads"), [("masked", "image"), ("masked_language", "text"), ("latent", "text"),
                                             ("masked_features", "table")])  # fmt: skip
def test_stored_activations_are_refused(name: str, reads: str) -> None:
    objective = find("objectives", name)()
    model, state, batch = begun(objective, reads)
    stored = Batch(index=batch.index, tokens=torch.zeros(6, 2, 16), mask=torch.ones(6, 2))
    with pytest.raises(UsageError, match="activations"):
        objective.loss(model, state, stored, seeded())
