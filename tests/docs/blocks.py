"""The fenced blocks of the pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block: the comment right above it, its language and its text."""

    page: Path
    mark: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found = _FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(page, m["mark"] or "", m["language"], m["text"]) for m in found]


def marked(page: Path, mark: str) -> str:
    """The text of the one block with this mark."""
    (text,) = [b.text for b in blocks(page) if b.mark == mark]
    return text


def commands(page: Path) -> Iterator[list[str]]:
    """Every landbridge command of a page's shell blocks and of its printed sessions, split into words."""
    for block in blocks(page):
        if block.language not in ("sh", "text"):
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            shown = line.removeprefix("$ ") if block.language == "text" and line.startswith("$ ") else line
            if block.language == "text" and shown == line:
                continue
            for part in shown.split("&&"):
                words = shlex.split(part, comments=True)
                if words and Path(words[0]).name == "landbridge":
                    yield words[1:]
