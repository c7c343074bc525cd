"""Real data that the installed libraries carry, so that the first command needs no network and no files.

`digits`: scikit-learn's 1,797 handwritten digits as pictures in class folders (Alpaydin & Kaynak 1998, UCI).
`letters`: capital letters in the typefaces that matplotlib brings along, small and crooked as a phone would see them.
`docs`: the summaries of SciPy's public functions, to be told apart by the field they belong to.
`wine`: scikit-learn's 178 wines of three growers, by thirteen measurements (Forina et al. 1988, UCI).
"""

from __future__ import annotations

import csv
import importlib
import inspect
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import ascii_uppercase

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from landbridge.core.errors import UnknownName
from landbridge.core.files import new_folder, write_bytes

FIELDS = (
    "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize",
    "signal", "sparse", "spatial", "special", "stats",
)  # fmt: skip
FACES = (
    *("DejaVuSans" + cut for cut in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *("DejaVuSansMono" + cut for cut in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *("DejaVuSerif" + cut for cut in ("", "-Bold", "-Italic", "-BoldItalic")),
    *("STIXGeneral" + cut for cut in ("", "Bol", "Italic", "BolIta")),
    "cmr10", "cmb10", "cmss10", "cmti10", "cmtt10",
)  # fmt: skip
SIDE = 40  # pixels of a picture with a letter
NAMES = ("digits", "docs", "letters", "wine")
PICTURES = ("digits", "letters")


def write(name: str, root: Path = Path("landbridge-demo")) -> Path:
    """Write a demo data set below `root` (kept when it is there) and return its path; UnknownName for others."""
    if name not in NAMES:
        raise UnknownName("demo", name, NAMES)
    path = root / (name if name in PICTURES else f"{name}.csv")
    if path.exists():
        return path
    if name not in PICTURES:
        write_bytes(path, (summaries() if name == "docs" else wines()).encode())
        return path
    with new_folder(path) as folder:
        (digits if name == "digits" else letters)(folder)
    return path


def digits(folder: Path) -> None:
    """1,797 grey pictures of 8x8 pixels, one folder a digit."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for number, (pixels, label) in enumerate(zip(bunch.images, bunch.target, strict=True)):
        image = Image.fromarray((pixels * 255 / 16).round().astype(np.uint8))
        target = folder / str(label)
        target.mkdir(exist_ok=True)
        image.save(target / f"{number:04d}.png")


def letters(folder: Path) -> None:
    """546 grey pictures of 40x40 pixels, one folder a letter: of another size, place, slant and shade each."""
    from matplotlib import get_data_path

    draw = np.random.default_rng(0)
    for face in FACES:
        for letter in ascii_uppercase:
            font = ImageFont.truetype(
                Path(get_data_path()) / "fonts" / "ttf" / f"{face}.ttf", int(draw.integers(14, 30))
            )
            paper, ink = int(draw.integers(170, 256)), int(draw.integers(0, 110))
            image = Image.new("L", (SIDE, SIDE), paper)
            left, top, right, bottom = font.getbbox(letter)
            at = [draw.uniform(1, max(2.0, SIDE - 1 - size)) for size in (right - left, bottom - top)]
            ImageDraw.Draw(image).text((round(at[0] - left), round(at[1] - top)), letter, font=font, fill=ink)
            target = folder / letter
            target.mkdir(exist_ok=True)
            crooked = image.rotate(float(draw.uniform(-12, 12)), Image.Resampling.BILINEAR, fillcolor=paper)
            crooked.save(target / f"{face}.png")


def summaries() -> str:
    """A CSV of text and field: the first paragraph of each public function's documentation, without its name."""
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    for field in FIELDS:
        module = importlib.import_module(f"scipy.{field}")
        for name in sorted(module.__all__):
            member = vars(module).get(name)
            if member is None or inspect.ismodule(member):
                continue
            paragraphs = [p for p in (inspect.getdoc(member) or "").split("\n\n") if p and not p.startswith(name)]
            text = " ".join(paragraphs[0].split()) if paragraphs else ""
            if len(text) > 20 and text not in seen:
                seen.add(text)
                rows.append((text, field))
    return _csv([("text", "field"), *rows])


def wines() -> str:
    """A CSV of thirteen measurements and the grower."""
    from sklearn.datasets import load_wine

    bunch = load_wine()
    names = [name.replace("/", "_") for name in bunch.feature_names]
    rows = [[*map(float, values), "ABC"[label]] for values, label in zip(bunch.data, bunch.target, strict=True)]
    return _csv([[*names, "grower"], *rows])


def _csv(rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
