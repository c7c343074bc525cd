"""What leaves this machine carries none of its paths: they are cut to the last name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def portable(value: Any, private: Sequence[Path]) -> Any:
    """The same JSON value with every mention of a private path replaced by its last name, the longest path first.

    Mappings become dicts and sequences lists; a path is replaced as it was given and as it resolves.
    """
    spelt: dict[str, str] = {}
    for path in private:
        for form in {path, path.absolute(), path.resolve()}:
            if form.is_absolute() and form != form.parent:
                spelt[str(form)] = form.name
    order = sorted(spelt.items(), key=lambda pair: -len(pair[0]))
    return _replaced(value, order)


def _replaced(value: Any, order: Sequence[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for path, name in order:
            value = value.replace(path, name)
        return value
    if isinstance(value, Mapping):
        return {_replaced(k, order): _replaced(v, order) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(v, order) for v in value]
    return value
