"""Files are written whole or not at all, and never outside the folder they belong to."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from landbridge.core.errors import DataError, ResourceError
from landbridge.core.files import inside, new_folder, resources, write_bytes, write_json


def names(folder: Path) -> list[str]:
    """What lies in a folder, hidden files too."""
    return sorted(p.name for p in folder.iterdir())


def test_bytes_and_json_replace_the_old_file_and_leave_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    write_bytes(path, b"old")
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_text() == '{\n  "b": 1,\n  "a": "é"\n}\n' and names(path.parent) == ["file.json"]
    assert path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text())["b"] == 1 and names(path.parent) == ["file.json"]


def test_a_folder_appears_whole_and_replaces_the_old_one_at_the_end(tmp_path: Path) -> None:
    goal = tmp_path / "out"
    with new_folder(goal) as draft:
        (draft / "a").write_text("1")
        assert not goal.exists() and draft.parent == tmp_path
    with new_folder(goal) as draft:
        (draft / "b").write_text("2")
        assert names(goal) == ["a"]
    assert names(goal) == ["b"] and names(tmp_path) == ["out"]
    assert goal.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt()])
def test_a_failed_draft_leaves_the_old_folder_as_it_was(tmp_path: Path, failure: BaseException) -> None:
    goal = tmp_path / "out"
    with new_folder(goal) as draft:
        (draft / "a").write_text("1")
    with pytest.raises(type(failure)), new_folder(goal) as draft:
        (draft / "b").write_text("2")
        raise failure
    assert names(goal) == ["a"] and names(tmp_path) == ["out"]


def test_the_old_folder_returns_when_the_new_one_cannot_take_its_name(tmp_path: Path) -> None:
    goal = tmp_path / "out"
    with new_folder(goal) as draft:
        (draft / "a").write_text("1")
    with pytest.raises(FileNotFoundError), new_folder(goal) as draft:
        draft.chmod(0o755)
        moved = draft.with_name("elsewhere")
        draft.rename(moved)  # somebody took the draft away, so its renaming fails after the old one stepped aside
        os.mkfifo(draft)
        draft.unlink()
    assert names(goal) == ["a"]


@pytest.mark.parametrize(("code", "says"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only")])
def test_failures_of_the_machine_name_the_path_and_the_way_out(tmp_path: Path, code: int, says: str) -> None:
    with pytest.raises(ResourceError, match=says) as error, resources(tmp_path):
        raise OSError(code, os.strerror(code))
    assert str(tmp_path) in str(error.value) and "--out" in str(error.value)
    with pytest.raises(FileNotFoundError), resources(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "no such file")


def test_a_file_where_a_folder_is_needed_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResourceError, match="a file stands where a folder is needed"):
        write_bytes(tmp_path / "file" / "inner", b"x")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "a/../../x", "..", "a\\..\\..\\x", "C:\\x", "C:x", "\\\\host\\share\\x", "a\0b"]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match="leaves the data folder"):
        inside(tmp_path, path, where="data.csv row 3")


def test_links_are_followed_only_within_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "a").mkdir(parents=True)
    (root / "a" / "x.png").write_text("x")
    (root / "good").symlink_to(root / "a")
    (root / "bad").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    assert inside(root, "a/x.png", where="w") == root / "a" / "x.png"
    assert inside(root, "a\\x.png", where="w") == root / "a" / "x.png"
    assert inside(root, "good/x.png", where="w").read_text() == "x"
    with pytest.raises(DataError, match="row 3: the path 'bad/secret' is a link out of the data folder"):
        inside(root, "bad/secret", where="row 3")
    with pytest.raises(DataError, match="cannot be followed"):
        inside(root, "loop", where="row 3")
