"""Every command of the tutorials run as a reader would, its output written into the page.

    python benchmarks/tutorials.py --source MODEL_FOLDER [PAGE ...]

MODEL_FOLDER is an image model in transformers' layout, which the pages call `mobilenet`. A page's data block is run
first, then its `$ landbridge` commands in order, in an empty folder. A block that leaves out what was assumed, or ends
in `...`, stays so. Commands, seconds and outputs go to benchmarks/results/tutorials.json with machine and versions.
The sentences around the blocks are written by hand: read them again afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from main_road import machine

PAGES = Path(__file__).parent.parent / "docs" / "tutorials"
RESULTS = Path(__file__).parent / "results" / "tutorials.json"
BLOCK = re.compile(r"(?<=```text\n)\$ landbridge .*?(?=\n```)", re.DOTALL)
DATA = re.compile(r"<!-- data -->\n```python\n(.*?)\n```", re.DOTALL)
ASSUMED = "assumed "


def told(command: str, folder: Path) -> str:
    """What the command prints: what it assumes, then the result."""
    arguments = [sys.executable, "-m", "landbridge", *shlex.split(command)[1:]]
    environment = os.environ | {"COLUMNS": "80", "TERM": "dumb", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    assumed = [line for line in done.stderr.splitlines() if line.startswith(ASSUMED)]
    return "\n".join([*assumed, *([""] if assumed else []), *_lines(done.stdout)])


def _lines(output: str) -> list[str]:
    return [line.rstrip() for line in output.strip("\n").splitlines()]


def like(old: str, new: str) -> str:
    """The new output in the old one's extent: without assumptions where it had none, cut where it was cut."""
    lines, before = new.splitlines(), old.splitlines()[1:]
    if not any(line.startswith(ASSUMED) for line in before):
        lines = [line for line in lines if not line.startswith(ASSUMED)]
    if before and before[-1] == "...":
        lines = [*lines[: len(before) - 1], "..."]
    return "\n".join([old.splitlines()[0], *lines])


def again(page: Path, source: Path) -> dict[str, Any]:
    """Run one page and write its blocks anew; what is published of it."""
    text, ran = page.read_text(encoding="utf-8"), list[dict[str, Any]]()
    (data,) = DATA.findall(text)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mobilenet").symlink_to(source.resolve())
        subprocess.run([sys.executable, "-c", data], cwd=folder, check=True)

        def anew(block: re.Match[str]) -> str:
            command, began = block[0].splitlines()[0].removeprefix("$ "), time.monotonic()
            output = told(command, folder)
            ran.append({"command": command, "seconds": round(time.monotonic() - began, 1), "output": output})
            return like(block[0], output)

        text = BLOCK.sub(anew, text)
    page.write_text(text, encoding="utf-8")
    return {"machine": machine(), "commands": ran}


def main() -> None:
    """Run the named pages (default all) and merge what they printed into the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="such as text; default all")
    parser.add_argument("--source", type=Path, required=True)
    asked = parser.parse_args()
    for page in sorted(PAGES.glob("*.md")):
        if asked.pages and page.stem not in asked.pages:
            continue
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[page.stem] = again(page, asked.source)
        RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
