"""The model card: complete, filled from the evidence, and inert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from landbridge.bridges.native import Native
from landbridge.core.recipe import Recipe
from landbridge.delivery.card import interval, number, render
from landbridge.delivery.portable import portable

RECIPE = Recipe(source="embedded:minilm", bridge=Native(), stages=())


def evidence(**more: Any) -> dict[str, Any]:
    """Evidence of a small text run whose names are hostile."""
    evil = "<script>alert(1)</script> | x [y](http://evil.example) `z`"
    return {
        "name": evil,
        "headline": f"Transfer paid on {evil}",
        "domain": {"modality": "text", "task": "classify", "train": 90, "validation": 30, "test": 100, "classes": 3},
        "chosen": {"name": "probe", "recipe": {}},
        "test": {"metric": "accuracy", "value": 0.9123, "interval": [0.85, 0.95], "opened": 1},
        "controls": [{"name": "rival", "value": 0.8, "interval": [0.7, 0.9]}],
        "gain": {"value": 0.1123, "interval": [0.02, 0.2], "against": "rival", "verdict": "gain"},
        "checks": [{"name": "duplicates", "found": 2, "detail": evil}, {"name": "leaks", "found": 0, "detail": "none"}],
        "assumptions": [{"what": evil, "because": evil, "option": "--task"}],
        "findings": [
            {"name": f"classes.{evil}", "value": 0.5, "interval": [0.1, 0.9], "severity": "warning", "detail": evil},
            {"name": "slices.site=north", "value": 0.7, "interval": None, "severity": "note", "detail": ""},
        ],
        "source": {"licence": "apache-2.0", "sha256": "ab" * 32},
        "environment": {"torch": "2.13", "python": "3.11"},
        "command": "landbridge run data --note '```'",
        "seed": 4,
        **more,
    }


def test_the_card_is_filled_from_the_evidence() -> None:
    card = render(evidence(), RECIPE)
    assert card.startswith("---\nlibrary_name: landbridge\n")
    assert "pipeline_tag: text-classification" in card and "license: apache-2.0" in card
    for wanted in (
        "0.9123",
        "0.8500 to 0.9500",
        "+0.1123",
        "ab" * 32,
        "| train | 90 |",
        "north",
        "seed 4",
        "torch 2.13",
    ):
        assert wanted in card, wanted
    for title in ("Intended use", "Data", "Recipe and source", "Results", "Per class (F1)", "Limits", "Reproduce"):
        assert f"## {title}" in card


def test_names_of_the_data_are_inert_in_markdown_and_html() -> None:
    card = render(evidence(), RECIPE)
    assert "<script" not in card and "http://" not in card and not re.search(r"(?<!\\)\]\(", card)
    tables = [line for line in card.splitlines() if line.startswith("| ") and "alert" in line]
    assert tables and all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in tables)
    assert "````sh\nlandbridge run data --note '```'\n````" in card


def test_a_loss_is_said_among_the_limits() -> None:
    lost = evidence(gain={"value": -0.1, "interval": [-0.2, -0.02], "against": "rival", "verdict": "loss"})
    assert "- Transfer did not pay on this data" in render(lost, RECIPE)
    assert "did not pay" not in render(evidence(), RECIPE)


def test_what_an_artifact_holds_of_training_rows_is_said_among_the_limits() -> None:
    assert "the features of 90 training examples" in render(evidence(held_features=90), RECIPE)
    assert "holds 90 training rows: their labels" in render(evidence(held_rows=90), RECIPE)
    assert "averages of the features of 70 training examples" in render(evidence(remembered={"rows": 70}), RECIPE)
    assert "training examples" not in render(evidence(remembered={"rows": 0, "why": "a control"}), RECIPE)
    assert "training examples" not in render(evidence(), RECIPE)


@pytest.mark.parametrize("missing", ["findings", "assumptions", "checks", "source", "environment", "command", "gain"])
def test_a_card_without_optional_evidence_is_still_a_card(missing: str) -> None:
    poor = evidence()
    del poor[missing]
    assert "## Results" in render(poor, RECIPE)


def test_numbers_are_written_alike() -> None:
    assert [number(v) for v in (0.5, -12.3456, None)] == ["0.5000", "-12.35", "n/a"]
    assert interval([0.1, 2.0]) == "0.1000 to 2" and interval(None) == ""


def test_private_paths_are_cut_to_their_names(tmp_path: Path) -> None:
    data = tmp_path / "photos"
    data.mkdir()
    value = {"command": f"run {data} --out {data}/out", "deep": [{"at": str(data)}, 3, None], str(data): 1}
    assert portable(value, [data]) == {
        "command": "run photos --out photos/out",
        "deep": [{"at": "photos"}, 3, None],
        "photos": 1,
    }
    assert portable(value, [Path("photos")]) == value
    assert portable(value, [tmp_path, data])["deep"][0] == {"at": "photos"}


def test_the_card_of_a_mean_says_so() -> None:
    chosen = {"name": "soup of full; learning rate `0.1`", "recipe": {}, "members": [{"name": "full"}, {"name": "b"}]}
    text = render(evidence(chosen=chosen), RECIPE)
    assert "| weights: the mean of 2 models | `soup of full; learning rate '0.1'` |" in text
    assert "recipe of the first" in text and "recipe of the first" not in render(evidence(), RECIPE)
