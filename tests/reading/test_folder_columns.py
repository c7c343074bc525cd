"""Columns that are named for class folders, which have none, are refused instead of passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import landbridge
from landbridge.core.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in "ab":
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(8):
            shade = 20 * number + (label == "b")
            Image.new("L", (9, 9), shade).save(tmp_path / "pictures" / label / f"{number % 3}_{number}.png")
    return tmp_path / "pictures"


@pytest.mark.parametrize("option", ["input", "target", "id", "group", "time", "split"])
def test_a_column_of_a_folder_is_refused_with_the_way_out(folder: Path, option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option} tile: .*pictures holds class folders.*give a table") as error:
        landbridge.read(folder, **{option: "tile"})
    assert ("name:REGEX" in str(error.value)) == (option == "group")
    assert error.value.exit_code == 2


@pytest.mark.parametrize("given", [{"split": "none"}, {"group": "none"}, {"group": r"name:^(\d)_"}])
def test_what_a_folder_can_bear_is_heeded(folder: Path, given: dict[str, str]) -> None:
    assert len(landbridge.read(folder, **given)) == 16
