"""Texts: strings as they are, sketched by their letters."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any, ClassVar

import numpy as np

from landbridge.core.errors import DataError
from landbridge.core.examples import Blob
from landbridge.core.parts import part
from landbridge.modalities.media import check_severity

_DIMS = 512
_SHOWN = 400  # characters of a thumbnail
_KEYS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopqsdfghjklaxcvbnmz", strict=True))  # a neighbouring key


@part("text")
class Text:
    """Texts, decoded to `str`.

    `near` is the distance of L2-normalised sketches below which two texts count as duplicates: other case, spacing or
    punctuation is at 0, most single wrong letters in a sentence of 60 stay below it, another word is mostly above.
    """

    suffixes: ClassVar[frozenset[str]] = frozenset({".txt"})
    corruptions: ClassVar[tuple[str, ...]] = ("typos", "casing", "dropped_words")
    near: ClassVar[float] = 0.35

    def decode(self, cell: Any) -> str:
        """A string, UTF-8 bytes or a blob to text; byte-order mark and NULs go. DataError if it is none."""
        name, value = ("the text", cell)
        if isinstance(cell, Blob):
            name, value = cell.name, cell.read()
        if isinstance(value, (bytes, bytearray)):
            try:
                value = bytes(value).decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{name}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
        if not isinstance(value, str):
            missing = value is None or (isinstance(value, float) and value != value)
            found = "missing" if missing else f"{type(value).__name__}, not text"
            raise DataError(f"{name}: the value is {found}; remove the row or fill it in")
        return value.removeprefix("\ufeff").replace("\0", "")

    def sketch(self, example: str) -> np.ndarray:
        """512 numbers: counts of three-byte runs of the text in plain lower case, hashed with signs, then damped.

        Feature hashing after Weinberger et al. 2009 (arXiv:0902.2206); the square root keeps a repeated run from
        outweighing all others.
        """
        plain = unicodedata.normalize("NFKC", example).casefold()
        letters = b" " + re.sub(r"[\W_]+", " ", plain).strip().encode("utf-8", "replace") + b" "
        codes = np.frombuffer(letters, np.uint8).astype(np.uint64)
        if len(codes) < 3:
            return np.zeros(_DIMS, np.float32)
        runs = (codes[:-2] << np.uint64(16)) | (codes[1:-1] << np.uint64(8)) | codes[2:]
        mixed = (runs + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing, modulo 2^64
        signs = np.where((mixed >> np.uint64(40)) & np.uint64(1), 1.0, -1.0)
        counts = np.bincount((mixed >> np.uint64(55)).astype(np.int64), weights=signs, minlength=_DIMS)
        return (np.sign(counts) * np.sqrt(np.abs(counts))).astype(np.float32)

    def thumbnail(self, example: str) -> str:
        """The first 400 characters, escaped."""
        cut = example if len(example) <= _SHOWN else example[:_SHOWN].rstrip() + " …"
        return f"<p>{html.escape(cut)}</p>"

    def perturb(self, example: str, kind: str, severity: int, generator: np.random.Generator) -> str:
        """Typing errors (swap, drop, double, neighbouring key), changed case, or dropped words.

        Severity 1 to 5 touches 2, 4, 7, 11 or 16 per cent of letters, or 5, 10, 20, 30 or 40 per cent of words.
        """
        check_severity(kind, severity, self.corruptions)
        letter_rate = (0.02, 0.04, 0.07, 0.11, 0.16)[severity - 1]
        word_rate = (0.05, 0.1, 0.2, 0.3, 0.4)[severity - 1]
        if kind == "typos":
            return _typos(example, letter_rate, generator)
        words = example.split(" ")
        hit = generator.random(len(words)) < word_rate
        if kind == "casing":
            return " ".join(w.swapcase() if h else w for w, h in zip(words, hit, strict=True))
        kept = [w for w, h in zip(words, hit, strict=True) if not h]
        return " ".join(kept) if kept else words[0]


def _typos(text: str, rate: float, generator: np.random.Generator) -> str:
    letters = list(text)
    out: list[str] = []
    i = 0
    while i < len(letters):
        letter = letters[i]
        if letter.isalpha() and generator.random() < rate:
            way = int(generator.integers(4))
            if way == 0 and i + 1 < len(letters):
                out += [letters[i + 1], letter]
                i += 1
            elif way == 1:
                out += [letter, letter]
            elif way == 2:
                out.append(_KEYS.get(letter.lower(), letter))
        else:
            out.append(letter)
        i += 1
    return "".join(out)
