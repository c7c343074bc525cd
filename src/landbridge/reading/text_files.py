"""Checks of a text file before a parser sees it: encoding, NUL bytes, quotes; in blocks, whatever its size."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from landbridge.core.errors import DataError
from landbridge.reading.packed import unpacked

BLOCK = 4 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class TextFile:
    """A text file that can be decoded: its encoding for Python, and whether its quote characters pair up.

    `path` is what messages name, `file` where its text lies: elsewhere only if it is packed.
    """

    path: Path
    encoding: str
    even_quotes: bool
    file: Path

    @property
    def arrow_encoding(self) -> str:
        """The encoding's name for pyarrow, which skips a UTF-8 mark by itself."""
        return "utf-8" if self.encoding.startswith("utf-8") else self.encoding

    def lines(self) -> Iterator[tuple[int, str]]:
        """Line number from 1 and text without its end."""
        with self.file.open(encoding=self.encoding, newline=None) as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\n")


def open_text(path: Path, cache: Path | None = None) -> TextFile:
    """Check a text file from end to end; DataError naming byte and line of what cannot be read."""
    try:
        plain = unpacked(path, cache)
        with plain.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from error
    if not head:
        raise DataError(f"{path}: the file is empty (0 bytes); give a file with data")
    if head[:2] == b"\x1f\x8b":
        raise DataError(f"{path}: the file is compressed with gzip; end its name in .gz or unpack it (gunzip)")
    encoding = next((name for mark, name in _BOMS if head.startswith(mark)), "utf-8")
    return TextFile(path, encoding, _scan(path, plain, encoding) % 2 == 0, plain)


def _scan(path: Path, plain: Path, encoding: str) -> int:
    """The number of double quotes, after every byte has been decoded once."""
    quotes = lines = offset = 0
    tail = b""
    wide = encoding == "utf-16"
    decoder = codecs.getincrementaldecoder(encoding)()
    with plain.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            if not wide and b"\0" in block:
                line = lines + block[: block.index(b"\0")].count(b"\n") + 1
                raise DataError(f"{path}: line {line} holds a NUL byte; this is no text file or it is damaged")
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = offset - len(tail) + error.start
                raise _wrong_encoding(path, plain, at, error) from error
            tail = decoder.getstate()[0]
            if not block:
                return quotes
            quotes += block.count(b'"')
            lines += block.count(b"\n")
            offset += len(block)


def _wrong_encoding(path: Path, plain: Path, at: int, error: UnicodeDecodeError) -> DataError:
    with plain.open("rb") as file:
        before = file.read(at)
        byte = file.read(1)
    line = before.count(b"\n") + 1
    shown = f"0x{byte[0]:02x}" if byte else "the end"
    return DataError(
        f"{path}: not UTF-8 at byte {at} (line {line}, {shown}: {error.reason}); save the file as UTF-8, "
        "such as with: iconv -f latin1 -t utf-8"
    )


def open_quote(text: TextFile, delimiter: str) -> int | None:
    """The line where a quote is opened and never closed, or None; only asked when quotes do not pair up."""
    with text.file.open(encoding=text.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        begun = 1
        try:
            for _ in reader:
                begun = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end" in str(error) or "field limit" in str(error):
                return begun
    return None


def head_rows(text: TextFile, delimiter: str, quoting: bool, count: int = 50) -> list[list[str]]:
    """The first rows that are not blank, as cells."""
    with text.file.open(encoding=text.encoding, newline="") as file:
        start = file.read(1 << 20)
    mode = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(start, newline=""), delimiter=delimiter, quoting=mode):
            if row and any(cell.strip() for cell in row):
                rows.append(row)
            if len(rows) >= count:
                break
    except csv.Error:
        pass  # a cell longer than the reader takes; the first rows are enough
    return rows
