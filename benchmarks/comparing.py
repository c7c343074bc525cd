"""What it costs to compare every way of transferring with all controls, in units of one full fine-tuning run.

    python benchmarks/comparing.py --data DATA --weights WEIGHTS [--commands] [CELL ...]

In turns, seed by seed: `landbridge compare` with what it tries by itself and no budget, and one full fine-tuning run
with early stopping on the first pair of training and validation rows of the same data, in a process of its own. The
ratio sets the whole comparing command against the training alone of that run: opening, reading, the test, report and
artifact count against the comparison only. With `--commands` the other side is the whole command `landbridge fit
--tuning full`; it trains on all pairs, of which the mean is the run, and the comparing command over it, less what its
controls took, is told too.

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


def run_once(words: Sequence[str], seed: int) -> None:
    """Print the seconds of one full fine-tuning run on the first pair, and what it reached there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--group")
    asked = parser.parse_args(words)
    import landbridge
    from landbridge.core import codec
    from landbridge.core.recipe import Recipe, Stage
    from landbridge.engine.attempt import Order, attempt
    from landbridge.engine.precision import pick_device
    from landbridge.engine.workshop import Workshop

    domain = landbridge.read(asked.rows, seed=seed, group=asked.group)
    stage = Stage(
        tuning=codec.parse("tunings", "full"), objectives=(codec.parse("objectives", "supervised"),), patience=5
    )
    recipe = Recipe(source=asked.source, bridge=codec.parse("bridges", "native"), stages=(stage,))
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(domain, device=pick_device("auto"), folder=Path(folder), seed=seed)
        pair = domain.folds[0].pairs[0]
        done = attempt(shop, Order(recipe=recipe, train=pair.train, validation=pair.validation, seed=seed))
    print(json.dumps({"seconds": done.trial.seconds, "validation": done.trial.validation, "epochs": done.trial.epochs}))


def one_run(rows: Path, shared: Sequence[str], seed: int) -> dict[str, Any]:
    """The same in a process of its own."""
    took = timed([sys.executable, __file__, "--seeds", str(seed), "--once", rows, *shared], env=os.environ)
    if took.exit:
        sys.exit(f"one full run on {rows.name}: {took.error.strip()}")
    return json.loads(took.output)


def of_command(evidence: dict[str, Any]) -> float:
    """Seconds of training once on one pair of training and validation rows, the mean over those of a command."""
    spent = sum(t["seconds"] for t in evidence["trials"] if t["role"] == "candidate")
    return spent / (evidence["domain"]["folds"] * min(PAIRS, evidence["domain"]["pairs"]))


def measure(name: str, data: Path, weights: Path, seed: int, whole: bool, arguments: Sequence[str]) -> dict[str, Any]:
    """Both sides on one set, the order by the seed."""
    _, prepare, source = CELLS[name]
    shared = [a.format(weights=weights) for a in (*source, *arguments)]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        rows = prepare(data, Path(folder), seed)
        sides = {
            "compare": lambda: command("compare", rows, shared, seed),
            "full": lambda: command("fit", rows, [*shared, *FULL], seed) if whole else one_run(rows, shared, seed),
        }
        for side in list(sides)[:: 1 if seed % 2 == 0 else -1]:
            found[side] = sides[side]()
    compared, cost = found["compare"]
    trials = [{k: t[k] for k in ("name", "role", "validation", "seconds", "status")} for t in compared["trials"]]
    recipes = len({t["name"] for t in trials})
    if whole:
        fitted, fit_cost = found["full"]
        controls = sum(t["seconds"] for t in fitted["trials"] if t["role"] != "candidate")
        full = {"fit": fit_cost, "one_run_s": of_command(fitted)}
        full["ratio_of_commands"] = cost["wall_s"] / (fit_cost["wall_s"] - controls)
    else:
        full = {"run": found["full"], "one_run_s": found["full"]["seconds"]}
    ratio = cost["wall_s"] / full["one_run_s"]
    return {
        "cell": name, "seed": seed, "domain": {k: compared["domain"][k] for k in ("train", "folds", "pairs")},
        "commands": " ".join(["landbridge compare", *source, *arguments, "--budget none; full:", *FULL]),
        "compare": cost, "recipes": recipes, "trials": trials, **full,
        "ratio": ratio, "most": MOST, "reached": ratio <= MOST and recipes >= RECIPES,
    }  # fmt: skip


def main() -> None:
    """Measure the asked cells (default all) and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="default all")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(3)))
    parser.add_argument("--commands", action="store_true", help="the whole fitting command instead of one run")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--once", nargs=argparse.REMAINDER, help="ROWS, source, group: one full run and nothing else")
    asked, more = parser.parse_known_args()  # what else is said goes to the commands
    if asked.once is not None:
        run_once(asked.once, asked.seeds[0])
        return
    if asked.data is None or asked.weights is None:
        parser.error("--data and --weights are needed")
    for name in asked.cells or CELLS:
        if not (asked.data / CELLS[name][0]).exists():
            print(f"{name}: skipped, {CELLS[name][0]} is not in the data folder")
            continue
        for seed in asked.seeds:
            found = {"machine": machine()} | measure(name, asked.data, asked.weights, seed, asked.commands, more)
            results = json.loads(asked.out.read_text()) if asked.out.exists() else {}
            results[f"{name}/{seed}"] = found
            asked.out.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
            print(f"{name}/{seed}: {found['recipes']} recipes for {found['ratio']:.2f} full runs", flush=True)


if __name__ == "__main__":
    main()
