"""Random views keep sizes, follow their generator, and do what they say."""

from __future__ import annotations

import torch

from landbridge.nn.views import FlipCrop, Jitter, MaskedShift


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_flip_alone_mirrors_about_half_of_the_pictures_exactly():
    pixels = torch.randn(64, 3, 12, 12, generator=generator())
    seen = FlipCrop(area=1.0, stretch=1.0, light=0.0)({"pixels": pixels}, generator(1))["pixels"]
    mirrored = [torch.allclose(s, p.flip(-1), atol=1e-5) for s, p in zip(seen, pixels, strict=True)]
    same = [torch.allclose(s, p, atol=1e-5) for s, p in zip(seen, pixels, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True))
    assert 20 <= sum(mirrored) <= 44


def test_no_flip_when_told_so():
    pixels = torch.randn(32, 1, 8, 8, generator=generator())
    seen = FlipCrop(area=1.0, stretch=1.0, light=0.0, flip=False)({"pixels": pixels}, generator(1))["pixels"]
    torch.testing.assert_close(seen, pixels, atol=1e-5, rtol=1e-5)


def test_crops_stay_inside_a_linear_ramp_and_shrink_its_range():
    ramp = torch.linspace(-1, 1, 64).expand(40, 1, 64, 64).contiguous()
    seen = FlipCrop(area=0.25, stretch=1.0, light=0.0, flip=False)({"pixels": ramp}, generator(2))["pixels"]
    spread = seen.amax((1, 2, 3)) - seen.amin((1, 2, 3))
    assert seen.shape == ramp.shape
    assert seen.min() >= -1 - 1e-5 and seen.max() <= 1 + 1e-5
    assert spread.min() < 1.3  # the smallest crop shows about half the width
    assert spread.max() <= 2.0 + 1e-4


def test_light_changes_each_picture_by_its_own_gain_and_shift():
    pixels = torch.randn(5, 3, 6, 6, generator=generator())
    seen = FlipCrop(area=1.0, stretch=1.0, flip=False, light=0.2)({"pixels": pixels}, generator(3))["pixels"]
    for before, after in zip(pixels, seen, strict=True):
        gain = after.std() / before.std()
        assert 0.8 <= gain <= 1.2
        torch.testing.assert_close(after, (before - before.mean()) * gain + after.mean(), atol=1e-4, rtol=1e-4)


def test_views_repeat_with_their_generator_and_leave_other_inputs_alone():
    inputs = {"pixels": torch.randn(4, 3, 16, 16, generator=generator()), "other": torch.arange(4)}
    for view in (FlipCrop(), MaskedShift()):
        first, second = view(inputs, generator(5)), view(inputs, generator(5))
        assert torch.equal(first["pixels"], second["pixels"])
        assert not torch.equal(first["pixels"], view(inputs, generator(6))["pixels"])
        assert torch.equal(first["other"], inputs["other"])


def test_masked_shift_moves_time_without_wrapping():
    pixels = torch.arange(50.0).expand(30, 1, 8, 50).contiguous()
    seen = MaskedShift(shift=0.2, time=0.0, frequency=0.0)({"pixels": pixels}, generator())["pixels"]
    steps = torch.arange(50.0)[None] - seen[:, 0, 0, :]
    assert steps[:, 25].abs().max() <= 10 and steps[:, 25].abs().max() > 3
    assert (seen.diff(dim=3) >= 0).all()  # a wrapped row would fall somewhere


def test_masked_shift_hides_bands_with_the_mean():
    pixels = torch.randn(30, 1, 40, 40, generator=generator())
    seen = MaskedShift(shift=0.0, time=0.2, frequency=0.2)({"pixels": pixels}, generator(1))["pixels"]
    changed = (seen != pixels)[:, 0]
    columns, lines = changed.all(1).sum(1), changed.all(2).sum(1)
    assert columns.max() <= 9 and lines.max() <= 9 and columns.float().mean() > 2 and lines.float().mean() > 2
    hidden = seen[changed[:, None]]
    means = pixels.mean((1, 2, 3), keepdim=True).expand_as(pixels)[changed[:, None]]
    torch.testing.assert_close(hidden, means)


def test_jitter_scales_whole_examples_and_adds_noise():
    wave = torch.ones(200, 100)
    seen = Jitter(name="wave", gain=0.1, noise=0.0)({"wave": wave}, generator())["wave"]
    assert torch.equal(seen, seen[:, :1].expand_as(seen))
    assert 0.9 <= seen.min() < 0.93 and 1.07 < seen.max() <= 1.1
    noisy = Jitter(name="wave", gain=0.0, noise=0.05)({"wave": wave}, generator())["wave"]
    assert 0.045 < (noisy - 1).std() < 0.055
