"""Images: any common format to RGB, upright, opaque, eight bits a channel."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageFilter

from landbridge.core.errors import DataError
from landbridge.core.examples import Blob
from landbridge.core.parts import part
from landbridge.modalities.media import check_severity, data_uri, payload

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 50_000_000
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
    Warning,
)
_UPRIGHT = {  # EXIF orientation (tag 0x0112) to the turn that undoes it
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
_SIDE = 16  # of the sketch
_SHOWN = 128  # longer side of a thumbnail, pixels


@part("image")
class Image:
    """Pictures, decoded to RGB `PIL.Image`.

    `near` is the distance of L2-normalised sketches below which two images count as duplicates: on photographs and
    on industrial textures, JPEG at quality 60 and halving the size stay below it, distinct pictures stay above.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset(
        {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
    )
    corruptions: ClassVar[tuple[str, ...]] = ("blur", "noise", "jpeg", "brightness", "contrast", "rotation")
    near: ClassVar[float] = 0.1

    def decode(self, cell: Any) -> Pillow.Image:
        """A blob, bytes, `{"bytes", "path"}`, Pillow image, or uint8 array HxW, HxWx3 or HxWx4 to RGB.

        Raises DataError naming the file when it is no image of an allowed format, is broken, or has more pixels than
        the cap (checked before the pixels are read). Of an animation the first frame counts.
        """
        if isinstance(cell, np.ndarray):
            return _from_array(cell)
        if isinstance(cell, Pillow.Image):
            return _rgb(cell, "the image")
        name, data = payload(cell, "image")
        opened = _open(name, data)
        try:
            opened.load()
        except _BROKEN as error:
            raise DataError(
                f"{name}: the image is broken or cut off ({_short(error)}); remove or replace it"
            ) from error
        return _rgb(opened, name)

    def verify(self, cell: Any) -> tuple[int, int]:
        """Width and height from the header alone, cheap enough for a scan; raises as `decode` does on a bad header."""
        if isinstance(cell, (Blob, Path, bytes, Mapping)):
            return _open(*payload(cell, "image")).size
        return self.decode(cell).size

    def sketch(self, example: Pillow.Image) -> np.ndarray:
        """262 numbers: 16x16 grey means, standardised, then mean colour, spread and a constant.

        The standardised pattern tells textures apart however faint; the tail tells blank pictures apart by colour.
        """
        small = np.asarray(example.resize((_SIDE, _SIDE), Pillow.Resampling.BOX), np.float32) / 255.0
        grey = small @ np.array([0.299, 0.587, 0.114], np.float32)
        spread = float(grey.std())
        pattern = (grey - grey.mean()) / (spread + 0.002) / _SIDE  # 0.002 is half a grey level: no signal below that
        tail = [*(0.5 * (small.mean((0, 1)) - 0.5)), 0.5 * spread, 0.25, 0.0]
        return np.concatenate([pattern.ravel(), np.array(tail, np.float32)]).astype(np.float32)

    def thumbnail(self, example: Pillow.Image) -> str:
        """An inline JPEG of at most 128 pixels a side; tiny pictures are enlarged without smoothing."""
        longest = max(example.size)
        if longest <= _SHOWN // 2:
            times = _SHOWN // longest
            shown = example.resize((example.width * times, example.height * times), Pillow.Resampling.NEAREST)
        else:
            shown = example.copy()
            shown.thumbnail((_SHOWN, _SHOWN), Pillow.Resampling.BOX)
        data = b""
        for quality in (85, 70, 50, 30, 10):
            data = _jpeg(shown, quality)
            if len(data) < 13_500:
                break
        return f'<img src="{data_uri("image/jpeg", data)}" width="{shown.width}" height="{shown.height}" alt="image">'

    def perturb(self, example: Pillow.Image, kind: str, severity: int, generator: np.random.Generator) -> Pillow.Image:
        """Blur, sensor noise, JPEG, light, contrast or a turn, with strengths after ImageNet-C (arXiv:1903.12261).

        Departs from ImageNet-C in that the blur's radius scales with the picture (its sizes are for 224 pixels).
        """
        check_severity(kind, severity, self.corruptions)
        level = severity - 1
        sign = 1.0 if generator.random() < 0.5 else -1.0
        if kind == "blur":
            radius = (0.5, 1.0, 1.5, 2.5, 4.0)[level] * min(example.size) / 224 + 0.3
            return example.filter(ImageFilter.GaussianBlur(radius))
        if kind == "noise":
            pixels = np.asarray(example, np.float32)
            noisy = pixels + generator.normal(0.0, 255 * (0.04, 0.08, 0.12, 0.18, 0.26)[level], pixels.shape)
            return Pillow.fromarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8))
        if kind == "jpeg":
            again = _jpeg(example, (40, 25, 18, 12, 7)[level])
            return Pillow.open(io.BytesIO(again), formats=("JPEG",)).convert("RGB")
        if kind == "brightness":
            return ImageEnhance.Brightness(example).enhance(1 + sign * (0.1, 0.2, 0.3, 0.4, 0.5)[level])
        if kind == "contrast":
            return ImageEnhance.Contrast(example).enhance((0.75, 0.6, 0.45, 0.3, 0.2)[level])
        middle = tuple(int(v) for v in np.asarray(example).reshape(-1, 3).mean(0))
        angle = sign * (4.0, 8.0, 14.0, 22.0, 32.0)[level]
        return example.rotate(angle, Pillow.Resampling.BILINEAR, fillcolor=middle)


