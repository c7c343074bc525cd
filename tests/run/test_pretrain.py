"""`landbridge pretrain`: from any source and any kind of data to a source that reloads to the same features."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import road_data as data
import torch

import landbridge
from landbridge.core.errors import ArtifactError, UsageError
from landbridge.delivery.pretrained import features
from landbridge.engine.predictor import open_source
from landbridge.planning.pretraining import pretraining
from landbridge.reading.unlabelled import read_unlabelled
from landbridge.testing import toy_domain

CASES = {
    "pictures": (data.images, "pictures", "scratch:convnet", "masked"),
    "pictures by views": (data.images, "pictures", "scratch:convnet", "simclr(width=16, hidden=32)"),
    "sounds": (data.sounds, "tones", "scratch:convnet", "latent"),
    "texts": (data.texts, "news.csv", "embedded:minilm", "masked_language"),
    "rows": (data.tables, "goods.csv", "embedded:minilm", "masked_features"),
    "series": (data.series, "waves.csv", "scratch:convnet", "vicreg(width=32)"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_source_learns_on_and_gives_the_same_features_when_it_is_opened_again(tmp_path: Path, case: str) -> None:
    make, name, source, objective = CASES[case]
    domain = read_unlabelled(make(tmp_path / name))
    found = landbridge.pretrain(domain, source, objective=objective, epochs=1, batch=12, out=tmp_path / "made")
    evidence = found.evidence
    assert evidence["parity"]["rows"] == 16 and evidence["parity"]["max_difference"] <= 1e-4
    assert evidence["epochs"] == 1 and evidence["kind"] == "pretrained"
    assert json.loads((tmp_path / "made" / "evidence.json").read_text()) == evidence
    examples = list(domain.examples(np.arange(6)))
    body = open_source(found.address)
    assert body.reads == domain.modality.part_name
    before = open_source(source)
    changed = [not torch.equal(t, before.net.state_dict()[n]) for n, t in body.net.state_dict().items()]
    assert any(changed) and np.isfinite(features(body, examples)).all()
    assert not (tmp_path / ".made.state").exists()
    with pytest.raises(ArtifactError, match=f"--source artifact:{tmp_path / 'made'}"):
        landbridge.load(tmp_path / "made")


def test_the_command_says_what_it_did_and_run_takes_what_it_made(tmp_path: Path, command: Any) -> None:
    given, out = data.images(tmp_path / "pictures"), tmp_path / "made"
    words = ("pretrain", given, "-s", "scratch:convnet", "--objective", "barlow(width=16)", "--epochs", 2, "-o", out)
    said = command(*words, "--json")
    assert said.code == 0, said.err
    evidence = json.loads(said.out)
    assert len(evidence["curve"]) == 2 and evidence["seed"] == 0 and evidence["command"].startswith("landbridge ")
    assert str(tmp_path) not in (out / "evidence.json").read_text().replace(evidence["command"], "")
    again = command(*words)
    assert again.code == 0 and f"landbridge run DATA --source artifact:{out}" in again.out
    assert command(*words, "--quiet").out == ""
    used = command("fit", given, "-s", f"artifact:{out}", "--budget", "10s", "-o", tmp_path / "used", "--json")
    assert used.code == 0, used.err
    assert json.loads(used.out)["chosen"]["recipe"]["source"] == f"artifact:{out.name}" or "artifact:" in used.out


def test_labels_change_nothing(tmp_path: Path) -> None:
    given = data.images(tmp_path / "one")
    other = tmp_path / "other"
    for number, path in enumerate(sorted(given.rglob("*.png"))):
        target = other / f"{number:03}.png"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    nets = []
    for place in (given, other):
        found = landbridge.pretrain(
            place, "scratch:convnet", objective="masked", epochs=1, out=tmp_path / f"m{len(nets)}"
        )
        nets.append(open_source(found.address).net.state_dict())
    assert all(torch.equal(nets[0][n], nets[1][n]) for n in nets[0])


def test_an_interrupted_pretraining_goes_on_where_it_stopped(tmp_path: Path, start: Any) -> None:
    given, out, state = data.images(tmp_path / "pictures"), tmp_path / "made", tmp_path / ".made.state"
    words = ["pretrain", given, "-s", "scratch:convnet", "--objective", "masked", "--epochs", "4000"]
    words += ["-b", "28s", "-o", out, "--json"]  # checkpoints are 15 s apart
    process = start(*words)
    ends = time.monotonic() + 120
    while not list(state.glob("*.safetensors")):
        assert process.poll() is None and time.monotonic() < ends, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=60)
    assert process.returncode == 130 and said == "" and "go on" in json.loads(err)["error"]
    assert not out.exists() and state.exists()
    process = start(*words)
    said, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    evidence = json.loads(said)
    assert evidence["resumed"] is True and not state.exists()
    assert evidence["epochs"] == len(evidence["curve"]) > 3


def test_the_budget_is_kept(tmp_path: Path) -> None:
    given = data.images(tmp_path / "pictures")
    found = landbridge.pretrain(given, "scratch:convnet", epochs=10_000, budget=6, out=tmp_path / "made")
    assert found.evidence["seconds"] < 1.25 * 6


@pytest.mark.parametrize(
    ("more", "code", "why"),
    [
        (("--objective", "supervised"), 2, "learns from labels"),
        (("--objective", "l2sp"), 2, "learns from labels"),
        (("--objective", "contrastive"), 2, "contrastive: needs one class for each row"),
        (("--objective", "masked_language"), 2, "masked_language: hides words"),
        (("--objective", "masked(share=2)"), 2, "masked: share must be a number from 0.05 to 0.95, got 2"),
        (("--objective", "maske"), 2, "did you mean masked"),
        (("--tuning", "probe"), 2, "probe moves nothing else"),
        (("--source", "rival:pixels"), 2, "cannot be pretrained"),
        (("--source", "embedded:minilm"), 2, "no bridge leads from image"),
        (("--bridge", "plot"), 2, "plot: does not lead from image to scratch:convnet"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(tmp_path: Path, command: Any, more: Any, code: int, why: str) -> None:
    given = data.images(tmp_path / "pictures")
    said = command("pretrain", given, "-s", "scratch:convnet", "-o", tmp_path / "made", *more)
    assert (said.code, said.out) == (code, ""), said
    assert said.err.strip().count("\n") <= 1 and why in said.err, said.err
    assert not (tmp_path / "made").exists() and not (tmp_path / ".made.state").exists()


def test_what_is_left_out_suits_the_data(tmp_path: Path) -> None:
    pictures = read_unlabelled(data.images(tmp_path / "pictures"))
    recipe = pretraining(pictures, "scratch:convnet")
    assert recipe.name.endswith(
        "full(layer_decay=1.0, head_scale=1.0, norm_statistics='moving')+masked on scratch:convnet"
    )
    assert recipe.stages[0].lr == 1e-3 and recipe.stages[0].epochs == 100
    texts = read_unlabelled(data.texts(tmp_path / "news.csv"))
    assert "masked_language" in pretraining(texts, "embedded:minilm").name
    assert pretraining(toy_domain("series"), "embedded:series").name.endswith("+simclr on embedded:series via curves")
    assert "+latent on" in pretraining(toy_domain("series"), "embedded:pictures").name
    with pytest.raises(UsageError, match="no bridge"):
        pretraining(texts, "scratch:convnet")
