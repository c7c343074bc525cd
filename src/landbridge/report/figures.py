"""The page's drawings as inline SVG: no library, no script; colours come from the page's style, so dark mode works."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from landbridge.report.scale import Scale, spanning
from landbridge.report.words import clip, number, percent

STRIP_WIDTH, STRIP_HEIGHT = 220, 18
Bounds = Sequence[float] | None


def strip_scale(rows: Sequence[tuple[float | None, Bounds]], *, extra: Sequence[float] = ()) -> Scale:
    """One scale for all strips of a table, so that they can be compared down the column."""
    values = [v for value, bounds in rows for v in (value, *(bounds or ()))]
    return spanning([*values, *extra], 8, STRIP_WIDTH - 8)


def strip(value: float | None, bounds: Bounds, scale: Scale, *, tone: str = "", mark: float | None = None) -> Markup:
    """A dot with its interval in one table cell; `mark` draws a faint line to compare with."""
    if value is None or not math.isfinite(value):
        return Markup("")
    middle = STRIP_HEIGHT / 2
    parts = [f'<line class="rail" x1="{scale.start}" x2="{scale.end}" y1="{middle}" y2="{middle}"/>']
    if mark is not None and math.isfinite(mark):
        parts.append(f'<line class="mark" x1="{scale(mark)}" x2="{scale(mark)}" y1="0" y2="{STRIP_HEIGHT}"/>')
    told = number(value)
    if bounds is not None:
        low, high = (scale(v) for v in bounds)
        parts.append(f'<line class="interval" x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>')
        told += f" [{number(bounds[0])}, {number(bounds[1])}]"
    parts.append(f'<circle class="dot" cx="{scale(value)}" cy="{middle}" r="4.2"/>')
    return _svg(STRIP_WIDTH, STRIP_HEIGHT, f"strip {tone}".strip(), told, "".join(parts), fixed=True)


def axis(scale: Scale) -> Markup:
    """The ruler above a column of strips."""
    ticks = scale.ticks()
    marks = "".join(
        f'<line x1="{scale(t)}" x2="{scale(t)}" y1="13" y2="18"/><text x="{scale(t)}" y="10">{_tick(t)}</text>'
        for t in ticks
    )
    return _svg(STRIP_WIDTH, STRIP_HEIGHT, "ruler", "", marks, fixed=True)


def curves(points: Sequence[Mapping[str, float]], scale_y: Scale, name: str) -> Markup:
    """One trial: validation score above (best point marked), training loss below, over epochs."""
    last = max((p.get("epoch", 0.0) for p in points), default=1.0)
    x = Scale(0.0, max(last, 1.0), 34, 252)
    parts = [
        f'<line class="grid" x1="34" x2="252" y1="{scale_y(t)}" y2="{scale_y(t)}"/>'
        f'<text class="y" x="30" y="{scale_y(t) + 3}">{_tick(t)}</text>'
        for t in scale_y.ticks(4)
    ]
    scored = [(p["epoch"], p["validation"]) for p in points if _finite(p, "epoch", "validation")]
    if scored:
        parts.append(f'<polyline class="line" points="{" ".join(f"{x(a)},{scale_y(b)}" for a, b in scored)}"/>')
        at, best = max(scored, key=lambda pair: pair[1])
        tip = f"<title>best {number(best)} after {at:g} epochs</title>"
        parts.append(f'<circle class="dot" cx="{x(at)}" cy="{scale_y(best)}" r="3.6">{tip}</circle>')
        side, anchor = (-4, "start") if x(at) < 140 else (4, "end")
        parts.append(f'<text class="best" x="{x(at) + side}" y="{scale_y(best) - 7}" text-anchor="{anchor}">')
        parts.append(f"{number(best, 3)}</text>")
    losses = [(p["epoch"], p["loss"]) for p in points if _finite(p, "epoch", "loss")]
    if losses:
        y = spanning([0.0, *(b for _, b in losses)], 146, 112, bounded=False)
        parts.append(f'<polyline class="loss" points="{" ".join(f"{x(a)},{y(b)}" for a, b in losses)}"/>')
        parts.append(f'<text class="y" x="30" y="{y(losses[0][1]) + 3}">{losses[0][1]:.2g}</text>')
        parts.append('<text class="note" x="252" y="110" text-anchor="end">training loss</text>')
    parts += [f'<text class="x" x="{x(t)}" y="162">{t:g}</text>' for t in x.ticks(5) if t == int(t)]
    parts.append('<line class="base" x1="34" x2="252" y1="149" y2="149"/>')
    return _svg(260, 168, "curve", f"learning curve of {name}", "".join(parts))


def reliability(series: Sequence[tuple[str, Sequence[Mapping[str, float]]]]) -> Markup:
    """Confidence against accuracy for each `(name, bins)`; a bin has confidence, accuracy and count."""
    x, y = Scale(0.0, 1.0, 40, 300), Scale(0.0, 1.0, 270, 10)
    parts = [
        f'<line class="grid" x1="40" x2="300" y1="{y(t)}" y2="{y(t)}"/>'
        f'<text class="y" x="34" y="{y(t) + 3}">{t:g}</text>'
        f'<text class="x" x="{x(t)}" y="286">{t:g}</text>'
        for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    parts.append(f'<line class="ideal" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>')
    for number_, (name, bins) in enumerate(series):
        filled = [b for b in bins if b["count"] > 0]
        most = max((b["count"] for b in filled), default=1)
        path = " ".join(f"{x(b['confidence'])},{y(b['accuracy'])}" for b in filled)
        dots = "".join(_bin(name, b, 1.5 + 2.5 * math.sqrt(b["count"] / most), x, y) for b in filled)
        parts.append(f'<g class="series s{number_}"><polyline points="{path}"/>{dots}</g>')
    parts.append('<text class="title" x="170" y="304">confidence</text>')
    parts.append('<text class="title" transform="translate(10 140) rotate(-90)">share that was right</text>')
    return _svg(312, 310, "reliability", "reliability diagram", "".join(parts))


def _bin(name: str, bin: Mapping[str, Any], radius: float, x: Scale, y: Scale) -> str:
    said, right = bin["confidence"], bin["accuracy"]
    tip = f"{name}: {int(bin['count'])} examples, said {percent(said)}, right {percent(right)}"
    return f'<circle cx="{x(said)}" cy="{y(right)}" r="{radius:.1f}"><title>{escape(clip(tip, 200))}</title></circle>'


def heat(names: Sequence[str], counts: Sequence[Sequence[float]]) -> Markup:
    """Confusion matrix, true class in rows, shaded by the share of the row; at most some 20 classes can be read."""
    many = len(names)
    cell = 44 if many <= 6 else 34 if many <= 12 else 26
    margin = 12 + 6.4 * max((len(clip(n, 22)) for n in names), default=4)
    size, drop = many * cell, 0.72 * margin
    parts: list[str] = []
    for row, counted in enumerate(counts):
        total = sum(counted) or 1.0
        y = drop + row * cell
        label = escape(clip(names[row], 22))
        parts.append(f'<text class="y" x="{margin - 6}" y="{y + cell / 2 + 4:.1f}">{label}</text>')
        for column, count in enumerate(counted):
            share, x = count / total, margin + column * cell
            tone = "none" if not count else "right" if row == column else "wrong"
            tip = f"{names[row]} taken for {names[column]}: {count:g} of {total:g} ({percent(share)})"
            parts.append(
                f"<g><title>{escape(clip(tip, 200))}</title>"
                f'<rect class="{tone}" x="{x:.1f}" y="{y:.1f}" width="{cell - 1.5}" '
                f'height="{cell - 1.5}" rx="2" fill-opacity="{0.05 + 0.9 * share:.2f}"/>'
            )
            if count:
                strong = " strong" if share > 0.55 else ""
                parts.append(
                    f'<text class="n{strong}" x="{x + cell / 2 - 1:.1f}" y="{y + cell / 2 + 4:.1f}">{count:g}</text>'
                )
            parts.append("</g>")
        turned = f"translate({margin + row * cell + cell / 2 + 3:.1f} {drop - 6:.1f}) rotate(-45)"
        parts.append(f'<text class="top" transform="{turned}">{label}</text>')
    return _svg(margin + size + 0.6 * margin, drop + size + 4, "heat", "confusion matrix", "".join(parts))


def shares(rows: Sequence[tuple[str, float]]) -> Markup:
    """One stacked bar of named amounts, such as seconds per trial."""
    total = sum(v for _, v in rows) or 1.0
    at, parts = 0.0, []
    for position, (name, value) in enumerate(rows):
        width = 640 * value / total
        tip = f"{name}: {value:.1f} s ({percent(value / total)})"
        parts.append(
            f'<rect class="share k{position % 4}" x="{at:.1f}" y="0" width="{max(0.5, width - 1):.1f}" height="16">'
            f"<title>{escape(clip(tip, 200))}</title></rect>"
        )
        at += width
    return _svg(640, 16, "stack", "where the seconds went", "".join(parts))


def _svg(width: float, height: float, kind: str, title: str, inside: str, *, fixed: bool = False) -> Markup:
    size = f'width="{width:.0f}" height="{height:.0f}"' if fixed else f'style="max-width:{width * 1.15:.0f}px"'
    role = f'role="img" aria-label="{escape(title)}"' if title else 'aria-hidden="true"'
    tip = f"<title>{escape(title)}</title>" if title else ""
    return Markup(f'<svg class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" {size} {role}>{tip}{inside}</svg>')


def _finite(point: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(point.get(n), (int, float)) and math.isfinite(point[n]) for n in names)


def _tick(value: float) -> str:
    return f"{value:g}"
