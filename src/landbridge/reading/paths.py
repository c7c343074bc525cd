"""The paths in a table's column, found in the table's folder, a folder in it, or the one zip archive beside it."""

from __future__ import annotations

from pathlib import Path

from landbridge.core.errors import DataError
from landbridge.core.files import inside
from landbridge.reading import archive
from landbridge.reading.cells import Blobs
from landbridge.reading.tables import Sheet


def resolve(sheet: Sheet, column: str) -> Blobs:
    """One blob per row; DataError naming row and path that leaves the folder or does not exist."""
    root = sheet.root
    values = sheet.table.column(column).to_pylist()
    paths: list[str] = []
    for row, value in enumerate(values):
        if value is None or not str(value).strip():
            raise DataError(f"{sheet.row(row)}, column '{column}': the path is missing; fill it in or remove the row")
        path = str(value).strip().removeprefix("./")
        inside(root, path, where=f"{sheet.row(row)}, column '{column}'")
        paths.append(path.replace("\\", "/"))
    for prefix in _prefixes(root, paths[0]):
        return _on_disk(sheet, column, root, prefix, paths)
    zips = sorted(p for p in root.iterdir() if p.suffix.lower() == ".zip")
    if len(zips) == 1:
        return _in_archive(sheet, column, zips[0], paths)
    raise DataError(
        f"{sheet.row(0)}, column '{column}': '{paths[0]}' does not exist in {root}; paths are relative to the table"
    )


def _prefixes(root: Path, first: str) -> list[str]:
    """Where the first path exists: `` for the folder itself, else `images/` and the like."""
    if (root / first).is_file():
        return [""]
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [f"{p.name}/" for p in folders if (p / first).is_file()][:1]


def _on_disk(sheet: Sheet, column: str, root: Path, prefix: str, paths: list[str]) -> Blobs:
    for row, path in enumerate(paths):
        if not (root / f"{prefix}{path}").is_file():
            raise DataError(
                f"{sheet.row(row)}, column '{column}': '{path}' does not exist in {root / prefix}; "
                "add the file or remove the row"
            )
    return Blobs(root, [f"{prefix}{p}" for p in paths], archive=False)


def _in_archive(sheet: Sheet, column: str, path: Path, paths: list[str]) -> Blobs:
    known = set(archive.members(path))
    tops = {m.split("/", 1)[0] + "/" for m in known if "/" in m}
    prefix = next((t for t in ("", *sorted(tops)) if f"{t}{paths[0]}" in known), "")
    for row, member in enumerate(paths):
        if f"{prefix}{member}" not in known:
            raise DataError(
                f"{sheet.row(row)}, column '{column}': '{member}' is not in {path.name}; add the file or remove the row"
            )
    return Blobs(path, [f"{prefix}{p}" for p in paths], archive=True)
