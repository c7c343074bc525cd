"""Texts: decoding, sketching by letters, showing without markup, spoiling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landbridge.core.errors import DataError
from landbridge.core.examples import Blob
from landbridge.modalities.text import Text

TEXT = Text()


def distance(a: str, b: str) -> float:
    one, two = (v / np.linalg.norm(v) for v in (TEXT.sketch(a), TEXT.sketch(b)))
    return float(np.linalg.norm(one - two))


def test_decode(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe")
    (tmp_path / "b.txt").write_bytes(b"Gr\xfc\xdfe")
    assert TEXT.decode(Blob(tmp_path / "a.txt")) == "Grüße"
    assert TEXT.decode("as it is\n") == "as it is\n"
    assert TEXT.decode(b"a\0b") == "ab"
    with pytest.raises(DataError, match=r"b\.txt: not UTF-8 \(byte 2\)"):
        TEXT.decode(Blob(tmp_path / "b.txt"))
    for missing in (None, float("nan")):
        with pytest.raises(DataError, match="missing"):
            TEXT.decode(missing)
    with pytest.raises(DataError, match="int, not text"):
        TEXT.decode(3)


def test_sketch_counts_three_byte_runs() -> None:
    sketch = TEXT.sketch("aaaa")  # " aa" once, "aaa" twice, "aa " once
    assert sketch.shape == (512,)
    assert sorted(np.abs(sketch[sketch != 0]).tolist()) == pytest.approx([1.0, 1.0, 2**0.5])
    assert not TEXT.sketch("").any() and not TEXT.sketch("...").any()


def test_sketch_tells_near_from_far() -> None:
    text = "I have still not received my new card, I ordered it over a week ago."
    assert distance(text, "i have  still not received my new card I ordered it over a week ago") < 1e-6
    assert distance(text, text.replace("ordered", "orderd")) < TEXT.near
    assert distance(text, "How do I link a card that I already have to this account?") > 2 * TEXT.near


def test_thumbnail_is_escaped_and_short() -> None:
    assert TEXT.thumbnail("<script>alert('x')</script>") == "<p>&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;</p>"
    assert len(TEXT.thumbnail("<&>" * 100_000)) < 20_000


def test_corruptions() -> None:
    text = "the quick brown fox jumps over the lazy dog " * 20
    for kind in TEXT.corruptions:
        mild, strong = (TEXT.perturb(text, kind, s, np.random.default_rng(0)) for s in (1, 5))
        assert mild != text and strong != mild
        assert TEXT.perturb(text, kind, 5, np.random.default_rng(0)) == strong
    assert TEXT.perturb(text, "casing", 3, np.random.default_rng(0)).lower() == text
    kept = TEXT.perturb(text, "dropped_words", 5, np.random.default_rng(0)).split()
    assert 0.5 < len(kept) / len(text.split()) < 0.7
    assert TEXT.perturb("alone", "dropped_words", 5, np.random.default_rng(3)) == "alone"
