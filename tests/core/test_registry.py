"""Names to parts: real packages on the path, two that claim one name, one that does not import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landbridge.core import registry
from landbridge.core.errors import LandbridgeError, UnknownName

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package with one entry point where Python finds it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(package: str, entry: str, code: str) -> None:
        (tmp_path / f"{package}.py").write_text(code)
        facts = tmp_path / f"{package}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[landbridge.tunings]\n{entry}\n")
        registry.entries.cache_clear()

    registry.entries.cache_clear()
    yield put
    registry.entries.cache_clear()
    registry.load.cache_clear()


def test_a_plug_in_comes_in_by_the_same_door(install: Install) -> None:
    install("stranger", "odd = stranger:Odd", "class Odd:\n    part_name = 'odd'\n")
    assert "stranger" not in sys.modules and "odd" in registry.names("tunings")
    assert registry.find("tunings", "odd").part_name == "odd" and registry.origin("tunings", "odd") == "stranger"
    assert registry.origin("tunings", "probe") == "landbridge"


def test_two_packages_that_claim_one_name_are_told_apart_by_name(install: Install) -> None:
    install("rude", "probe = rude:Probe", "class Probe: ...\n")
    with pytest.raises(LandbridgeError) as error:
        registry.find("tunings", "probe")
    assert "'probe' is claimed by" in str(error.value) and "rude:Probe" in str(error.value)
    assert "landbridge.tunings.probe:Probe" in str(error.value)


@pytest.mark.parametrize("code", ["import no_such_library\n", "x = 1\n"])
def test_a_plug_in_that_does_not_import_is_named(install: Install, code: str) -> None:
    package = f"broken{len(code)}"
    install(package, f"torn = {package}:Torn", code)
    with pytest.raises(LandbridgeError, match=f"the part 'torn' of {package} cannot be imported"):
        registry.find("tunings", "torn")


def test_every_group_knows_its_names_and_offers_near_ones() -> None:
    for group in registry.GROUPS:
        assert registry.names(group), group
        for name in registry.names(group):
            assert registry.find(group, name).part_name == name
    with pytest.raises(UnknownName) as error:
        registry.find("tunings", "parcial")
    assert str(error.value) == "unknown tuning 'parcial'; did you mean partial?"
    with pytest.raises(UnknownName, match="known: classify, multilabel, regress"):
        registry.find("tasks", "zzz")
