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


def test_page_of_the_embedded_encoder(tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks" / "report.py", tmp_path / "benchmarks")
    cell = {
        "machine": MACHINE,
        "accuracy": {"rival": 0.5, "frozen": 0.61, "tuned": 0.7, "scratch": 0.4, "transfer": 0.69},
        "transfer over scratch": {"value": 0.29, "interval": [0.2, 0.38]},
        "transfer over rival": {"value": 0.19, "interval": [-0.01, 0.39]},
    }
    judged = {"no_gain_over_scratch": [], "share_above_rival": 1.0}
    results = tmp_path / "benchmarks" / "results" / "embedded.json"
    results.write_text(json.dumps({"cells": {"usps/10": cell}, "verdict": judged}), encoding="utf-8")
    page = runpy.run_path(str(tmp_path / "benchmarks" / "report.py"))["page"]()
    assert "- Gain over scratch beyond the interval: 1 of 1 cells." in page.splitlines()
    assert (
        "| usps, 10 | 0.610 | 0.700 | 0.400 | 0.500 |  | +0.290 [+0.200, +0.380] | +0.190 [-0.010, +0.390] |  |"
    ) in page.splitlines()
