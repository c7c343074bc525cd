"""Hard views keep shapes, follow their generator, and do what they say."""

from __future__ import annotations

import pytest
import torch

from landbridge.nn.strong_views import Deletion, Distorted, Excerpt, Window, blurred, strong_views
from landbridge.nn.views import FlipCrop, Jitter, MaskedShift


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


PIXELS = {"pixels": torch.randn(6, 3, 20, 20, generator=generator()), "other": torch.arange(6)}
HEARD = (torch.arange(400) < 300).long().expand(6, 400)
WAVES = {"wave": torch.randn(6, 400, generator=generator()), "wave_mask": HEARD}
WORDS = {"input_ids": torch.arange(120).view(6, 20), "attention_mask": torch.ones(6, 20, dtype=torch.long)}


@pytest.mark.parametrize(
    ("mild", "inputs", "name"),
    [
        (FlipCrop(), PIXELS, "pixels"),
        (MaskedShift(), PIXELS, "pixels"),
        (Jitter(), PIXELS, "pixels"),
        (None, PIXELS, "pixels"),
        (Jitter(name="wave"), WAVES, "wave"),
        (None, WORDS, "attention_mask"),
    ],
)
def test_strong_views_repeat_with_their_generator_and_leave_the_rest_alone(mild, inputs, name) -> None:
    strong = strong_views(mild, inputs)
    first, second, third = strong(inputs, generator(5)), strong(inputs, generator(5)), strong(inputs, generator(6))
    assert torch.equal(first[name], second[name]) and not torch.equal(first[name], third[name])
    assert first[name].shape == inputs[name].shape and not torch.equal(first[name], inputs[name])
    assert bool(torch.isfinite(first[name].float()).all())
    assert all(torch.equal(first[k], v) for k, v in inputs.items() if k != name)


def test_a_plug_in_gives_its_own_strong_form_and_unknown_views_are_taken_as_they_are() -> None:
    class Mine:
        def __call__(self, inputs, generator):
            return inputs

        def strong(self):
            return Deletion()

    assert strong_views(Mine(), PIXELS) == Deletion()

    def plain(inputs, generator):
        return inputs

    assert strong_views(plain, PIXELS) is plain
    assert strong_views(None, {"numbers": torch.ones(2)}) is None


def test_a_source_that_forbids_mirroring_is_not_mirrored_by_hard_views() -> None:
    assert strong_views(FlipCrop(flip=False), PIXELS).crop.flip is False


def test_blur_is_the_binomial_filter_and_keeps_flat_pictures() -> None:
    flat = torch.full((1, 2, 6, 6), 3.0)
    torch.testing.assert_close(blurred(flat), flat)
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 256.0
    steps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
    torch.testing.assert_close(blurred(point)[0, 0, 2:7, 2:7], steps[:, None] * steps[None])


def test_grey_makes_the_channels_alike() -> None:
    view = Distorted(crop=FlipCrop(area=1.0, stretch=1.0, light=0.0, flip=False), colour=0.0, grey=1.0, blur=0.0)
    seen = view(PIXELS, generator())["pixels"]
    wanted = PIXELS["pixels"].mean(1, keepdim=True).expand_as(seen)
    torch.testing.assert_close(seen, wanted, atol=1e-5, rtol=1e-5)


def test_a_window_of_a_plot_has_the_same_stretch_on_both_axes() -> None:
    ramp = torch.linspace(0, 1, 64)
    plot = torch.stack([ramp.expand(64, 64), ramp[:, None].expand(64, 64)])[None].expand(20, 2, 64, 64)
    seen = Window(least=0.3)({"pixels": plot}, generator())["pixels"]
    torch.testing.assert_close(seen[:, 0], seen[:, 1].transpose(1, 2))
    spread = seen[:, 0].amax((1, 2)) - seen[:, 0].amin((1, 2))
    assert 0.28 < spread.min() < 0.6 and spread.max() <= 1.0


def test_an_excerpt_is_a_stretch_of_the_sound_and_padding_stays_silent() -> None:
    steps = torch.arange(1.0, 401.0).expand(30, 400) * WAVES["wave_mask"][0]
    inputs = {"wave": steps, "wave_mask": WAVES["wave_mask"][:1].expand(30, 400)}
    seen = Excerpt(least=0.4, silence=0.0)(inputs, generator())["wave"]
    assert bool((seen[:, 300:] == 0).all()) and bool((seen[:, :300] >= 1).all()) and seen.max() <= 300
    jumps = (seen[:, 1:300] - seen[:, :299]) != 1
    assert jumps.sum(1).max() <= 2  # it repeats at most twice after the first time
    quiet = Excerpt(least=1.0, silence=0.3)(inputs, generator())["wave"]
    assert 0.02 < float((quiet[:, :300] == 0).float().mean()) < 0.3


def test_deleted_words_are_never_the_first() -> None:
    mask = Deletion(share=0.9)(WORDS, generator())["attention_mask"]
    assert bool((mask[:, 0] == 1).all()) and 0 < float(mask[:, 1:].float().mean()) < 0.3
