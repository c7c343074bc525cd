"""What it costs to compare every way of transferring with all controls, in units of one full fine-tuning run.

    python benchmarks/comparing.py --data DATA --weights WEIGHTS [CELL ...]

In turns, seed by seed: `landbridge compare` with what it tries by itself and no budget, and `landbridge fit` with
`--tuning full` and early stopping on the same data. Two ratios are told:

- `ratio`: the whole comparing command over the training of one full fine-tuning run alone, on one of the pairs of
  training and validation rows. Opening, reading, the test, report and artifact count against the comparison only.
- `commands`: the comparing command over the fitting command less what its controls took; both do the rest, and both
  train on all pairs.

Every process has an empty cache. Results go to benchmarks/results/comparing.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from main_road import MINILM, V2, as_is, machine, tiles
from timed import timed

RESULTS = Path(__file__).parent / "results" / "comparing.json"
RECIPES = 8  # at least, controls included
MOST = 2.0  # full fine-tuning runs that comparing may cost
PAIRS = 3  # of training and validation rows, on which a recipe that takes steps is tried at most
FULL = ("--tuning", "full", "--patience", "5")
CELLS = {
    "banking77": ("banking77", as_is("banking77"), MINILM),
    "hymenoptera": ("hymenoptera", as_is("hymenoptera/images.zip"), V2),
    "magnetic_tile": ("magnetic_tile", tiles, (*V2, "--group", "number")),
}


def command(verb: str, source: Path, arguments: Sequence[str], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evidence and cost of one command in a new process with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "landbridge.cli.main", verb, source, *arguments, "--seed", str(seed), "--json"]
        took = timed(
            [*words, "--budget", "none", "--out", f"{folder}/artifact"],
            env=os.environ | {"LANDBRIDGE_CACHE": f"{folder}/cache"},
        )
    if took.exit:
        sys.exit(f"{verb} {source.name}: {took.error.strip()}")
    return json.loads(took.output), took.cost()


def one_run(evidence: dict[str, Any]) -> float:
    """Seconds of training once on one pair of training and validation rows."""
    spent = sum(t["seconds"] for t in evidence["trials"] if t["role"] == "candidate")
    return spent / (evidence["domain"]["folds"] * min(PAIRS, evidence["domain"]["pairs"]))


def measure(name: str, data: Path, weights: Path, seed: int, arguments: Sequence[str]) -> dict[str, Any]:
    """Both commands on one set, the order by the seed."""
    _, prepare, source = CELLS[name]
    shared = [a.format(weights=weights) for a in (*source, *arguments)]
    ways = {"compare": shared, "fit": [*shared, *FULL]}
    with tempfile.TemporaryDirectory() as folder:
        rows = prepare(data, Path(folder), seed)
        turns = list(ways)[:: 1 if seed % 2 == 0 else -1]
        found = {verb: command(verb, rows, ways[verb], seed) for verb in turns}
    (compared, cost), (fitted, fit_cost) = found["compare"], found["fit"]
    controls = sum(t["seconds"] for t in fitted["trials"] if t["role"] != "candidate")
    trials = [{k: t[k] for k in ("name", "role", "validation", "seconds", "status")} for t in compared["trials"]]
    ratio, recipes = cost["wall_s"] / one_run(fitted), len({t["name"] for t in trials})
    return {
        "cell": name, "seed": seed, "domain": {k: compared["domain"][k] for k in ("train", "folds", "pairs")},
        "commands": " ".join(["landbridge {compare,fit}", *source, *arguments, "--budget none; fit:", *FULL]),
        "compare": cost, "fit": fit_cost, "one_run_s": one_run(fitted), "recipes": recipes, "trials": trials,
        "ratio": ratio, "ratio_of_commands": cost["wall_s"] / (fit_cost["wall_s"] - controls),
        "most": MOST, "reached": ratio <= MOST and recipes >= RECIPES,
    }  # fmt: skip


def main() -> None:
    """Measure the asked cells (default all) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="default all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(3)))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked, more = parser.parse_known_args()  # what else is said goes to both commands
    for name in asked.cells or CELLS:
        if not (asked.data / CELLS[name][0]).exists():
            print(f"{name}: skipped, {CELLS[name][0]} is not in the data folder")
            continue
        for seed in asked.seeds:
            found = {"machine": machine()} | measure(name, asked.data, asked.weights, seed, more)
            results = json.loads(asked.out.read_text()) if asked.out.exists() else {}
            results[f"{name}/{seed}"] = found
            asked.out.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
            print(f"{name}/{seed}: {found['recipes']} recipes for {found['ratio']:.2f} full runs", flush=True)


if __name__ == "__main__":
    main()
