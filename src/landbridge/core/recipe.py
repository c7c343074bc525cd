"""A recipe says how knowledge crosses: a source, a bridge and a list of stages. A plain frozen value."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from landbridge.core import codec
from landbridge.core.errors import DataError, UnknownName, UsageError
from landbridge.core.parts import Rule

LENGTH: dict[str, Rule] = {
    "epochs": Rule(kind=int, low=0, high=10_000),
    "lr": Rule(kind=float, low=0.0, high=10.0),
    "batch": Rule(kind=int, low=1, high=65_536),
    "decay": Rule(kind=float, low=0.0, high=10.0),
    "patience": Rule(kind=int, low=0, high=10_000),
    "average": Rule(kind=str, options=("none", "ema", "swa", "wise")),
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A tuning, one or more objectives and a length; `epochs=0` leaves the length to the engine.

    `lr` is the peak rate of the fastest group, 0 for the tuning's own default; `decay` is decoupled weight decay, which
    spares norms and biases; `patience` counts evaluations without a better validation score, 0 for no early stop;
    `average` keeps an exponential (ema) or uniform late (swa) average of the weights for evaluation, or goes back from
    the stage's end toward its start as far as validation rows ask for (wise).
    """

    tuning: Any
    objectives: tuple[Any, ...]
    epochs: int = 0
    lr: float = 0.0
    batch: int = 32
    decay: float = 0.01
    patience: int = 5
    average: str = "none"

    def __post_init__(self) -> None:
        for name, rule in LENGTH.items():
            rule.check("stage", name, getattr(self, name))
        if not self.objectives:
            raise UsageError("stage: objectives must name at least one objective, got none")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with every field."""
        rest = {name: getattr(self, name) for name in LENGTH}
        return {
            "tuning": codec.to_json(self.tuning),
            "objectives": [codec.to_json(o) for o in self.objectives],
            **rest,
        }

    @classmethod
    def from_json(cls, data: object) -> Stage:
        """A stage from JSON or TOML; parts may be objects or command-line texts."""
        if not isinstance(data, Mapping):  # files hold anything
            raise UsageError(f"recipe: a stage must be a table of fields such as tuning, got {data!r}")
        data = cast("Mapping[str, Any]", data)
        known = {f.name for f in fields(cls)} | {"objective"}
        for key in data:
            if key not in known:
                raise UnknownName("field of stage", key, known)
        rest = {k: v for k, v in data.items() if k in LENGTH}
        raw = data.get("objectives", data.get("objective", "supervised"))
        objectives = cast("list[Any]", raw) if isinstance(raw, list) else [raw]
        return cls(
            tuning=_part("tunings", data.get("tuning", "probe")),
            objectives=tuple(_part("objectives", o) for o in objectives),
            **rest,
        )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A source, the bridge by which the data reaches it, and the stages of training.

    A recipe without stages is a control that fits itself: `rival:tfidf`, `rival:trivial`.
    """

    source: str
    bridge: Any
    stages: tuple[Stage, ...]

    @property
    def name(self) -> str:
        """Short and readable: what moves, on what, over what."""
        steps = " > ".join("+".join([codec.text(s.tuning), *_unusual(s.objectives)]) for s in self.stages)
        head = self.source if len(self.source) < 48 else self.source.split(":")[0] + ":" + Path(self.source).name
        bridge = "" if codec.text(self.bridge) == "native" else f" via {codec.text(self.bridge)}"
        return f"{steps or 'fit'} on {head}{bridge}"

    @property
    def command(self) -> str:
        """The options of `landbridge fit` that run just this recipe; a length that differs is said for every stage."""
        words = ["--source", shlex.quote(self.source), "--bridge", shlex.quote(codec.text(self.bridge))]
        for stage in self.stages:
            objectives = "+".join(codec.text(o) for o in stage.objectives)
            words += ["--tuning", shlex.quote(codec.text(stage.tuning)), "--objective", shlex.quote(objectives)]
        default = {f.name: f.default for f in fields(Stage)}
        for name in LENGTH:
            values = [getattr(stage, name) for stage in self.stages]
            if any(v != default[name] for v in values):
                words += [w for v in values for w in (f"--{name}", str(v))]
        return " ".join(words)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with every field."""
        return {
            "source": self.source,
            "bridge": codec.to_json(self.bridge),
            "stages": [s.to_json() for s in self.stages],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """A recipe from JSON or TOML."""
        known = ("source", "bridge", "stages")
        for key in data:
            if key not in known:
                raise UnknownName("field of recipe", key, known)
        if not isinstance(data.get("source"), str):
            raise UsageError(f"a recipe needs a source such as 'embedded:minilm', got {data.get('source')!r}")
        stages = data.get("stages", ())
        if not isinstance(stages, (list, tuple)):
            raise UsageError(f"recipe: stages must be a list of stages, got {stages!r}")
        return cls(
            source=data["source"],
            bridge=_part("bridges", data.get("bridge", "native")),
            stages=tuple(Stage.from_json(s) for s in cast("Sequence[Any]", stages)),
        )

    def to_toml(self) -> str:
        """A recipe file for `--recipe FILE.toml`, parts in command-line spelling."""
        lines = [f"source = {_quoted(self.source)}", f"bridge = {_quoted(codec.text(self.bridge))}"]
        for stage in self.stages:
            lines += ["", "[[stages]]", f"tuning = {_quoted(codec.text(stage.tuning))}"]
            lines += [f"objectives = [{', '.join(_quoted(codec.text(o)) for o in stage.objectives)}]"]
            lines += [f"{n} = {json.dumps(getattr(stage, n))}" for n in LENGTH]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, *, where: str = "recipe") -> Recipe:
        """The recipe of a TOML file; `where` names the file in errors."""
        try:
            return cls.from_json(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"{where}: not readable as TOML ({error}); see docs/recipes.md for the form") from error


def _part(group: str, value: object) -> Any:
    if isinstance(value, str):
        return codec.parse(group, value)
    if isinstance(value, Mapping):
        return codec.from_json(group, cast("Mapping[str, Any]", value))
    raise UsageError(f"recipe: a part of {group} is a text such as 'lora(rank=8)' or an object, got {value!r}")


def _quoted(text: str) -> str:
    """A TOML string: JSON's, but TOML knows no surrogate pairs and forbids a bare delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unusual(objectives: tuple[Any, ...]) -> list[str]:
    return [t for t in (codec.text(o) for o in objectives) if t != "supervised"]
