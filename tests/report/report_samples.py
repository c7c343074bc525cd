"""Realistic evidence of several modalities, judged by the real evaluators on made-up outputs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from PIL import Image as Pillow

from landbridge.core import registry
from landbridge.core.contracts import Task
from landbridge.core.examples import Sound
from landbridge.core.finding import Judgement
from landbridge.tasks.classify import Classify
from landbridge.tasks.regress import Regress

RECIPE = {
    "source": "transformers:mobilenet_v2",
    "bridge": {"part": "native"},
    "stages": [{"tuning": {"part": "probe"}, "objectives": [{"part": "supervised"}], "epochs": 0}],
}
EVALUATORS = ("performance", "gain", "classes", "slices", "calibration", "confusion")


def made_outputs(rng: np.random.Generator, target: np.ndarray, classes: int, skill: float, scale: float) -> np.ndarray:
    """Logits that are right more often the higher the skill, confused mostly with the neighbouring class."""
    output = rng.standard_normal((len(target), classes))
    output[np.arange(len(target)), target] += skill
    output[np.arange(len(target)), (target + 1) % classes] += 0.5 * skill
    return (scale * output).astype(np.float32)


def example_of(modality: str, rng: np.random.Generator) -> Any:
    """One decoded example of a modality."""
    if modality == "image":
        y, x = np.mgrid[0:96, 0:128]
        waves = [np.sin(x / rng.uniform(4, 20) + y / rng.uniform(4, 20) + c) for c in range(3)]
        return Pillow.fromarray((127 + 90 * np.stack(waves, 2)).astype(np.uint8))
    if modality == "audio":
        time = np.arange(12_000) / 8000
        tone = np.sin(2 * np.pi * rng.uniform(200, 900) * time) * np.exp(-2 * time)
        return Sound(tone.astype(np.float32), 8000)
    if modality == "text":
        words = "my card was charged twice for the <b>same</b> transfer please help me"
        return " ".join(rng.permutation(words.split(" ")))
    if modality == "table":
        return {"age": float(rng.integers(18, 80)), "job": "sales & <marketing>", "hours": 40.0, "gain": None}
    return np.cumsum(rng.standard_normal((2, 150)), 1).astype(np.float32)


def trial(rng: np.random.Generator, name: str, score: float, status: str = "done", role: str = "candidate") -> Any:
    """One finished trial with a learning curve where steps were taken."""
    epochs = 0 if name.startswith(("probe on", "fit")) else int(rng.integers(6, 20))
    curve = [
        {
            "epoch": float(e + 1),
            "loss": float(2.2 * np.exp(-0.3 * e) + 0.05 * rng.random()),
            "validation": float(score - 0.25 * np.exp(-0.45 * e) + 0.01 * rng.standard_normal()),
            "seconds": 3.0 * (e + 1),
        }
        for e in range(epochs)
    ]
    return {
        "name": name,
        "recipe": RECIPE,
        "validation": score if status != "failed" else None,
        "interval": [score - 0.04, min(1.0, score + 0.035)] if status == "done" else None,
        "seconds": float(rng.uniform(2, 60)),
        "peak_mb": float(rng.uniform(300, 1900)),
        "trainable": int(rng.choice([1282, 297_000, 2_200_000])),
        "total": 2_225_000,
        "status": status,
        "reason": "loss became infinite" if status == "failed" else "",
        "role": role,
        "curve": curve,
    }


def sample(
    modality: str = "image", *, classes: int = 4, rows: int = 240, verdict: str = "gain", trials: int = 7, seed: int = 0
) -> dict[str, Any]:
    """Evidence as a run would write it; `classes=0` is a regression."""
    rng = np.random.default_rng(seed)
    names = ["crack", "blowhole", "fray", "break", "uneven", "free"]
    words = [names[i] if i < len(names) and classes <= 6 else f"card_issue_{i}" for i in range(classes)]
    skills = {"gain": (3.4, 1.9), "loss": (1.6, 3.0), "no difference": (2.4, 2.35)}[verdict]
    if classes:
        task: Task = Classify(classes=tuple(words))
        target = rng.integers(classes, size=rows)
        own, rival = (made_outputs(rng, target, classes, s, 2.2) for s in skills)
        trivial = np.tile(task.trivial(target), (rows, 1))
        validation = rng.integers(classes, size=rows)
        validation_output = made_outputs(rng, validation, classes, skills[0], 2.2)
    else:
        target = rng.gamma(3.0, 40.0, rows)
        task = Regress.from_labels(list(target))
        validation = rng.gamma(3.0, 40.0, rows)
        noise = {"gain": (0.3, 0.6), "loss": (0.6, 0.3), "no difference": (0.4, 0.4)}[verdict]
        standard = (target - task.center) / task.scale
        own, rival = (np.float32(standard + n * rng.standard_normal(rows))[:, None] for n in noise)
        trivial = np.zeros((rows, 1), np.float32)
        validation_output = np.float32((validation - task.center) / task.scale)[:, None]
        validation_output = validation_output + np.float32(0.3) * rng.standard_normal((rows, 1)).astype(np.float32)
    judgement = Judgement(
        task=task,
        rows=np.arange(rows),
        target=target,
        output=own,
        controls={"trivial": trivial, "rival": rival},
        validation_target=validation,
        validation_output=validation_output,
        slices={"camera": rng.choice(["north", "south", "hand-held"], rows), "size": rng.gamma(2.0, 30.0, rows)},
        seed=seed,
    )
    findings = [f.to_json() for name in EVALUATORS for f in registry.find("evidence", name)().findings(judgement)]
    return json.loads(json.dumps(_evidence(modality, task, judgement, findings, trials, rng), default=_plain))


def _evidence(
    modality: str, task: Task, judgement: Judgement, findings: list[Any], trials: int, rng: np.random.Generator
) -> dict[str, Any]:
    by_name = {f["name"]: f for f in findings}
    test, gain = by_name[f"test.{task.metric}"], by_name["gain"]
    kinds = ["probe", "lora(rank=8)", "partial(2)", "full", "probe > full", "norm_bias", "gradual"]
    named = [f"{kinds[i % 7]} on transformers:mobilenet_v2" + (f" #{i}" if i >= 7 else "") for i in range(trials)]
    scores = np.sort(rng.uniform(0.7, 0.97, trials))[::-1]
    status = ["done" if i < 4 else ("eliminated", "failed", "out of time")[i % 3] for i in range(trials)]
    tried = [trial(rng, n, float(s), t) for n, s, t in zip(named, scores, status, strict=True)]
    tried += [
        trial(rng, "fit on rival:pixels", 0.72, role="rival"),
        trial(rng, "fit on rival:trivial", 0.3, role="trivial"),
    ]
    low, high = test["interval"]
    spoken = {"gain": "Transfer paid", "loss": "Transfer did not pay"}.get(
        gain["data"]["verdict"], "Transfer made no difference that can be told from chance"
    )
    shares = judgement.task.probabilities(judgement.output)
    if task.outputs > 1:
        wrong = np.flatnonzero(judgement.output.argmax(1) != judgement.target)
        wrong = wrong[np.argsort(-shares[wrong].max(1))]
    else:
        wrong = np.argsort(-np.abs(shares - judgement.target))
    names = list(task.describe(judgement.output[:1])[0])
    thumb = registry.find("modalities", modality)().thumbnail
    return {
        "schema": 1,
        "name": {"image": "magnetic tile defects", "text": "banking questions"}.get(modality, f"{modality} sample"),
        "headline": f"{spoken}: {task.metric} {test['value']:.3f} [{low:.3f}, {high:.3f}], "
        f"{gain['value']:+.3f} over the best control ({gain['data']['against']}).",
        "domain": {
            "modality": modality,
            "task": task.part_name,
            "train": 1072,
            "validation": 268,
            "test": len(judgement.rows),
            "classes": task.outputs if task.part_name == "classify" else None,
        },
        "chosen": {"name": named[0], "recipe": RECIPE},
        "test": {"metric": task.metric, "value": test["value"], "interval": test["interval"], "opened": 1},
        "controls": [
            {
                "name": n,
                "value": by_name[f"control.{n}.{task.metric}"]["value"],
                "interval": by_name[f"control.{n}.{task.metric}"]["interval"],
            }
            for n in ("trivial", "rival")
        ],
        "gain": {
            "value": gain["value"],
            "interval": gain["interval"],
            "against": gain["data"]["against"],
            "verdict": gain["data"]["verdict"],
        },
        "trials": tried,
        "plan": [
            {
                "name": n,
                "reason": "1,072 examples in 4 classes: the head alone has 5,124 weights to fit, few enough.",
            }
            for n in named[:5]
        ],
        "checks": [
            {
                "name": "exact duplicates",
                "found": 3,
                "detail": "3 test rows equal a training row and were kept out of the test score",
            },
            {"name": "near duplicates", "found": 0, "detail": "no pair across splits is closer than 0.1"},
            {"name": "unreadable files", "found": 0, "detail": "all 1,580 files were decoded"},
        ],
        "seconds": 214.8,
        "budget_s": 240.0,
        "findings": findings,
        "assumptions": [
            {"what": "the task is classify", "because": "the folder names are 4 different words", "option": "--task"},
            {
                "what": "rows are grouped by tile",
                "because": "file names share the prefix exp<n>_num",
                "option": "--group",
            },
        ],
        "mistakes": [
            {
                "label": f"Test/exp{i}_num_{i * 7919 % 4000}.jpg",
                "truth": names[int(judgement.target[i])] if task.outputs > 1 else float(judgement.target[i]),
                "predicted": task.decode(judgement.output[[i]])[0],
                "confidence": float(shares[i].max()) if task.outputs > 1 else None,
                "html": thumb(example_of(modality, rng)),
            }
            for i in wrong[:24]
        ],
        "source": {"licence": "apache-2.0", "sha256": "9c1f" * 16},
        "environment": {"landbridge": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "machine": "2 CPU cores, 8 GB"},
        "parity": {"rows": 32, "max_difference": 2.4e-7, "labels_agree": 1.0},
        "command": "landbridge run magnetic_tile --group tile --budget 4m --seed 0",
        "seed": 0,
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)
