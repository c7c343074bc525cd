"""Where the cache lies and how large it may be, as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.core.cache import cache_folder, parse_size
from landbridge.core.errors import ResourceError, UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        (0, 0),
        (4096, 4096),
        ("12", 12),
        ("1k", 1024),
        ("500M", 500 * 1024**2),
        (" 10 G ", 10 * 1024**3),
        ("1.5GiB", 3 * 1024**3 // 2),
        ("2tb", 2 * 1024**4),
    ],
)
def test_sizes_are_read_by_powers_of_1024(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["lots", "", "-1G", "10 X", "G", "1e3", "1,5G", "10G5", -4, True, "nan"])
def test_what_is_no_size_is_named_with_the_way_out(text: str | int) -> None:
    with pytest.raises(UsageError) as error:
        parse_size(text)
    told = str(error.value)
    assert f"'{text}'" in told and "write 500M or 10G, or 0 to keep nothing" in told and "\n" not in told


def test_the_folder_is_as_asked_or_named_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LANDBRIDGE_CACHE", "/named")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder(Path("asked")) == Path("asked") and cache_folder() == Path("/named")
    monkeypatch.delenv("LANDBRIDGE_CACHE")
    assert cache_folder() == Path("/xdg/landbridge")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "landbridge"
    monkeypatch.setenv("LANDBRIDGE_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"


def test_no_home_folder_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("LANDBRIDGE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(ResourceError, match="set LANDBRIDGE_CACHE"):
        cache_folder()
