"""The table of a run on the terminal: neighbours of the best share a line, the chosen one keeps its own."""

from __future__ import annotations

from typing import Any

import pytest

from landbridge.cli import show


def trial(name: str, validation: float | None, near: str = "") -> dict[str, Any]:
    cost = {"seconds": 2.0, "trainable": 10, "status": "done", "role": "candidate"}
    return {"name": name, "validation": validation, "near": near, **cost}


def printed(trials: list[dict[str, Any]], chosen: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    gain = {"verdict": "gain"}
    evidence = {"gain": gain, "headline": "told", "trials": trials, "chosen": {"name": chosen}, "checks": []}
    show.summary(evidence, "artifact")
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_neighbours_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    trials = [
        trial("probe", 0.8), trial("lora", 0.9),
        trial("lora, faster", 0.85, near="lora"), trial("lora, slower", 0.89, near="lora"),
    ]  # fmt: skip
    lines = printed(trials, "lora", capsys)
    assert lines[lines.index("lora 0.900 2.0 10 done") + 1] == "2 next to it, the best 0.890 4.0"
    assert not any("faster" in line or "slower" in line for line in lines)


def test_a_chosen_neighbour_keeps_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    trials = [trial("lora", 0.9), trial("lora, slower", 0.92, near="lora"), trial("lora, faster", None, near="lora")]
    lines = printed(trials, "lora, slower", capsys)
    assert "lora, slower 0.920 2.0 10 done" in lines
    assert lines[lines.index("lora 0.900 2.0 10 done") + 1] == "one next to it 2.0"


def test_evidence_from_before_neighbours_were_told(capsys: pytest.CaptureFixture[str]) -> None:
    old = {k: v for k, v in trial("probe", 0.8).items() if k != "near"}
    assert "probe 0.800 2.0 10 done" in printed([old], "probe", capsys)
