"""Whether the recipe that is chosen is the best there was: regret against trying everything with all the time.

    python benchmarks/choice.py --data DATA --weights WEIGHTS [--seeds 0] [--labels 8 32] [SET ...]

Each set's own test rows are left out before anything begins. Of the other rows some a class are all the labels there
are, and up to 600 more judge. Everything is tried, the rival, the neighbours of the best and the means of several too:
each candidate on its pairs of training and validation rows, then once more on all labels; its score on the judges is
the truth. The regret of a choice is the best truth less that of the chosen one. Choices are those of several rules on
the exhaustive results, and of a search within a tenth and a quarter of the exhaustive time, by cost and by promise.
Results go to benchmarks/results/choice.json, cell by cell.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from defaults import MINILM, V2, few, workshop
from main_road import machine

from landbridge.core.clock import Budget
from landbridge.core.domain import Domain
from landbridge.core.errors import LandbridgeError
from landbridge.engine.journal import Journal
from landbridge.engine.workshop import Workshop
from landbridge.planning.candidates import Candidate, controls
from landbridge.planning.foretell import kind
from landbridge.planning.judge import refit
from landbridge.planning.opening import candidates_of
from landbridge.planning.search import Search
from landbridge.planning.standing import Standing
from landbridge.reading.read import read
from landbridge.reading.splits import Plan, make_folds

RESULTS = Path(__file__).parent / "results" / "choice.json"
JUDGES = 600
SHARES = (0.1, 0.25)  # of the exhaustive time
PICTURES, CURVES = "embedded:pictures", "embedded:series"
SETS = {
    "banking77": MINILM,
    "ag_news_test": MINILM,
    "sst2": MINILM,
    "xlmt_sentiment8": MINILM,
    "amazon_multidomain": MINILM,
    "hymenoptera/images.zip": V2,
    "bccd_cells/crops.zip": V2,
    "office_caltech10/images.zip": V2,
    "fsdd/wav.zip": PICTURES,
    **{f"ucr/{name}_TRAIN.tsv": CURVES for name in ("ECG200", "MedicalImages", "PowerCons", "SyntheticControl")},
}


def called(name: str) -> str:
    """The set's name without its file: its folder's, or of a set of the archive of series the file's."""
    folder, _, file = name.partition("/")
    return file.removesuffix("_TRAIN.tsv") if folder == "ucr" else folder


def little(data: Path, name: str, k: int, seed: int) -> Domain:
    """The set with k labels a class; the test is now other rows that judge."""
    domain = read(data / name, seed=0)
    train, judge = few(domain, k, seed)
    use = np.full(len(domain), "unused", dtype=object)
    use[train], use[judge[:JUDGES]] = "train", "test"
    plan = Plan(
        strata=domain.task.strata(domain.targets),
        units=np.arange(len(domain)),
        seed=seed,
        per_class=k * len(domain) / len(train),
        official=use,
    )
    return domain.with_folds(*make_folds(plan)[0])


def search_over(shop: Workshop, seconds: float | None, **how: Any) -> Search:
    """A search over the only fold that has not begun."""
    journal = Journal(Path(tempfile.mkdtemp(dir=shop.folder)))
    return Search(shop, shop.domain.folds[0], 0, Budget(seconds=seconds), journal, 0, **how)


def called_kind(standing: Standing) -> str:
    """The row of the table of priors; a mean is called by what it is one of."""
    candidate = standing.candidate
    if candidate.members:
        return f"mean of {candidate.mean}"
    return kind(candidate.recipe) if candidate.role == "candidate" else candidate.role


def closed(standing: Standing) -> bool:
    """Whether it takes no gradient steps."""
    return " > " not in standing.candidate.name


def transfer(standings: Sequence[Standing]) -> list[Standing]:
    """Those that carry a source's knowledge."""
    return [s for s in standings if s.candidate.role == "candidate"]


def ahead(search: Search, standing: Standing, than: Standing) -> dict[str, float]:
    """By how much one is ahead of another on the rows both were validated on, and the error of that."""
    shared = sorted(set(standing.attempts) & set(than.attempts))
    lead = standing.over(set(shared)) - than.over(set(shared))
    return {"lead": lead, "error": search.paired_error(standing, than, shared)}


def one_error(search: Search, standings: Sequence[Standing]) -> Standing | None:
    """The best, but what takes steps must beat what takes none by a standard error (Breiman et al. 1984)."""
    leader, steady = search.best(standings), search.best([s for s in standings if closed(s)])
    if leader is None or steady is None or closed(leader):
        return leader
    found = ahead(search, leader, steady)
    return leader if found["lead"] > found["error"] else steady


