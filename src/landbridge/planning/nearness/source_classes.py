"""What a source's own classes say of the data: how sure they are, how much they tell, which of them it looks like."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch

from landbridge.core.contracts import Task
from landbridge.evidence.outcome import class_names
from landbridge.planning.scores.leep import LEEP
from landbridge.planning.scores.nce import NCE
from landbridge.planning.scores.rows import kind_of

TOP = 3


def source_probabilities(features_ND: np.ndarray, head: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    """The source's own classifier on its own features, NxS."""
    weight, bias = head
    return (torch.from_numpy(features_ND).float() @ weight.float().T + bias.float()).softmax(1).double().numpy()


def source_classes(probability_NS: np.ndarray, features_ND: np.ndarray, labels_N: np.ndarray, task: Task,
                   names: list[str]) -> dict[str, Any]:  # fmt: skip
    """How peaked the source's answers are, LEEP and NCE, and the source's likeliest classes for each of ours.

    A network is less sure away from what it was trained on, on average (Hendrycks & Gimpel 2017, arXiv:1610.02136);
    that is a hint, no distance: it may be sure and wrong. `explained` is 1 - H(Y | Z) / H(Y), the share of the labels'
    entropy that the source's classes take away.
    """
    entropy_N = -(probability_NS * np.log(np.clip(probability_NS, 1e-300, 1.0))).sum(1)
    found: dict[str, Any] = {
        "classes": probability_NS.shape[1],
        "confidence": float(probability_NS.max(1).mean()),
        "entropy": float(entropy_N.mean() / np.log(probability_NS.shape[1])),
    }
    if kind_of(labels_N) != "classes" or len(np.unique(labels_N)) < 2:
        return found
    found["leep"] = LEEP().score(features_ND, labels_N, source_probabilities=probability_NS)
    found["nce"] = NCE().score(features_ND, labels_N, source_probabilities=probability_NS)
    share = np.bincount(labels_N) / len(labels_N)
    found["explained"] = float(1.0 + found["nce"] / -(share[share > 0] * np.log(share[share > 0])).sum())
    found["alike"] = [_alike(probability_NS[labels_N == c].mean(0), name, names)
                      for c, name in enumerate(class_names(task)) if (labels_N == c).any()]  # fmt: skip
    return found


def _alike(mean_S: np.ndarray, name: str, names: list[str]) -> dict[str, Any]:
    top = np.argsort(-mean_S, kind="stable")[:TOP]
    return {"class": name, "source": [{"name": names[s], "share": float(mean_S[s])} for s in top]}


def names_of(files: dict[str, bytes], count: int) -> list[str]:
    """The source's class names from its configuration, numbers where it does not say."""
    try:
        told = json.loads(files.get("config.json", b"{}")).get("id2label") or {}
    except (ValueError, AttributeError):
        told = {}
    said = [str(told.get(str(s), f"class {s}")).split(",")[0] for s in range(count)]
    offset = len(told) - count  # a background class that the head lacks comes first
    return said if offset <= 0 else [str(told.get(str(s + offset), f"class {s}")).split(",")[0] for s in range(count)]
