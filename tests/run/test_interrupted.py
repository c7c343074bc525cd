"""Signals, a full disk and bad destinations: one line, the right code, nothing half-written, and work that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import road_data as data
import transformers

import landbridge
from landbridge.core.errors import UsageError
from landbridge.engine.journal import Journal

TABLE_RIVAL = "rival:boosted(settings=1)"


def _until(process: subprocess.Popen[str], state: Path, count: int) -> None:
    """Wait until a run has finished some attempts."""
    ends = time.monotonic() + 120
    while len(list(state.glob("*.attempt"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_an_interrupted_run_stops_in_one_line_and_the_same_command_goes_on(tmp_path: Path, start: Any) -> None:
    given, out, state = data.images(tmp_path / "pictures"), tmp_path / "made", tmp_path / ".made.state"
    words = ["fit", given, "--source", "scratch:convnet", "--tuning", "full", "--epochs", "150", "--patience", "0"]
    words += ["--out", out, "--budget", "60s", "--json"]
    process = start(*words)
    _until(process, state, 2)  # the controls are done, the network is being trained
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == ""
    assert json.loads(err) == {"error": "stopped; what was finished is kept: run the same command again to go on",
                               "exit_code": 130}  # fmt: skip
    assert not out.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".made.state", "pictures"], "no draft is left"
    process = start(*words)
    said, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert json.loads(said)["resumed"] == 2
    assert not state.exists()
    assert landbridge.load(out).recipe.source == "scratch:convnet"


def test_a_terminated_run_has_its_own_code(tmp_path: Path, start: Any) -> None:
    given = data.images(tmp_path / "pictures")
    process = start("run", given, "-s", "scratch:convnet", "-o", tmp_path / "made", "--budget", "none", "-q")
    _until(process, tmp_path / ".made.state", 1)
    process.terminate()
    said, err = process.communicate(timeout=60)
    assert (process.returncode, said, err.count("\n")) == (143, "", 1)
    assert not (tmp_path / "made").exists()


def test_a_full_disk_is_told_in_one_line_and_leaves_the_old_artifact(tmp_path: Path, command: Any) -> None:
    given, out = data.tables(tmp_path / "goods.csv"), tmp_path / "made"
    words = ("fit", given, "--source", TABLE_RIVAL, "--budget", "15s", "--out", out, "--quiet")
    assert command(*words).code == 0
    before = (out / "manifest.json").read_bytes()
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); "
    code += "from landbridge.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-B", "-c", code, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "--out" in done.stderr
    assert (out / "manifest.json").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} <= {"goods.csv", "made", ".made.state"}
    assert landbridge.load(out).recipe.source == TABLE_RIVAL


def test_the_smallest_budget_still_gives_a_model(tmp_path: Path, command: Any) -> None:
    given, out = data.texts(tmp_path / "news.csv"), tmp_path / "made"
    said = command("run", given, "--source", "embedded:minilm", "--budget", "1s", "--out", out, "--json")
    assert said.code == 0, said.err
    evidence = json.loads(said.out)
    assert evidence["budget_s"] == 1.0
    assert [t["status"] for t in evidence["trials"] if t["role"] == "trivial"] == ["done"]
    assert landbridge.load(out).predict(["the cat purred again"])[0]["label"] in ("pets", "money")


@pytest.mark.parametrize(
    ("out", "code", "why"),
    [
        ("pictures", 2, "this folder holds other files"),
        ("file.txt", 2, "this is a file or a link"),
        ("file.txt/below", 2, "is a file"),
        ("closed/made", 7, "permission denied"),
    ],
)
def test_a_bad_destination_is_refused_before_anything_is_trained(
    tmp_path: Path, command: Any, out: str, code: int, why: str
) -> None:
    given = data.images(tmp_path / "pictures")
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "closed").mkdir(mode=0o500)
    if code == 7 and os.access(tmp_path / "closed", os.W_OK):
        pytest.skip("this user may write everywhere")
    kept = sorted(tmp_path.rglob("*"))
    for more in ((), ("--dry-run",)):
        said = command("run", given, "-s", "scratch:convnet", "-o", tmp_path / out, *more)
        assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
        assert why in said.err
    assert sorted(tmp_path.rglob("*")) == kept
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_weights_that_do_not_fit_are_refused_with_nothing_left_behind(tmp_path: Path, command: Any) -> None:
    folder = tmp_path / "model"
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    transformers.ResNetModel(config).save_pretrained(folder)
    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**facts, "hidden_sizes": [8, 24]}))
    given = data.images(tmp_path / "pictures")
    kept = sorted(tmp_path.rglob("*"))
    for verb in (("run",), ("run", "--dry-run"), ("fit",), ("assess",)):
        said = command(*verb, given, "--source", f"transformers:{folder}")
        assert (said.code, said.out, said.err.count("\n")) == (4, "", 1), said
        assert "does not fit" in said.err
    assert sorted(tmp_path.rglob("*")) == kept


def test_a_dry_run_tells_what_the_run_then_does(tmp_path: Path, command: Any) -> None:
    given, out = data.tables(tmp_path / "goods.csv"), tmp_path / "made"
    words = ("fit", given, "--source", TABLE_RIVAL, "--budget", "15s", "--out", out, "--json")
    said = command(*words, "--dry-run")
    assert said.code == 0, said.err
    plan = json.loads(said.out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["goods.csv"], "nothing was written"
    done = json.loads(command(*words).out)
    for key in ("domain", "assumptions", "checks"):
        assert plan[key] == done[key], key
    assert {p["name"] for p in plan["plan"]} == {t["name"] for t in done["trials"]}
    assert plan["out"] == str(out)
    assert np.isclose(plan["budget_s"], 15.0)


def test_two_runs_do_not_write_to_one_place(tmp_path: Path) -> None:
    given, state = data.images(tmp_path / "pictures"), tmp_path / ".made.state"
    with Journal(state), pytest.raises(UsageError, match="--out made: another run writes there"):
        landbridge.run(given, sources=["scratch:convnet"], out=tmp_path / "made", budget="20s")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pictures"], "the first one's folder is gone with it"
