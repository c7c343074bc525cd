"""Time comes in from outside: a budget that every room asks before it begins something long."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from landbridge.core.errors import UsageError

STARTED = time.monotonic()  # about when this process did, where the command line imports this first
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Budget:
    """A wall-clock budget in seconds that started at `began`; None means no limit."""

    seconds: float | None = None
    now: Callable[[], float] = time.monotonic
    began: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.now() - self.began

    @property
    def left(self) -> float:
        """Seconds left, infinite without a limit."""
        return float("inf") if self.seconds is None else self.seconds - self.spent


def parse_duration(text: str) -> float:
    """`90`, `90s`, `10m`, `1.5h`, `1h30m` to seconds; UsageError with examples otherwise."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    joined = re.sub(r"\s", "", text.strip().lower())
    if not parts or "".join(n + u for n, u in parts) != joined or (len(parts) > 1 and any(not u for _, u in parts)):
        raise UsageError(f"cannot read '{text}' as a duration; write 90s, 10m or 1h30m")
    total = sum(float(n) * _UNITS[u] for n, u in parts)
    if total <= 0:
        raise UsageError(f"a duration must be more than 0 seconds, got '{text}'")
    return total
