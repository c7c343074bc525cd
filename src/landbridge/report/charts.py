"""The drawings of an assessment as inline SVG: the map, the layers, the learning curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from landbridge.report.scale import Scale, spanning
from landbridge.report.words import clip, number, source_name

COLOURS = 8  # of Okabe & Ito 2008, told apart by people of any colour vision; beyond them shapes change
SHAPES = 4
WIDTH = 640


def scatter(places: np.ndarray, groups: Sequence[int], tips: Sequence[str], astray: Sequence[bool]) -> Markup:
    """Places Nx2 in [0, 1]; `groups` are colours and shapes by number, -1 for faint; what went astray gets a ring."""
    size, edge = WIDTH, 12
    parts = []
    order = sorted(range(len(groups)), key=lambda i: (groups[i] >= 0, astray[i]))
    for i in order:
        x, y = (edge + float(v) * (size - 2 * edge) for v in (places[i][0], 1 - places[i][1]))
        tone = f"k{groups[i] % COLOURS}" if groups[i] >= 0 else "faint"
        ring = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="7"/>' if astray[i] else ""
        tip = f"<title>{escape(clip(tips[i], 160))}</title>"
        parts.append(f"<g>{tip}{ring}{_mark(x, y, max(groups[i], 0) // COLOURS % SHAPES, tone)}</g>")
    return svg(size, size, "map", "map of the features", "".join(parts))


def key(number_: int) -> Markup:
    """The mark of a group, for a legend."""
    return svg(14, 14, "map key", "", _mark(7, 7, number_ // COLOURS % SHAPES, f"k{number_ % COLOURS}"), fixed=True)


def _mark(x: float, y: float, shape: int, tone: str) -> str:
    if shape == 0:
        return f'<circle class="{tone}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    corners = {1: [(-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)], 2: [(0, -4.8), (4.4, 3.4), (-4.4, 3.4)],
               3: [(0, -5), (5, 0), (0, 5), (-5, 0)]}[shape]  # fmt: skip
    return f'<polygon class="{tone}" points="{" ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in corners)}"/>'


def layers(sources: Sequence[Mapping[str, Any]]) -> Markup:
    """The probe's score at every depth, a line for each source, its best layer marked with its interval."""
    height = 250
    bounds = [v for s in sources for x in s["layers"] if x["name"] == s["best"] for v in (x["interval"] or ())]
    y = spanning([x["value"] for s in sources for x in s["layers"]] + bounds, height - 34, 14)
    parts = _grid(y, 44, WIDTH - 8)
    for i, source in enumerate(sources):
        found = source["layers"]
        x = Scale(0.0, max(1.0, len(found) - 1.0), 52, WIDTH - 16)
        path = " ".join(f"{x(k)},{y(layer['value'])}" for k, layer in enumerate(found))
        parts.append(f'<polyline class="line k{i % COLOURS}" points="{path}"/>')
        for k, layer in enumerate(found):
            best = layer["name"] == source["best"]
            if best and layer["interval"]:
                low, high = (y(v) for v in layer["interval"])
                parts.append(f'<line class="bar k{i % COLOURS}" x1="{x(k)}" x2="{x(k)}" y1="{low}" y2="{high}"/>')
            tip = f"{source_name(source['source'])} {layer['name']}: {number(layer['value'])}"
            parts.append(
                f'<circle class="k{i % COLOURS}" cx="{x(k)}" cy="{y(layer["value"])}" r="{5 if best else 2.6}">'
                f"<title>{escape(clip(tip, 160))}</title></circle>"
            )
    parts.append(f'<text class="x" x="52" y="{height - 12}" text-anchor="start">first block</text>')
    parts.append(f'<text class="x" x="{WIDTH - 10}" y="{height - 12}" text-anchor="end">last layer</text>')
    return svg(WIDTH, height, "chart", "probe by layer", "".join(parts))


def learning(labels: Mapping[str, Any]) -> Markup:
    """The measured points with their spread, the law through them, its band, and where it goes beyond the data."""
    height, now = 270, labels["rows"][-1]
    line = labels["line"]
    x = Scale(math.log(line[0]["rows"]), math.log(line[-1]["rows"]), 52, WIDTH - 16)
    spread = [s + d * side for s, d in zip(labels["scores"], labels["spread"], strict=True) for side in (-1, 1)]
    inside = [p for p in line if p["rows"] >= labels["rows"][0]]
    y = spanning([*spread, *(p["high"] for p in inside), *(p["low"] for p in inside)], height - 40, 12)
    parts = _grid(y, 44, WIDTH - 8)
    upper = [f"{x(math.log(p['rows']))},{y(p['high'])}" for p in line]
    lower = [f"{x(math.log(p['rows']))},{y(p['low'])}" for p in reversed(line)]
    parts.append(f'<polygon class="band" points="{" ".join(upper + lower)}"/>')
    for kind, some in (("line k0", [p for p in line if p["rows"] <= now * 1.06]),
                       ("line ahead k0", [p for p in line if p["rows"] >= now * 0.94])):  # fmt: skip
        path = " ".join(f"{x(math.log(p['rows']))},{y(p['score'])}" for p in some)
        parts.append(f'<polyline class="{kind}" points="{path}"/>')
    for rows, score, off in zip(labels["rows"], labels["scores"], labels["spread"], strict=True):
        at = x(math.log(rows))
        parts.append(f'<line class="bar k0" x1="{at}" x2="{at}" y1="{y(score - off)}" y2="{y(score + off)}"/>')
        tip = f"{rows} labels: {number(score)}, ± {number(off)} from one division to another"
        parts.append(f'<circle class="k0" cx="{at}" cy="{y(score)}" r="4"><title>{escape(tip)}</title></circle>')
        parts.append(f'<text class="x" x="{at}" y="{height - 20}">{rows}</text>')
    at = x(math.log(now))
    parts.append(f'<line class="now" x1="{at}" x2="{at}" y1="12" y2="{height - 40}"/>')
    parts.append(f'<text class="x" x="{x(math.log(2 * now))}" y="{height - 20}">twice</text>')
    parts.append(f'<text class="x" x="{WIDTH / 2}" y="{height - 4}">labels</text>')
    return svg(WIDTH, height, "chart", "learning curve of the probe", "".join(parts))


def _grid(y: Scale, left: float, right: float) -> list[str]:
    return [
        f'<line class="grid" x1="{left}" x2="{right}" y1="{y(t)}" y2="{y(t)}"/>'
        f'<text class="y" x="{left - 4}" y="{y(t) + 3}">{t:g}</text>'
        for t in y.ticks()
    ]


def svg(width: float, height: float, kind: str, title: str, inside: str, *, fixed: bool = False) -> Markup:
    """A drawing of that size with a title for those who cannot see it; as wide as the page unless it is fixed."""
    size = f'width="{width}" height="{height}"' if fixed else f'style="max-width:{width}px"'
    role = f'role="img" aria-label="{escape(title)}"' if title else 'aria-hidden="true"'
    return Markup(f'<svg class="{kind}" viewBox="0 0 {width} {height}" {size} {role}>{inside}</svg>')
