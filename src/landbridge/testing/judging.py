"""Checks of what reads, asks, judges and rivals: modalities, tasks, evidence, rivals."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from landbridge.core import registry
from landbridge.core.contracts import Evaluator, Modality, Rival, Task
from landbridge.core.domain import Domain
from landbridge.core.errors import DataError
from landbridge.core.finding import Judgement
from landbridge.core.parts import name_of
from landbridge.core.seeds import numpy_generator
from landbridge.testing.data import toy_domain, toy_examples
from landbridge.testing.fields import check_fields


def check_modality(modality: Modality, cells: Sequence[Any] | None = None) -> None:
    """A modality decodes, sketches, shows and perturbs; without `cells`, toys of its name are taken."""
    name = modality.part_name
    check_fields("modalities", modality, cited=False)
    cells = toy_examples(name, 4)[0] if cells is None else cells
    sketches = [modality.sketch(modality.decode(cell)) for cell in cells]
    for sketch, cell in zip(sketches, cells, strict=True):
        assert sketch.ndim == 1 and sketch.dtype == np.float32 and bool(np.isfinite(sketch).all()), f"{name}: sketch"
        assert np.array_equal(sketch, modality.sketch(modality.decode(cell))), f"{name}: sketch does not repeat"
        shown = modality.thumbnail(modality.decode(cell))
        assert len(shown.encode()) < 20_000, f"{name}: a thumbnail has {len(shown.encode())} bytes"
        assert "<script" not in shown.lower() and "http" not in shown.lower(), f"{name}: a thumbnail loads or runs"
    example = modality.decode(cells[0])
    for kind in modality.corruptions:
        for severity in (1, 5):
            changed = [modality.perturb(example, kind, severity, np.random.default_rng(1)) for _ in range(2)]
            drawn = [modality.sketch(c) for c in changed]
            assert np.array_equal(*drawn), f"{name}: {kind} does not repeat under the same generator"
    assert np.array_equal(modality.sketch(example), sketches[0]), f"{name}: perturbing changed the example itself"
    try:
        modality.decode(object())
    except DataError as error:
        assert "\n" not in str(error), f"{name}: an error must be one line"
    else:
        raise AssertionError(f"{name}: decodes an object that is no example")


def check_task(task: Task, labels: Sequence[Any]) -> None:
    """A task encodes labels, scores a right answer above its trivial one, and counts weights as repeated rows."""
    name, target = task.part_name, task.encode(labels)
    again = registry.find("tasks", name).from_json(json.loads(json.dumps(task.to_json())))
    assert again == task, f"{name}: JSON does not give the same task back"
    right, trivial = _right(task, target), np.tile(task.trivial(target), (len(target), 1)).astype(np.float32)
    assert right.shape == trivial.shape == (len(target), task.outputs), f"{name}: output is not NxC"
    assert task.score(right, target) > task.score(trivial, target), f"{name}: a right answer is no better"
    assert next(iter(task.metrics(right, target))) == task.metric, f"{name}: the primary metric must come first"
    noise = trivial + numpy_generator(0, "noise").standard_normal(trivial.shape).astype(np.float32)
    twice = np.r_[0 : len(target), 0]
    weight = np.ones(len(target))
    assert math.isclose(task.score(noise, target), task.score(noise, target, weight), rel_tol=1e-9), f"{name}: weight 1"
    weight[0] = 2.0
    repeated, weighted = task.score(noise[twice], target[twice]), task.score(noise, target, weight)
    assert math.isclose(repeated, weighted, rel_tol=1e-6, abs_tol=1e-9), f"{name}: weight 2 is not a row twice"
    losses = [
        task.loss(torch.from_numpy(o).to(kind), torch.from_numpy(target)).double()
        for o in (right, noise)
        for kind in (torch.float32, torch.float64)
    ]
    assert losses[0].shape == (len(target),) and bool(losses[0].mean() < losses[2].mean()), f"{name}: loss of each row"
    torch.testing.assert_close(losses[2], losses[3], rtol=1e-4, atol=1e-5, msg=f"{name}: float32 is not float64")
    json.dumps([task.decode(right), task.describe(right)])
    assert len(task.decode(right)) == len(task.probabilities(right)) == len(target), f"{name}: a row is lost"


def _right(task: Task, target: np.ndarray) -> np.ndarray:
    """The output that answers every row rightly, found by stepping down the loss."""
    output = torch.zeros(len(target), task.outputs, requires_grad=True)
    optimiser = torch.optim.Adam([output], lr=0.3)
    for _ in range(60):
        optimiser.zero_grad()
        task.loss(output, torch.from_numpy(target)).sum().backward()
        optimiser.step()
    return output.detach().numpy()


def toy_judgement(rows: int = 120, classes: int = 3) -> Judgement:
    """Outputs of a fair model, of two weak controls, and validation outputs, for a task of classes."""
    generator = numpy_generator(0, "judgement")
    task = registry.find("tasks", "classify").from_labels([f"class {c}" for c in range(classes)] * 2)
    target, other = (generator.integers(0, classes, rows) for _ in range(2))
    noise = generator.standard_normal((4, rows, classes)).astype(np.float32)
    clue = np.eye(classes, dtype=np.float32)
    return Judgement(
        task=task,
        rows=np.arange(rows),
        target=target,
        output=2.5 * clue[target] + noise[0],
        controls={"trivial": np.tile(task.trivial(target), (rows, 1)), "rival": clue[target] + noise[1]},
        validation_target=other,
        validation_output=2.5 * clue[other] + noise[2],
        slices={"side": np.where(np.arange(rows) % 2, "left", "right")},
        labels=[f"row {r}" for r in range(rows)],
    )


def check_evidence(evaluator: Evaluator, judgement: Judgement | None = None) -> None:
    """An evaluator gives findings with distinct names and a stated method, repeats, and leaves its judgement alone."""
    check_fields("evidence", evaluator, cited=False)
    judgement, name = judgement or toy_judgement(), name_of(evaluator)
    before = copy.deepcopy((judgement.output, judgement.target, dict(judgement.controls)))
    runs = [[finding.to_json() for finding in evaluator.findings(judgement)] for _ in range(2)]
    assert json.dumps(runs[0], allow_nan=False) == json.dumps(runs[1]), f"{name}: findings do not repeat"
    names = [finding["name"] for finding in runs[0]]
    assert names and len(names) == len(set(names)), f"{name}: findings must have distinct names, got {names}"
    for finding in runs[0]:
        assert finding["how"], f"{name}: {finding['name']} does not say how it was computed"
        if finding["interval"] is not None:
            low, high = finding["interval"]
            assert low <= high, f"{name}: {finding['name']} has the interval {low} to {high}"
    after = (judgement.output, judgement.target, dict(judgement.controls))
    np.testing.assert_equal(after, before, err_msg=f"{name}: the judgement was changed")


def check_rival(rival: Rival, domain: Domain | None = None) -> None:
    """A rival learns from its rows alone, repeats, and is rebuilt from its state; without `domain`, on toys.

    A rival for all modalities looks at labels alone and need not cite a paper.
    """
    check_fields("rivals", rival, cited=rival.modalities != ("*",))
    modalities = ("table",) if rival.modalities == ("*",) else rival.modalities
    for candidate in [domain] if domain is not None else [toy_domain(m) for m in modalities]:
        _check_rival(rival, candidate)


def _check_rival(rival: Rival, domain: Domain) -> None:
    name, rows = name_of(rival), domain.folds[0].rest
    held = domain.folds[0].test
    predictor = rival.fit(domain, rows, 0)
    output = predictor.predict(domain.examples(held))
    assert output.shape == (len(held), domain.task.outputs), f"{name}: output is {output.shape}"
    assert bool(np.isfinite(output).all()), f"{name}: output is not finite"
    spoilt = copy.copy(domain.targets)
    spoilt[held] = spoilt[held][::-1]
    blind = copy.copy(domain)
    object.__setattr__(blind, "targets", spoilt)
    again = rival.fit(blind, rows, 0).predict(domain.examples(held))
    assert np.array_equal(again, output), f"{name}: its answer depends on labels outside its rows, or does not repeat"
    facts, arrays = predictor.state()
    rebuilt = rival.rebuild(domain.task, json.loads(json.dumps(facts)), arrays)
    np.testing.assert_allclose(
        rebuilt.predict(domain.examples(held)), output, atol=1e-5, err_msg=f"{name}: rebuilt, it answers otherwise"
    )