RULES: dict[str, Callable[[Search, Sequence[Standing]], Standing | None]] = {
    "belief": lambda search, standings: search.settle(standings),
    "belief without neighbours": lambda search, standings: search.settle(
        [s for s in standings if not s.candidate.near]
    ),
    "belief without means": lambda search, standings: search.settle([s for s in standings if not s.candidate.members]),
    "highest": lambda search, standings: search.best(standings),
    "highest of transfer": lambda search, standings: search.best(transfer(standings)),
    "one standard error of transfer": lambda search, standings: one_error(search, transfer(standings)),
    "probe": lambda search, standings: search.best([s for s in transfer(standings) if closed(s)]),
}


def truth_of(shop: Workshop, standing: Standing) -> float | None:
    """What a choice reaches on the judges, trained on all labels for its best length; None where it cannot be."""
    domain, fold = shop.domain, shop.domain.folds[0]
    try:
        done, _ = refit(shop, standing, fold, 0, math.inf)
    except LandbridgeError:
        return None
    assert done.predictor is not None
    output = done.predictor.predict(domain.examples(fold.test))
    return domain.task.score(output, domain.targets[fold.test])


def cell(domain: Domain, candidates: Sequence[Candidate], quick: bool) -> dict[str, Any]:
    """Everything tried, then the choices."""
    with tempfile.TemporaryDirectory() as folder:
        began, shop = time.monotonic(), workshop(domain, folder)
        further = {"climbs": not quick, "soups": not quick, "ensembles": not quick}
        search = search_over(shop, None, early=2.0, **further)  # nothing is dropped
        rivals = [c for c in controls(domain) if c.role == "rival"]
        search.run(candidates, rivals, 0.0)
        standings = [s for s in search.standings if s.attempts]
        told = {s.candidate.name: truth_of(shop, s) for s in standings}
        truth = {name: value for name, value in told.items() if value is not None}
        cost = time.monotonic() - began
        tried = [s for s in standings if s.candidate.name in truth]
        best = max(truth.values())
        rules = {name: rule(search, tried) for name, rule in RULES.items()}
        chosen = {rule: s.candidate.name for rule, s in rules.items() if s is not None}
        base = next(s for s in tried if s.candidate.role == "candidate")
        leads = {s.candidate.name: ahead(search, s, base) for s in tried}
    for share in () if quick else SHARES:
        for promise in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                shop = workshop(domain, folder)
                search = search_over(shop, share * cost, promise=promise)
                search.run(candidates, rivals, 0.0)
                settled = search.settle(search.standings)
                assert settled is not None  # a rival takes no time to speak of
                name = f"{share:.0%} of the time by {'promise' if promise else 'cost'}"
                chosen[name] = settled.candidate.name
                if chosen[name] not in truth:  # a mean of others than the exhaustive search had
                    truth[chosen[name]] = truth_of(shop, settled) or 0.0
    return {
        "seconds": cost,
        "tried": [
            {
                "name": s.candidate.name,
                "role": s.candidate.role,
                "kind": called_kind(s),
                "near": s.candidate.near,
                "validation": s.score,
                "pairs": len(s.attempts),
                **leads[s.candidate.name],
                "seconds": sum(a.trial.seconds for a in s.attempts.values()),
                "truth": truth[s.candidate.name],
            }
            for s in tried
        ],
        "chosen": chosen,
        "regret": {rule: best - truth.get(name, 0.0) for rule, name in chosen.items()},
    }


def main() -> None:
    """Run the named sets (default all) and merge them into the results file; a finished cell is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*SETS, []], help="default all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--labels", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--quick", action="store_true", help="no neighbours, averages or searches within a time")
    parser.add_argument("--again", action="store_true", help="run finished cells once more")
    asked = parser.parse_args()
    for seed in asked.seeds:
        for k in asked.labels:
            for name in asked.sets or SETS:
                results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                key = f"{called(name)}_{k}_{seed}"
                if key in results and not asked.again:
                    continue
                domain = little(asked.data, name, k, seed)
                sources = [SETS[name].format(weights=asked.weights)]
                found = cell(domain, candidates_of(domain, sources), asked.quick)
                print(key, round(found["seconds"]), {r: round(v, 4) for r, v in found["regret"].items()}, flush=True)
                results[key] = {"machine": machine(), "labels": k, "seed": seed, **found}
                RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
