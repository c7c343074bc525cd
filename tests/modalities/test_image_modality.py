"""Images: every kind of file comes out as upright, opaque RGB; broken and huge ones are refused by name."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFilter

from landbridge.core.errors import DataError
from landbridge.core.examples import Blob
from landbridge.modalities.image import Image

IMAGE = Image()


def photo(seed: int, size: tuple[int, int] = (96, 64)) -> Pillow.Image:
    """Smooth blobs and edges: enough structure to tell pictures apart."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 18, 3), dtype=np.uint8)
    return Pillow.fromarray(noise).resize(size, Pillow.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))


def encoded(image: Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def distance(a: Pillow.Image, b: Pillow.Image) -> float:
    one, two = (v / np.linalg.norm(v) for v in (IMAGE.sketch(a), IMAGE.sketch(b)))
    return float(np.linalg.norm(one - two))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "JPEG", "WEBP", "GIF"])
def test_every_format_gives_the_pixels(kind: str, tmp_path: Path) -> None:
    original = photo(0)
    path = tmp_path / "a.img"
    path.write_bytes(encoded(original, kind))
    decoded = IMAGE.decode(Blob(path))
    assert decoded.mode == "RGB"
    assert decoded.size == original.size
    error = np.abs(np.asarray(decoded, float) - np.asarray(original, float)).mean()
    assert error == 0 if kind in ("PNG", "BMP", "PPM", "TIFF") else error < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation: int) -> None:
    turns = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT, 3: Pillow.Transpose.ROTATE_180, 4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE, 6: Pillow.Transpose.ROTATE_90, 7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }  # fmt: skip
    original = photo(1)
    stored = original.transpose(turns[orientation]) if orientation > 1 else original
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    decoded = IMAGE.decode(encoded(stored, "PNG", exif=exif.tobytes()))
    assert np.array_equal(np.asarray(decoded), np.asarray(original))


def test_transparency_lies_over_white() -> None:
    half = Pillow.new("RGBA", (2, 1), (200, 0, 0, 0))
    half.putpixel((1, 0), (200, 0, 0, 255))
    assert np.asarray(IMAGE.decode(encoded(half, "PNG"))).tolist() == [[[255, 255, 255], [200, 0, 0]]]
    palette = Pillow.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    decoded = IMAGE.decode(encoded(palette, "PNG", transparency=0))
    assert np.asarray(decoded).tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_deep_and_float_greys_and_cmyk() -> None:
    deep = Pillow.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16))
    assert np.asarray(IMAGE.decode(encoded(deep, "PNG")))[0, :, 0].tolist() == [0, 100, 255]
    real = Pillow.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32))
    assert np.asarray(IMAGE.decode(encoded(real, "TIFF")))[0, :, 1].tolist() == [0, 128, 255]
    ink = Pillow.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = np.asarray(IMAGE.decode(encoded(ink, "JPEG", quality=95)))[4, 4]
    assert red[0] > 240 and red[1] < 20 and red[2] < 20
    with pytest.raises(DataError, match="NaN"):
        IMAGE.decode(encoded(Pillow.fromarray(np.array([[np.nan, 1.0]], np.float32)), "TIFF"))


def test_arrays_mappings_and_pillow_images() -> None:
    pixels = np.asarray(photo(2))
    assert np.array_equal(np.asarray(IMAGE.decode(pixels)), pixels)
    assert np.array_equal(np.asarray(IMAGE.decode(pixels[:, :, 0]))[:, :, 2], pixels[:, :, 0])
    assert np.array_equal(np.asarray(IMAGE.decode({"bytes": encoded(photo(2), "PNG"), "path": None})), pixels)
    assert IMAGE.decode(photo(2).convert("L")).mode == "RGB"
    for wrong in (np.zeros((3, 4)), np.zeros((3, 4, 5), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(DataError, match="shape"):
            IMAGE.decode(wrong)


def bomb(side: int) -> bytes:
    """A valid PNG header that announces side x side pixels, and little else."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7_100, 10_000, 60_000])
def test_huge_images_are_refused_before_reading(side: int) -> None:
    for look in (IMAGE.decode, IMAGE.verify):
        with pytest.raises(DataError, match="50 million pixels"):
            look({"bytes": bomb(side), "path": "big.png"})


def test_bad_files_are_named(tmp_path: Path) -> None:
    good = encoded(photo(3), "PNG")
    cases = {"empty.png": b"", "text.png": b"hello", "cut.png": good[: len(good) // 2], "cut.jpg": b"\xff\xd8\xff\xe0"}
    cases["icon.ico"] = encoded(photo(3), "ICO")  # not on the list of formats
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            IMAGE.decode(Blob(tmp_path / name))
    with pytest.raises(DataError, match="missing"):
        IMAGE.decode(None)
    with pytest.raises(DataError, match="int"):
        IMAGE.decode(7)


def test_sketch_keeps_duplicates_together_and_textures_apart() -> None:
    one = photo(4, (300, 200))
    small = one.resize((150, 100), Pillow.Resampling.BICUBIC)
    assert distance(one, IMAGE.decode(encoded(small, "JPEG", quality=60))) < IMAGE.near
    assert distance(one, photo(5, (300, 200))) > 3 * IMAGE.near
    generator = np.random.default_rng(0)
    faint = [Pillow.fromarray(np.uint8(128 + generator.normal(0, 3, (64, 64, 3)).clip(-9, 9))) for _ in range(2)]
    assert distance(*faint) > 3 * IMAGE.near
    blank = [Pillow.new("RGB", (32, 32), c) for c in ((10, 10, 10), (200, 200, 200), (200, 0, 0))]
    assert distance(blank[0], blank[1]) > IMAGE.near
    assert distance(blank[1], blank[2]) > IMAGE.near


def test_thumbnail_is_small_and_inline() -> None:
    noise = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8))
    for image in (noise, Pillow.new("RGB", (8, 8)), Pillow.new("RGB", (3, 2000))):
        shown = IMAGE.thumbnail(image)
        assert shown.startswith('<img src="data:image/jpeg;base64,') and len(shown) < 20_000


def test_corruptions_grow_with_severity() -> None:
    image = photo(6)
    before = np.asarray(image, float)
    for kind in IMAGE.corruptions:
        change = []
        for severity in (1, 5):
            generator = np.random.default_rng(1)
            spoiled = IMAGE.perturb(image, kind, severity, generator)
            assert spoiled.size == image.size and spoiled.mode == "RGB"
            change.append(np.abs(np.asarray(spoiled, float) - before).mean())
        assert 0 < change[0] < change[1], kind
    with pytest.raises(DataError, match="severity"):
        IMAGE.perturb(image, "blur", 6, np.random.default_rng(0))
    with pytest.raises(DataError, match="unknown corruption"):
        IMAGE.perturb(image, "fog", 1, np.random.default_rng(0))
