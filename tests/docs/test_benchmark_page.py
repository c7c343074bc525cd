"""The page of benchmarks says what the results say, failed runs included."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

from blocks import ROOT

MACHINE = {"cpu": "a processor", "cores": 2, "load_before": 0.5, "python": "3.11.7", "torch": "2.13.0"}
GOOD = {
    "machine": MACHINE,
    "cell": "flowers",
    "seed": 0,
    "command": "landbridge run DATA/flowers --json",
    "wall_s": 101.6,
    "exit": 0,
    "test": {"metric": "accuracy", "value": 0.9412, "interval": [0.9, 0.97]},
    "gain": {"value": -0.0123, "interval": [-0.05, 0.02], "against": "rival", "verdict": "no difference"},
    "chosen": "probe on source",
    "least": 0.94,
    "most_seconds": 240,
    "reached": True,
}
BAD = {
    "machine": MACHINE,
    "cell": "stones",
    "seed": 1,
    "command": "landbridge run DATA/stones --json",
    "wall_s": 3.2,
    "exit": 3,
    "error": ["error: a | b"],
    "reached": False,
}


def test_page_of_results(tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "benchmarks" / "report.py", tmp_path / "benchmarks")
    results = tmp_path / "benchmarks" / "results" / "main_road.json"
    results.write_text(json.dumps({"flowers/0": GOOD, "stones/1": BAD}), encoding="utf-8")
    script = runpy.run_path(str(tmp_path / "benchmarks" / "report.py"))
    page = script["page"]()
    rows = [line for line in page.splitlines() if line.startswith(("| flowers | 0 | acc", "| stones | 1 | failed"))]
    assert rows == [
        "| flowers | 0 | accuracy | 0.941 [0.900, 0.970] | -0.012 [-0.050, +0.020] over rival | no difference "
        "| `probe on source` | 102 s | ≥ 0.940, ≤ 240 s | yes |",
        "| stones | 1 | failed, exit 3 | | error: a \\| b | | | 3 s | | **no** |",
    ]
    columns = {line.replace("\\|", "").count("|") for line in rows}
    assert columns == {11}
    assert "1 of 2 lines reach their target" in page


def test_page_of_extraction(tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks" / "report.py", tmp_path / "benchmarks")
    entry = {
        "machine": MACHINE, "kind": "texts", "source": "embedded:minilm", "rows": 2000,
        "bare": {"way": "float32", "batch": 32}, "cost": 1.0312, "most": 1.05, "reached": True,
        "rows_per_second": {"forward": 100.4, "prepared": 99.0, "store": 97.2, "again": 3000.0},
        "rounding": {"float16": {"feature": 0.00048, "output": 0.002, "other_answers": 0.001}},
    }  # fmt: skip
    results = tmp_path / "benchmarks" / "results" / "extraction.json"
    results.write_text(json.dumps({"texts/embedded:minilm": entry}), encoding="utf-8")
    page = runpy.run_path(str(tmp_path / "benchmarks" / "report.py"))["page"]()
    assert (
        "| 2000 texts | `embedded:minilm` | float32, batch 32 | 100 rows/s | 99 rows/s | 97 rows/s | 3000 rows/s "
        "| 1.031 | ≤ 1.05 | yes |"
    ) in page.splitlines()
    assert "| float16 | `embedded:minilm` | 4.8e-04 | 2.0e-03 | 0.10% |" in page.splitlines()


def page_of(tmp_path: Path, name: str, results: object) -> list[str]:
    """The lines of the page where one file of results is all there is."""
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks" / "report.py", tmp_path / "benchmarks")
    (tmp_path / "benchmarks" / "results" / f"{name}.json").write_text(json.dumps(results), encoding="utf-8")
    return runpy.run_path(str(tmp_path / "benchmarks" / "report.py"))["page"]().splitlines()


def test_page_against_a_peer(tmp_path: Path) -> None:
    run = {"machine": MACHINE, "cell": "notes_8", "command": "run notes", "exit": 0}
    runs = {
        "notes_8/0/landbridge": run | {"seed": 0, "side": "landbridge"},
        "notes_8/0/peer:default": run | {"seed": 0, "side": "peer:default", "versions": {"peer": "1.2", "torch": "2"}},
        "notes_8/1/peer:default": run | {"seed": 1, "side": "peer:default", "exit": -9, "error": ["out of memory"]},
    }
    compared = {
        "cell": "notes_8", "ours": "landbridge", "theirs": "peer:default", "seeds": [0], "rows": 100, "cut": 1,
        "accuracy": [0.81, 0.8], "difference": 0.01, "interval": [-0.02, 0.04], "wall_s": [40.2, 100.4],
        "wall_ratio": 0.4, "over_budget": [0.9, 1.25], "peak_mb": [900.4, 1200.0],
    }  # fmt: skip
    lines = page_of(tmp_path, "versus_setfit", {"runs": runs, "compared": [compared]})
    assert (
        "| notes_8 | `landbridge` | `peer:default`, 1 cut | 1 | 0.810 | 0.800 | +0.010 [-0.020, +0.040] | 40 s | 100 s "
        "| 0.40 | 900 MiB | 1200 MiB | 0.90, 1.25 |"
    ) in lines
    assert "- `notes_8/1/peer:default`: exit -9;" in lines
    assert "  out of memory" in lines
    assert "| `peer:default` | peer 1.2, torch 2 | `run notes` |" in lines
    assert any("half of SetFit's wall time" in line for line in lines)
    columns = {line.count("|") for line in lines if line.startswith(("| cell | ours", "| notes_8"))}
    assert columns == {14}


def test_page_of_comparing_and_scaling(tmp_path: Path) -> None:
    entry = {
        "machine": MACHINE, "cell": "notes", "seed": 2, "domain": {"train": 800, "folds": 1, "pairs": 3}, "recipes": 9,
        "compare": {"wall_s": 150.4}, "one_run_s": 60.2, "ratio": 2.498, "ratio_of_commands": 1.2, "most": 2.0,
        "reached": False,
    }  # fmt: skip
    lines = page_of(tmp_path / "one", "comparing", {"notes/2": entry})
    assert "| notes | 2 | 800 | 9 | 150 s | 60 s | 2.50 | 1.20 | ≤ 2.0 | **no** |" in lines
    run = {"machine": MACHINE, "kind": "texts", "rows": 1000, "source": "embedded:minilm", "exit": 0, "peak_mb": 612.3}
    runs = {
        "texts/1000": run | {"reading_s": 1.2, "seconds": 10.4, "validation": 0.912},
        "texts/10000": run | {"rows": 10000, "exit": -9, "error": ["killed"]},
    }
    growth = [{"what": "time", "value": 9.94, "most": 10.5, "reached": True}]
    lines = page_of(tmp_path / "two", "scaling", {"runs": runs, "growth": growth})
    assert "| 1000 texts | `embedded:minilm` | 1 s | 10 s | 612 MiB | 0.912 |" in lines
    assert "| 10000 texts | `embedded:minilm` | | failed, exit -9 | 612 MiB |  |" in lines
    assert "| time | 9.94 | ≤ 10.50 | yes |" in lines


def test_page_of_the_embedded_encoder(tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks" / "report.py", tmp_path / "benchmarks")
    cell = {
        "machine": MACHINE,
        "seeds": [0, 1],
        "accuracy": {"rival": 0.5, "frozen": 0.61, "tuned": 0.7, "mean": 0.72, "scratch": 0.4, "transfer": 0.69},
        "transfer over scratch": {"value": 0.29, "interval": [0.2, 0.38]},
        "transfer over rival": {"value": 0.19, "interval": [-0.01, 0.39]},
    }
    judged = {"no_gain_over_scratch": [], "share_above_rival": 1.0}
    results = tmp_path / "benchmarks" / "results" / "embedded.json"
    results.write_text(json.dumps({"cells": {"usps/10": cell}, "verdict": judged}), encoding="utf-8")
    page = runpy.run_path(str(tmp_path / "benchmarks" / "report.py"))["page"]()
    assert "- Gain over scratch beyond the interval: 1 of 1 cells." in page.splitlines()
    gains = "| +0.290 [+0.200, +0.380] | +0.190 [-0.010, +0.390] |  |"
    assert f"| usps, 10 | 2 | 0.610 | 0.700 | 0.720 | 0.400 | 0.500 |  {gains}" in page.splitlines()


def test_page_of_the_tutorials(tmp_path: Path) -> None:
    ran = {"command": "landbridge run docs", "seconds": 61.4, "output": "done"}
    lines = page_of(tmp_path, "tutorials", {"text": {"machine": MACHINE, "commands": [ran]}})
    assert "| text | `landbridge run docs` | 61 |" in lines


def test_page_of_tables_is_of_what_all_methods_were_measured_on(tmp_path: Path) -> None:
    figures = {"head": (0.91, 0.5), "boosted": (0.9, 4.0)}
    cells = [
        {"machine": MACHINE, "set": "tab_a", "seed": seed, "method": m, "auc": auc + seed / 100, "threads": 1}
        for seed in (0, 1) for m, (auc, _) in figures.items()
    ]  # fmt: skip
    rank = {"head": 1.0, "boosted": 2.0}
    entries = {
        "compared": {"sets": 1, "draws": 2}, "mean_rank": dict.fromkeys(("auc", "accuracy", "log_loss"), rank),
        "seconds": {m: {"mean": s, "median": s} for m, (_, s) in figures.items()}, "cells": cells,
    }  # fmt: skip
    lines = page_of(tmp_path, "tables", entries)
    assert "1 sets, 2 draws of training rows." in lines
    assert "| mean rank, area under the curve | 1.00 | 2.00 |" in lines and "| seconds, median | 0.50 | 4.00 |" in lines
    assert "| tab_a, area | 0.915 | 0.905 |" in lines


def test_page_of_pretraining_and_choice(tmp_path: Path) -> None:
    good = {
        "machine": MACHINE, "cell": "simclr", "seed": 0, "pretraining_s": 601.2, "alone": {"transfer": 0.9},
        "pretrained": {"transfer": 0.95}, "difference": 0.05, "reached": True,
    }  # fmt: skip
    bad = {"machine": MACHINE, "cell": "dino", "seed": 1, "error": ["error: no"]}
    lines = page_of(tmp_path / "one", "pretrain", {"simclr/0": good, "dino/1": bad})
    assert "| simclr | 0 | 601 s | 0.900 | 0.950 | +0.050 | yes |" in lines
    assert "| dino | 1 | failed: error: no | | | | **no** |" in lines
    cell = {
        "machine": MACHINE, "labels": 8, "seed": 0, "tried": [{}, {}], "chosen": {"belief": "probe", "highest": "full"},
        "regret": {"belief": 0.005, "highest": 0.02},
    }  # fmt: skip
    lines = page_of(
        tmp_path / "two", "choice", {"news_8_0": cell, "more_news_8_0": cell | {"regret": {"belief": 0.035}}}
    )
    assert "| belief | 0.020 | 50% |" in lines and "| highest | 0.020 | 0% |" in lines
    assert "| more_news | 8 | 0 | 2 | `probe` | 0.035 |" in lines
