"""One value, three spellings: Python object, command-line text, JSON. Each converts to the others without loss.

lora(rank=16)   <->   LoRA(rank=16)   <->   {"part": "lora", "rank": 16, "alpha": 16.0, ...}
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from landbridge.core import registry
from landbridge.core.errors import UnknownName, UsageError
from landbridge.core.parts import fields_of, name_of, rules


def parse(group: str, text: str) -> Any:
    """Build a part from command-line text such as `lora(rank=8)`, `partial(2)` or `full`."""
    name, arguments, keywords = _call(text)
    cls = registry.find(group, name)
    fields = list(rules(cls))
    if len(arguments) > len(fields):
        raise UsageError(f"{name} takes at most {len(fields)} values, got {len(arguments)} in '{text}'")
    values = dict(zip(fields, arguments, strict=False))
    for key, value in keywords.items():
        if key in values:
            raise UsageError(f"{name}: {key} is given twice in '{text}'")
        values[key] = value
    return build(group, name, values)


def text(value: object) -> str:
    """The shortest command-line text that parses back to an equal part: fields at their default are left out."""
    cls = type(value)
    default = cls()
    shown = [f"{k}={v!r}" for k, v in fields_of(value).items() if v != getattr(default, k)]
    return name_of(value) + (f"({', '.join(shown)})" if shown else "")


def to_json(value: object) -> dict[str, Any]:
    """A part as plain JSON with every field written out."""
    return {"part": name_of(value), **fields_of(value)}


def from_json(group: str, data: Mapping[str, Any]) -> Any:
    """The part that `to_json` wrote."""
    if "part" not in data:
        raise UsageError(f"a {group.removesuffix('s')} needs a 'part' name, got {dict(data)!r}")
    return build(group, str(data["part"]), {k: v for k, v in data.items() if k != "part"})


def build(group: str, name: str, values: Mapping[str, Any]) -> Any:
    """Build a registered part from field values; an unknown field offers the nearest ones."""
    cls = registry.find(group, name)
    for key in values:
        if key not in rules(cls):
            raise UnknownName(f"field of {name}", key, rules(cls))
    return cls(**values)


def _call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Take `name(1, key=2)` apart without evaluating anything but literals."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, [], {}
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            arguments = [_literal(node) for node in tree.args]
            keywords = {k.arg: _literal(k.value) for k in tree.keywords if k.arg is not None}
            if len(keywords) == len(tree.keywords):
                return tree.func.id, arguments, keywords
    except (SyntaxError, ValueError, TypeError):
        pass
    raise UsageError(f"cannot read '{text}' as a part; write it as name or name(field=value), such as lora(rank=8)")


def _literal(node: ast.expr) -> Any:
    """A literal, with the bare words true, false and option names allowed as the shell makes quotes a burden."""
    if isinstance(node, ast.Name):
        return {"true": True, "false": False}.get(node.id, node.id)
    return ast.literal_eval(node)
