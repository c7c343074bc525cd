"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def number(value: float | None, digits: int = 3) -> str:
    """Three decimals for shares, three significant digits for larger values, a true minus sign."""
    if value is None or not math.isfinite(value):
        return "n/a"
    text = f"{value:.{digits}f}" if abs(value) < 10 else f"{value:,.4g}" if abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: float | None) -> str:
    """A difference, with its sign."""
    if value is None or not math.isfinite(value):
        return "n/a"
    return ("+" if value >= 0 else "") + number(value)


def interval(bounds: Sequence[float] | None) -> str:
    """Low to high, or nothing."""
    return f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "n/a"


def seconds(value: float | None) -> str:
    """A duration: 8.3 s, 2 min 5 s, 1 h 12 min."""
    if value is None or not math.isfinite(value):
        return "n/a"
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    unit, small, large = (60, "s", "min") if whole < 3600 else (3600, "min", "h")
    rest = whole % 60 if unit == 60 else whole % 3600 // 60
    return f"{whole // unit} {large}" + (f" {rest} {small}" if rest else "")


def amount(value: float | None) -> str:
    """A count: 812, 3.4 k, 22.7 M."""
    if value is None:
        return "n/a"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:g}"


def clip(text: Any, most: int = 120) -> str:
    """One line of at most `most` characters, without control or direction-changing characters."""
    flat = "".join(c if c.isprintable() else " " for c in str(text)[: most + 1]).strip()
    return flat if len(str(text)) <= most else flat[: most - 1] + "…"


def answer(value: Any) -> str:
    """A label or a value: numbers short, label sets joined."""
    if isinstance(value, float):
        return number(value)
    return clip(", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else value, 80)


def source_name(address: Any) -> str:
    """A source's address without the folders of this machine."""
    scheme, _, rest = clip(address, 400).partition(":")
    return f"{scheme}:{rest.rstrip('/').rsplit('/', 1)[-1]}" if rest else scheme


def metric_name(name: Any) -> str:
    """`balanced_accuracy` as words."""
    known = {
        "auc": "AUC",
        "macro_f1": "macro F1",
        "micro_f1": "micro F1",
        "r2": "R²",
        "neg_log_loss": "negated log loss",
    }
    return known.get(str(name), clip(name, 60).replace("_", " "))