def _open(name: str, data: bytes) -> Pillow.Image:
    """Read the header only, refusing other formats and pictures above the pixel cap."""
    try:
        opened = Pillow.open(io.BytesIO(data), formats=FORMATS)
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise DataError(f"{name}: the image has far more than {_cap()}; scale it down") from error
    except Pillow.UnidentifiedImageError as error:
        raise DataError(
            f"{name}: not an image of a known format ({', '.join(FORMATS)}); remove or convert it"
        ) from error
    except _BROKEN as error:
        raise DataError(f"{name}: the image header is broken ({_short(error)}); remove or replace it") from error
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise DataError(f"{name}: the image is {width}x{height}, more than {_cap()}; scale it down")
    if width < 1 or height < 1:
        raise DataError(f"{name}: the image has no pixels ({width}x{height}); remove or replace it")
    return opened


def _rgb(image: Pillow.Image, name: str) -> Pillow.Image:
    """Upright, over white where transparent, eight bits a channel."""
    turn = _orientation(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image, name)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        flat = Pillow.new("RGBA", layer.size, (255, 255, 255, 255))
        image = Pillow.alpha_composite(flat, layer)
    image = image.convert("RGB")
    return image.transpose(_UPRIGHT[turn]) if turn in _UPRIGHT else image


def _orientation(image: Pillow.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        value = image.getexif().get(0x0112, 1)
    except _BROKEN:
        return 1
    return int(value) if isinstance(value, int) else 1


def _eight_bits(image: Pillow.Image, name: str) -> Pillow.Image:
    """Sixteen-bit, 32-bit and float greys: values up to 1, 255 or 65535 keep that scale, others their own range."""
    values = np.asarray(image, np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{name}: the image holds NaN or infinite pixels; replace them")
    top = float(values.max())
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < top <= 65_535):
        scale, low = 65_535.0, 0.0
    elif values.min() >= 0 and top <= 255:
        scale, low = (1.0 if image.mode == "F" and top <= 1.0 else 255.0), 0.0
    else:
        low = float(values.min())
        scale = (top - low) or 1.0
    return Pillow.fromarray(np.round((values - low) / scale * 255.0).astype(np.uint8))


def _from_array(array: np.ndarray) -> Pillow.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise DataError(
            f"the image array has shape {array.shape} and type {array.dtype}; give uint8 of HxW, HxWx3 or HxWx4"
        )
    if array.size == 0 or array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise DataError(f"the image array has shape {array.shape}; give at least one pixel and at most {_cap()}")
    squeezed = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return _rgb(Pillow.fromarray(np.ascontiguousarray(squeezed)), "the image array")


def _jpeg(image: Pillow.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _cap() -> str:
    return f"{MAX_PIXELS // 1_000_000} million pixels"


def _short(error: BaseException) -> str:
    """The first line of an error, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
