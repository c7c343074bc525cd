"""Every registered part of every group keeps its contract; the registry is the only list."""

from __future__ import annotations

import pytest

from landbridge import testing
from landbridge.core import registry
from landbridge.core.errors import LandbridgeError, MissingExtra

CHECKS = {
    "modalities": testing.check_modality,
    "bridges": testing.check_bridge,
    "tunings": testing.check_tuning,
    "objectives": testing.check_objective,
    "rivals": testing.check_rival,
    "evidence": testing.check_evidence,
    "scores": testing.check_score,
    "distances": testing.check_distance,
    "worlds": testing.check_world,
}
LABELS = ([["a"], ["a", "b"], [], ["b"]] * 6, ["yes", "no", "perhaps"] * 8, [0.5 * i for i in range(24)])


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in CHECKS for n in registry.names(g)])
def test_part_keeps_its_contract(group: str, name: str) -> None:
    CHECKS[group](registry.find(group, name)())


@pytest.mark.parametrize("name", registry.names("tasks"))
def test_task_keeps_its_contract(name: str) -> None:
    cls, fitting = registry.find("tasks", name), 0
    for labels in LABELS:
        try:
            task = cls.from_labels(labels)
        except (LandbridgeError, TypeError):
            continue
        fitting += 1
        testing.check_task(task, labels)
    assert fitting, f"{name} takes none of the kinds of labels tried"


@pytest.mark.parametrize("name", registry.names("sources"))
def test_source_keeps_its_contract(name: str) -> None:
    source = registry.find("sources", name)()
    testing.check_fields("sources", source, cited=False)
    with pytest.raises(LandbridgeError) as raised:
        source.open("no/such-address-anywhere")
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, MissingExtra) or "no/such-address-anywhere" in str(raised.value)
    for entry in source.known():
        if "needs pip install" not in entry["note"]:
            scheme, _, address = entry["address"].partition(":")
            assert scheme == name
            testing.check_source(source, address)


def test_every_group_has_a_check() -> None:
    assert set(registry.GROUPS) == {*CHECKS, "tasks", "sources"}


@pytest.mark.parametrize("reads", ["text", "image"])
def test_toy_bodies_keep_the_contract(reads: str) -> None:
    testing.check_body(testing.toy_body(reads))
