"""HTML that comes inside the evidence (thumbnails) is passed through an allow-list, wherever the evidence came from."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from markupsafe import Markup

_DRAWN = {"viewbox", "points", "d", "x", "y", "x1", "x2", "y1", "y2", "r", "cx", "cy", "fill", "stroke", "stroke-width"}
_TEXT = ("p", "b", "i", "em", "strong", "code", "span", "table", "tr", "th", "title", "br", "div")
_SHAPES = ("svg", "g", "path", "polyline", "line", "rect", "circle")
_ALLOWED: dict[str, set[str]] = {
    **{tag: set() for tag in _TEXT},
    **{tag: _DRAWN | {"width", "height", "role"} for tag in _SHAPES},
    "td": {"colspan"},
    "img": {"src", "width", "height", "alt"},
    "audio": {"src", "controls", "preload"},
}
_VOID = {"img", "br"}
_DATA = re.compile(r"data:(image/(png|jpeg|webp|gif)|audio/(wav|ogg|mpeg|flac));base64,[A-Za-z0-9+/=]*")
_PLAIN = re.compile(r"[\w\s.,#%+-]*")  # no parentheses or colons: a colour may not be an address


def inert(fragment: str) -> Markup:
    """The fragment with every tag and attribute dropped that could run, load or link; its text stays, escaped."""
    cleaner = _Cleaner()
    cleaner.feed(fragment)
    cleaner.close()
    return Markup("".join(cleaner.out) + "".join(f"</{tag}>" for tag in reversed(cleaner.open)))


class _Cleaner(HTMLParser):
    """Writes allowed tags again, attribute by attribute, and closes what was left open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a known tag with its harmless attributes."""
        if tag not in _ALLOWED:
            return
        kept = [f' {_spelt(n)}="{escape(v or "")}"' for n, v in attrs if n in _ALLOWED[tag] and _harmless(n, v or "")]
        self.out.append(f"<{tag}{''.join(kept)}>")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close a tag that is open, and what was left open inside it."""
        if tag in self.open:
            while (last := self.open.pop()) != tag:
                self.out.append(f"</{last}>")
            self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Text is escaped again; what stood inside a dropped tag is text as well."""
        self.out.append(escape("".join(c if c.isprintable() or c == "\n" else " " for c in data)))


def _harmless(name: str, value: str) -> bool:
    if name == "src":
        return _DATA.fullmatch(value) is not None
    return name == "alt" or _PLAIN.fullmatch(value) is not None


def _spelt(name: str) -> str:
    return "viewBox" if name == "viewbox" else name
