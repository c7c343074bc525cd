"""What a set's own pictures are like, and what follows for the size at which they are read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from landbridge.core import codec
from landbridge.core.domain import Domain
from landbridge.planning.candidates import Offer, propose
from landbridge.planning.originals import Originals, originals
from landbridge.planning.pretraining import pretraining
from landbridge.testing import toy_domain


def of_size(*sizes: tuple[int, int]) -> Domain:
    """The toy pictures, scaled to the given sizes by turns."""
    domain = toy_domain("image")
    pictures = [domain.example(i).resize(sizes[i % len(sizes)]) for i in range(len(domain))]

    class Given(type(domain.modality)):
        def decode(self, cell: Image.Image) -> Image.Image:
            return cell

    return replace(domain, modality=Given(), cells=pictures)


@pytest.mark.parametrize(
    ("sizes", "found", "small"),
    [
        (((28, 28),), Originals(28, square=True), True),
        (((16, 20),), Originals(20, square=False), True),
        (((29, 29),), Originals(29, square=True), False),
        (((20, 20), (200, 200), (200, 200)), Originals(200, square=True), False),
    ],
)
def test_the_median_side_and_the_shape(sizes, found, small):
    assert originals(of_size(*sizes)) == found
    assert found.small == small


def test_other_modalities_have_no_pictures():
    assert originals(toy_domain("text")) is None


def test_test_rows_are_not_looked_at():
    domain = of_size((28, 28))
    for row in domain.folds[0].test:
        domain.cells[row] = None  # would fail to tell a size
    assert originals(domain) == Originals(28, square=True)


@pytest.mark.parametrize(
    ("size", "generated", "bridges"),
    [
        ((28, 28), True, {"native(size=64)"}),
        ((20, 28), True, {"native(size=64)", "native(crop='squash', size=64)"}),
        ((90, 90), True, {"native"}),
        ((28, 28), False, {"native", "native(crop='squash')"}),
    ],
)
def test_small_pictures_are_read_small_and_square_ones_once(size, generated, bridges):
    found = propose(of_size(size), [Offer("toy:image", "image", generated)])
    assert {codec.text(c.recipe.bridge) for c in found} == bridges


def test_pretraining_reads_small_pictures_small_as_well():
    assert codec.text(pretraining(of_size((28, 28)), "embedded:pictures").bridge) == "native(size=64)"
    assert codec.text(pretraining(of_size((90, 90)), "embedded:pictures").bridge) == "native"
    assert codec.text(pretraining(of_size((28, 28)), "embedded:pictures", bridge="native").bridge) == "native"
    assert codec.text(pretraining(of_size((28, 28)), "scratch:convnet").bridge) == "native"
