"""`assess` and `plan` as a person calls them; the test rows stay shut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import landbridge
from landbridge.core import registry
from landbridge.core.domain import Domain
from landbridge.core.errors import UsageError
from landbridge.testing import toy_domain


@pytest.fixture(scope="module")
def assessed(encoder: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("assessed")
    found = landbridge.assess(toy_domain("text", rows=120, classes=3), sources=[encoder], out=folder, cache_size=0)
    return found, (folder / "assess.html").read_text()


def poisoned(domain: Domain) -> Domain:
    """Other texts and other labels in the test rows."""
    test = domain.folds[0].test
    cells, targets = list(domain.cells), domain.targets.copy()
    for row in test:
        cells[row] = "poison of another world"
    targets[test] = (targets[test] + 1) % 3
    return replace(domain, cells=cells, targets=targets)


def figures(found: Any) -> Any:
    """All but times and the checks, which are there to look at all rows."""
    if isinstance(found, dict):
        dropped = ("checks", "peak_mb", "peak_mb_interval")
        return {k: figures(v) for k, v in found.items() if k not in dropped and not k.startswith("seconds")}
    return [figures(v) for v in found] if isinstance(found, list) else found


def test_assess_says_layers_nearness_confusion_and_labels(assessed: tuple[dict[str, Any], str], encoder: str) -> None:
    found, _ = assessed
    (source,) = found["sources"]
    assert [layer["name"] for layer in source["layers"]] == ["block 1", "block 2", "end"]
    best = next(layer for layer in source["layers"] if layer["name"] == source["best"])
    assert best["value"] == max(layer["value"] for layer in source["layers"])
    assert best["interval"][0] <= best["value"] <= best["interval"][1]
    assert source["near"]["wording"]["limit"] == 20 and source["near"]["norms"] is None
    assert {c["class"] for c in found["separability"]} == {"class 0", "class 1", "class 2"}
    assert found["labels"]["rows"][-1] == found["looked_at"] == 90
    assert found["probes"] and json.dumps(found, allow_nan=False)


def test_the_page_stands_alone(assessed: tuple[dict[str, Any], str]) -> None:
    _, page = assessed
    assert page.count("<svg") >= 3 and "default-src 'none'" in page and "<script" not in page
    assert "http://" not in page and "https://" not in page and "class 2" in page


def test_assess_never_touches_test_rows(assessed: tuple[dict[str, Any], str], encoder: str) -> None:
    domain = poisoned(toy_domain("text", rows=120, classes=3))
    again = landbridge.assess(domain, sources=[encoder], cache_size=0)
    assert figures(again) == figures(assessed[0])


def test_the_plan_ranks_with_cost_and_reason(encoder: str) -> None:
    domain = toy_domain("text", rows=120, classes=3)
    noisy = domain.targets.copy()
    noisy[np.random.default_rng(0).permutation(120)[:50]] = 0  # so that something is left to win
    found = landbridge.plan(replace(domain, targets=noisy), sources=[encoder], budget="5m", cache_size=0)
    recipes = found["recipes"]
    assert [r["rank"] for r in recipes] == list(range(1, len(recipes) + 1))
    able = [r["predicted"]["value"] for r in recipes if not r["against"]]
    assert able == sorted(able, reverse=True)
    probes, tuned = ([r for r in recipes if r["measured"] is m] for m in (True, False))
    assert max(r["turn"] for r in probes) < min(r["turn"] for r in tuned)  # a usable model within seconds
    for entry in tuned:
        assert entry["reason"].startswith("90 texts in 3 classes; ") and "predicted" in entry["reason"]
        low, high = entry["predicted"]["interval"]
        assert low < entry["predicted"]["value"] <= high
        assert entry["predicted"]["seconds"] > 0 and entry["predicted"]["peak_mb"] > 10
        assert entry["options"].startswith("--source")


def test_what_does_not_fit_the_budget_comes_last_and_says_so(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landbridge.planning.plan.for_trials", lambda seconds, again: 1e-9)
    domain = toy_domain("text", rows=120, classes=3)
    noisy = domain.targets.copy()
    noisy[np.random.default_rng(0).permutation(120)[:50]] = 0
    found = landbridge.plan(replace(domain, targets=noisy), sources=[encoder], budget="1m", cache_size=0)
    late = [r for r in found["recipes"] if r["against"]]
    assert late == found["recipes"][-len(late) :] and all("of a budget of 60 s" in r["against"] for r in late)


@pytest.mark.parametrize("kind", ["values", "a single row of a class"])
def test_other_tasks_and_the_smallest_sets_are_assessed_too(kind: str, encoder: str, tmp_path: Path) -> None:
    if kind == "values":
        task = registry.find("tasks", "regress").from_labels([0.0, 1.0, 2.0])
        domain = toy_domain("text", rows=80, classes=3, task=task)
    else:
        domain = toy_domain("text", rows=16, classes=2)
        few = domain.targets.copy()
        few[domain.folds[0].rest] = 0
        few[domain.folds[0].pairs[0].train[:2]] = 1
        domain = replace(domain, targets=few)
    found = landbridge.assess(domain, sources=[encoder], out=tmp_path, cache_size=0)
    assert found["sources"][0]["value"] is not None and (tmp_path / "assess.html").stat().st_size > 10_000
    assert (found["separability"] == []) is (kind == "values")


def test_an_out_that_is_a_file_is_refused_before_any_work(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="this is a file"):
        landbridge.assess(toy_domain("text"), sources=["embedded:minilm"], out=file)
