"""Who plays against whom: peers with their settings, sets with their labels, bodies, and the time we may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Side:
    """A peer: its runner, the environment it needs ("" for ours), its default and its sensible setting."""

    name: str
    runner: str
    environment: str
    settings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Match:
    """Sides, the leading one first, on cells of a set and a number of labels a class (None: all)."""

    sides: tuple[Side, ...]
    cells: Mapping[str, tuple[str, int | None]]
    body: str = ""  # theirs
    source: str = ""  # ours
    share: float | None = None  # of the leading peer's time that ours may take
    curve: bool = False  # whether theirs is measured along the way


TEXTS = ("sst2", "ag_news_test", "banking77", "amazon_multidomain")
TABLES = (
    "adult", "breast_cancer_wisconsin", "german_credit", "phoneme", "pima_diabetes", "telco_churn_disc", "titanic",
    "wine_quality_red", "wine_quality_white",
)  # fmt: skip


def each(name: str, runner: str, environment: str, *settings: str) -> tuple[Side, ...]:
    """A peer of which all settings are run, as none of them is the one default."""
    return tuple(Side(name=name, runner=runner, environment=environment, settings=(s,)) for s in settings)


SETFIT = Side(name="setfit", runner="setfit", environment="setfit", settings=("default", "pairs20"))
FULL = Side(name="full", runner="transformers", environment="", settings=("full", "full_long"))
PROBE = Side(name="probe", runner="probe", environment="", settings=("default",))
LORA = each("lora", "transformers", "", "lora", "lora_tour")
FASTAI = each("fastai", "fastai", "fastai", "book", "long")
AUTOGLUON = each("autogluon", "autogluon", "autogluon", "medium_quality", "best_quality")
AUTOMM = each("automm", "automm", "automm", "minilm")
MATCHES = {
    "setfit": Match(
        sides=(SETFIT, FULL, PROBE), body="minilm", source="embedded:minilm", share=1 / 2,
        cells={f"{name}_{k}": (name, k) for name in TEXTS for k in (8, 64)},
    ),
    "lora": Match(
        sides=LORA, body="minilm", source="embedded:minilm", share=1 / 5, curve=True,
        cells={name: (name, None) for name in ("banking77", "ag_news_test")},
    ),
    "fastai": Match(
        sides=FASTAI, body="timm_mobilenetv2_100", source="transformers:{weights}/mobilenet_v2_1.0_224",
        share=1 / 5, curve=True,
        cells={name: (name, None) for name in ("hymenoptera", "magnetic_tile")},
    ),
    "automm": Match(
        sides=AUTOMM, body="minilm", source="embedded:minilm",
        cells={f"{name}_{k}": (name, k) for name in TEXTS for k in (8, 64)},
    ),
    "autogluon": Match(sides=AUTOGLUON, cells={name: (f"tab_{name}", None) for name in TABLES}),
}  # fmt: skip
