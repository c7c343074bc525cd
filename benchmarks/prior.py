"""What tuning gained over the best probe in measured runs, beside what planning/prior.toml expects.

    python benchmarks/prior.py [RESULTS ...]

RESULTS are files that benchmarks/main_road.py wrote (default: benchmarks/results/main_road.json). Each trial that took
steps and ran to its end is set against the best probe of the same source, bridge and fold: the share of the probe's
error that it saved. The expectation, the measured mean and the number of expected deviations between them go to
benchmarks/results/prior.json. Scores are those of validation rows, so that no test is opened for a prior. Where
benchmarks/choice.py has left its results, what each kind of recipe saved of the plain probe's error there, on training
rows that judge, stands beside its line: mean and spread over recipes and sets, for each number of labels. With
`--refit` each tuning's line in the table is moved by what was measured, its weight against the table's being the number
of data sets over `--trust`, and printed for a person to take over; nothing is overwritten.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.planning.foretell import labels_a_class
from landbridge.planning.labels_worth import ceiling
from landbridge.planning.prior import expected_gain, expected_of_control

RESULTS = Path(__file__).parent / "results"
LEAST_ROOM = 0.02  # of a probe that makes hardly a mistake
CONTROLS = ("trivial", "rival", "scratch")


def gains(run: dict[str, Any], cell: str) -> Iterator[dict[str, Any]]:
    """One entry for each finished trial that took steps."""
    done = [t for t in run["trials"] if t.get("role") == "candidate" and t.get("validation") is not None]
    probes = [t["validation"] for t in done if " > " not in t["name"]]
    top = ceiling(run["test"]["metric"])
    if not probes or top - max(probes) <= 1e-9:
        return
    domain = run["domain"]
    labels = labels_a_class(domain["train"], domain["classes"] or 1, domain["task"])
    for trial in done:
        if " > " not in trial["name"] or trial["status"] != "done":
            continue
        tuning = trial["name"].split(" > ")[-1].split("(")[0].split("+")[0].split(" ")[0]
        crossing = " via spectrogram" in trial["name"] or " via plot" in trial["name"]
        mean, spread = expected_gain(tuning, labels, crossing=crossing, misfit=0.0)
        saved = (trial["validation"] - max(probes)) / (top - max(probes))
        yield {
            "cell": cell, "tuning": tuning, "labels": labels, "crossing": crossing, "saved": saved, "expected": mean,
            "spread": spread, "off": (saved - mean) / spread,
        }  # fmt: skip


def of_kinds(cells: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each kind and number of labels what its recipes saved of the plain probe's error."""
    saved: dict[tuple[str, int], list[float]] = defaultdict(list)
    for cell in cells.values():
        tried = [t for t in cell["tried"] if not t["near"] and not t["kind"].startswith("mean of")]
        plain = next(t for t in tried if t["role"] == "candidate")
        room = max(1.0 - plain["truth"], LEAST_ROOM)
        for trial in tried:
            if trial is not plain:
                saved[trial["kind"], cell["labels"]].append((trial["truth"] - plain["truth"]) / room)
    for (kind, labels), shares in sorted(saved.items()):
        if kind in CONTROLS:
            mean, spread = expected_of_control(kind, crossing=False)
        else:
            mean, spread = expected_gain(kind, labels, crossing=False, misfit=0.0)
        yield {
            "kind": kind, "labels": labels, "recipes": len(shares), "mean": float(np.mean(shares)),
            "spread": float(np.std(shares)), "expected": mean, "expected_spread": spread,
        }  # fmt: skip


def refitted(found: list[dict[str, Any]], trust: float) -> dict[str, list[float]]:
    """The table's lines, moved by the mean miss of each tuning, shrunk as few data sets ask for."""
    table = tomllib.loads(files("landbridge.planning").joinpath("prior.toml").read_text(encoding="utf-8"))["gain"]
    misses: dict[str, list[float]] = defaultdict(list)
    for entry in found:
        misses[entry["tuning"]].append(float(np.clip(entry["saved"], -1, 1)) - entry["expected"])
    return {
        name: [
            round(v + float(np.mean(misses[name])) * len(misses[name]) / (len(misses[name]) + trust), 3) for v in row
        ]
        for name, row in table.items()
        if misses[name]
    }


def main() -> None:
    """Set the prior beside the results and say how often its interval held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", type=Path, default=[RESULTS / "main_road.json"])
    parser.add_argument("--refit", action="store_true", help="print the table moved by what was measured")
    parser.add_argument("--trust", type=float, default=10.0, help="data sets that the table's own figures weigh")
    parser.add_argument("--choice", type=Path, default=RESULTS / "choice.json", help="what benchmarks/choice.py wrote")
    parser.add_argument("--out", type=Path, default=RESULTS / "prior.json")
    asked = parser.parse_args()
    runs = [(name, run) for path in asked.results for name, run in json.loads(path.read_text()).items()]
    found = [entry for name, run in runs if run.get("trials") for entry in gains(run, name)]
    held = float(np.mean([abs(e["off"]) <= 1.96 for e in found])) if found else None
    cells = json.loads(asked.choice.read_text()) if asked.choice.exists() else {}
    kinds = list(of_kinds(cells))
    asked.out.write_text(
        json.dumps({"trials": found, "held": held, "count": len(found), "kinds": kinds}, indent=1) + "\n"
    )
    for e in found:
        told = f"{e['cell']:<24} {e['tuning']:<9} {e['labels']:>7.0f} labels a class"
        print(f"{told}  saved {e['saved']:+.2f}  expected {e['expected']:+.2f} ± {1.96 * e['spread']:.2f}")
    print(f"{len(found)} trials, {'none' if held is None else f'{held:.0%}'} inside the interval")
    for k in kinds:
        told = f"{k['kind']:<12} {k['labels']:>4} labels a class, {k['recipes']:>3} recipes"
        expected = f"{k['expected']:+.3f} ± {k['expected_spread']:.3f}"
        print(f"{told}  saved {k['mean']:+.3f} ± {k['spread']:.3f}  expected {expected}")
    if asked.refit:
        for name, row in refitted(found, asked.trust).items():
            print(f"{name} = {row}")


if __name__ == "__main__":
    main()
