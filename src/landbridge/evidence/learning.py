"""Learning curves of all trials as one tidy table, for a figure."""

from __future__ import annotations

from collections.abc import Iterable

from landbridge.core.finding import Trial

COLUMNS = ("epoch", "loss", "validation", "seconds")


def curves(trials: Iterable[Trial]) -> list[dict[str, str | int | float | None]]:
    """One record for each point of each curve; `best` marks the highest validation value of its curve."""
    records: list[dict[str, str | int | float | None]] = []
    for trial in trials:
        scores = [point["validation"] for point in trial.curve if "validation" in point]
        best = max(scores, default=None)
        for point in trial.curve:
            where = {"trial": trial.name, "role": trial.role, "fold": trial.fold, "pair": trial.pair}
            marked = int(best is not None and point.get("validation") == best)
            records.append({**where, **{name: point.get(name) for name in COLUMNS}, "best": marked})
    return records
