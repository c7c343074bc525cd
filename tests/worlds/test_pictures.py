"""What the pictures show is what their truth says: areas, centres, boxes, colours, frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from landbridge.core.errors import UsageError
from landbridge.worlds.contours import Contours
from landbridge.worlds.figures import AREAS, KINDS, coverage
from landbridge.worlds.fractals import Fractals
from landbridge.worlds.glyphs import Glyphs
from landbridge.worlds.objects import PARTS, Objects
from landbridge.worlds.scenes import Scenes
from landbridge.worlds.shapes import Shapes
from landbridge.worlds.solids import Solids, seen
from landbridge.worlds.textures import Textures


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_covers_its_area_around_its_centre(kind: str) -> None:
    number, at = np.array([KINDS.index(kind)]), np.array([0.5])
    cover = coverage(number, at, at, np.array([0.35]), np.array([0.07]), 256)[0]
    assert cover.sum() == pytest.approx(AREAS[kind] * (0.35 * 256) ** 2, rel=0.004)


def test_the_pixels_of_a_shape_tell_area_centre_and_colours() -> None:
    made = Shapes(size=96).make(4, np.arange(60))
    symmetric = {"disc", "square", "ring", "cross", "ellipse", "hexagon", "bar"}
    for picture, truth in zip(made.examples, made.truth, strict=True):
        ground, ink = np.array(truth["ground"], float), np.array(truth["colour"], float)
        assert picture[0, 0].tolist() == truth["ground"]
        cover = (picture - ground) @ (ink - ground) / ((ink - ground) @ (ink - ground))
        assert cover.sum() == pytest.approx(truth["area"], rel=0.03)
        if truth["kind"] in symmetric:
            y, x = (np.arange(96) + 0.5) @ np.stack([cover.sum(1), cover.sum(0)], 1) / cover.sum()
            assert (x, y) == pytest.approx(tuple(truth["centre"]), abs=0.15)
    numbers = Shapes(asks="area").make(0, np.arange(4))
    assert numbers.labels == [t["area"] for t in numbers.truth]


def test_boxes_hold_what_is_seen_and_the_nearest_thing_is_whole() -> None:
    made = Scenes().make(1, np.arange(40))
    for label, truth in zip(made.labels, made.truth, strict=True):
        things = truth["things"]
        assert len(things) == truth["count"]
        assert things[-1]["kind"] == label
        assert things[-1]["box"] == things[-1]["full"]
        for thing in things:
            left, top, right, bottom = thing["full"]
            x, y = thing["centre"]
            assert (left <= x <= right and top <= y <= bottom) or thing["kind"] in ("crescent", "ring")
            if thing["seen"]:
                x0, y0, x1, y1 = thing["box"]
                assert left <= x0 < x1 <= right
                assert top <= y0 < y1 <= bottom
                assert thing["seen"] <= (x1 - x0) * (y1 - y0)
    hidden = [t["seen"] / max(1, (t["full"][2] - t["full"][0]) ** 2) for m in made.truth for t in m["things"][:-1]]
    assert min(hidden) < 0.3, "some thing is mostly hidden"


def test_the_strongest_frequency_of_a_grating_is_its_truth() -> None:
    made = Textures(classes=8, spread=0.0).make(2, np.arange(0, 64, 8))
    for picture, truth in zip(made.examples, made.truth, strict=True):
        assert truth["family"] == "grating"
        grey = picture.astype(float).sum(2)
        power = np.abs(np.fft.fft2(grey - grey.mean(), (256, 256)))
        y, x = np.unravel_index(power[:, :128].argmax(), (256, 128))
        measured = np.hypot(x, y - 256 if y > 128 else y) / 4
        assert measured == pytest.approx(truth["waves"], abs=0.7)


def test_a_fractal_is_the_attractor_of_its_maps() -> None:
    """A chaos game with the maps of the truth, played here in NumPy, lands on the pixels that are lit."""
    made, generator = Fractals(classes=6).make(0, np.arange(6)), np.random.default_rng(0)
    for picture, truth in zip(made.examples, made.truth, strict=True):
        maps, weights = np.array(truth["maps"]), np.array(truth["weights"], float)
        assert np.linalg.svd(maps[weights > 0][:, :4].reshape(-1, 2, 2), compute_uv=False).max() < 1.2
        xy, points = np.zeros((400, 2)), []
        for step in range(60):
            a, b, c, d, e, f = maps[generator.choice(len(maps), 400, p=weights / weights.sum())].T
            xy = np.stack([a * xy[:, 0] + b * xy[:, 1] + e, c * xy[:, 0] + d * xy[:, 1] + f], axis=1)
            points += [xy] if step > 20 else []
        places = np.concatenate(points)
        cell = ((places - places.min(0)) / (places.max(0) - places.min(0)) * 63.5).astype(int)
        ground = np.median(picture.reshape(-1, 3), axis=0)
        lit = np.pad(np.abs(picture - ground).sum(2) > 20, 1)
        near = np.max([lit[y : y + 64, x : x + 64] for y in range(3) for x in range(3)], axis=0)
        assert near[cell[:, 1], cell[:, 0]].mean() > 0.9


def test_no_picture_is_blank_and_classes_differ_more_than_instances() -> None:
    for world in (Fractals(classes=40), Contours(classes=40), Glyphs(classes=40), Textures(classes=40)):
        pictures = np.asarray(world.make(5, np.arange(200)).examples, float).mean(3)
        assert pictures.std((1, 2)).min() > 3, world
        lit = np.abs(pictures - np.median(pictures, (1, 2), keepdims=True)) > 12
        assert lit.mean((1, 2)).min() > 0.01, world


def test_one_picture_a_class_repeats_and_a_class_is_the_same_among_more() -> None:
    world = Fractals(classes=6, instances=1)
    made = world.make(0, np.array([2, 8, 3]))
    assert np.array_equal(made.examples[0], made.examples[1])
    assert not np.array_equal(made.examples[0], made.examples[2])
    few, many = Glyphs(classes=5, spread=0).make(0, np.array([3])), Glyphs(classes=50, spread=0).make(0, np.array([3]))
    assert np.array_equal(few.examples, many.examples)


def test_contours_have_as_many_lines_as_they_say() -> None:
    made = Contours(classes=60, size=256, spread=0.0).make(0, np.arange(60))
    looked = 0
    for picture, truth in zip(made.examples, made.truth, strict=True):
        if truth["lines"] <= 4 and truth["hole"] > 0.2:  # else lines touch near the centre
            x, y = (round(v) for v in truth["centre"])
            rays = [picture[y, x:], picture[y, x::-1], picture[y:, x], picture[y::-1, x]]
            lit = [(np.abs(ray.astype(int) - picture[0, 0]).sum(1) > 30).astype(int) for ray in rays]
            counts = [(np.diff(ray) == 1).sum() for ray in lit if not ray[-1]]
            looked += 1
            assert truth["lines"] in counts
    assert looked >= 5


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Fractals(classes=1), "classes must be a whole number from 2 to 10000, got 1"),
        (lambda: Scenes(asks="colour"), "asks must be one of nearest, count, got 'colour'"),
        (lambda: Glyphs(spread=0.5), "spread must be a number from 0 to 0.3, got 0.5"),
    ],
)
def test_a_bad_field_is_named_with_value_and_range(make: object, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        make()  # type: ignore[operator]
    assert told in str(raised.value)


@pytest.mark.parametrize(("square", "share"), [(0.0, np.pi), (1.0, 4.0)])
@pytest.mark.parametrize("turn", [0.0, 0.07])
def test_a_straight_solid_covers_its_area_and_is_bright_towards_the_light(
    square: float, share: float, turn: float
) -> None:
    one = {"x": 0.4, "y": 0.55, "wide": 0.2, "high": 0.3, "turn": turn, "square": square}
    rest = dict.fromkeys(("taper", "bend", "stripe", "waves"), 0.0)
    solid = Solids(ink=np.zeros((1, 3)), **{n: np.array([v]) for n, v in (one | rest).items()})
    cover, tone = (v[0] for v in seen(solid, np.array([0.0]), 256))
    assert cover.sum() == pytest.approx(share * 0.2 * 0.3 * 256**2, rel=0.01)
    y, x = (np.arange(256) + 0.5) @ np.stack([cover.sum(1), cover.sum(0)], 1) / cover.sum() / 256
    assert (x, y) == pytest.approx((0.4, 0.55), abs=0.001)
    right = np.average(tone[:, 103:], weights=cover[:, 103:])
    assert right > np.average(tone[:, :102], weights=cover[:, :102]) + 0.1


def test_an_object_lies_where_its_truth_says() -> None:
    """Without clutter only the object breaks the ground, so two objects on one ground differ within their boxes."""
    world = Objects(classes=5, clutter=0)
    made = world.make(3, np.arange(40))
    for picture, label, truth in zip(made.examples, made.labels, made.truth, strict=True):
        left, top, right, bottom = truth["box"]
        assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
        assert left / 64 - 0.1 < truth["x"] < right / 64 + 0.1
        assert 0 < truth["seen"] <= (right - left) * (bottom - top)
        assert 2 <= truth["parts"] <= PARTS and truth["class"] == label
        outside = picture.astype(int).copy()
        outside[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = -1
        rough = np.abs(np.diff(outside, axis=1)).max(2)
        assert np.quantile(rough[(outside[:, 1:] >= 0).all(2) & (outside[:, :-1] >= 0).all(2)], 0.95) < 60
    of_class = {label: {t["parts"] for t in made.truth if t["class"] == label} for label in made.labels}
    assert all(len(counts) == 1 for counts in of_class.values()), "a class is one blueprint"
    hidden = Objects(classes=5).make(3, np.arange(40)).truth
    less = [h["seen"] < t["seen"] for h, t in zip(hidden, made.truth, strict=True)]
    assert 0 < sum(less) < 30 and all(h["seen"] <= t["seen"] for h, t in zip(hidden, made.truth, strict=True))
