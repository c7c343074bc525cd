"""A domain in a few lines, for printing before anything else happens."""

from __future__ import annotations

from landbridge.core.domain import Domain

_SHOWN = 6


def summary(domain: Domain) -> list[str]:
    """Lines that say what was read, how it is split, what was assumed with its option, and what the checks found."""
    task = domain.task
    fold = domain.folds[0]
    pair = fold.pairs[0]
    lines = [f"{domain.name}: {len(domain)} rows of {domain.modality.part_name}, {task.part_name} by {task.metric}"]
    classes = domain.facts.get("classes")
    if classes:
        shown = ", ".join(f"{name} {count}" for name, count in list(classes.items())[:_SHOWN])
        more = f", and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else ""
        lines.append(f"classes ({len(classes)}): {shown}{more}")
    elif "target" in domain.facts:
        target = domain.facts["target"]
        lines.append(f"target: {target['min']:.4g} to {target['max']:.4g}, mean {target['mean']:.4g}")
    sizes = f"train {len(pair.train)}, validation {len(pair.validation)}, test {len(fold.test)}"
    repeats = f" ({len(domain.folds)} folds, {len(fold.pairs)} pairs each)" if len(domain.folds) > 1 else ""
    repeats = repeats or (f" ({len(fold.pairs)} pairs)" if len(fold.pairs) > 1 else "")
    lines.append(f"split: {sizes}{repeats}; {domain.facts.get('split', 'as given')}")
    lines += [f"assumed: {a.what}, because {a.because} (change: {a.option})" for a in domain.assumptions]
    lines += [f"check: {c['name']}: {c['found']}, {c['detail']}" for c in domain.facts.get("checks", ())]
    return lines
