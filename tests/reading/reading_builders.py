"""Tiny data of every kind, written into a temporary folder."""

from __future__ import annotations

import io
import wave
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def png(seed: int = 0, size: int = 12) -> bytes:
    """A small random picture."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def wav(seed: int = 0, samples: int = 2000) -> bytes:
    """A quarter second of noise at 8 kHz."""
    values = np.random.default_rng(seed).integers(-9000, 9000, samples, dtype=np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(values.tobytes())
    return buffer.getvalue()


def image_folder(root: Path, classes: Mapping[str, int], *, seed: int = 0) -> Path:
    """`root/class/number.png`."""
    for place, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (root / name / f"{i}.png").write_bytes(png(seed + 1000 * place + i))
    return root


def write(path: Path, text: str) -> Path:
    """A text file, its folder made where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def csv(path: Path, header: str, rows: Iterable[object]) -> Path:
    """A header and rows; a row is a ready line."""
    return write(path, header + "\n" + "\n".join(str(r) for r in rows) + "\n")


def table_csv(path: Path, rows: int = 40, *, header: str = "a,b,c,label") -> Path:
    """Numbers, a category, and a label that depends on the first number."""
    generator = np.random.default_rng(0)
    lines = []
    for _ in range(rows):
        a = generator.normal()
        lines.append(f"{a:.4f},{generator.normal():.4f},{'xyz'[generator.integers(3)]},{'yes' if a > 0 else 'no'}")
    return csv(path, header, lines)


def text_csv(path: Path, rows: int = 40) -> Path:
    """Sentences of two kinds."""
    return csv(
        path,
        "text,label",
        (
            f"this is sentence number {i} about {'cats' if i % 2 else 'dogs'},{'cat' if i % 2 else 'dog'}"
            for i in range(rows)
        ),
    )


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip archive of the members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path
