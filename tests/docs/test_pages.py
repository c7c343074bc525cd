"""The pages say what the program does: generated pages are current, commands exist, examples run, links lead on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from blocks import PAGES, ROOT, blocks, commands, marked

from landbridge.cli.fit import spelled
from landbridge.cli.main import app
from landbridge.core.recipe import Recipe
from landbridge.reading.read import read

DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def python(*words: str, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """A new interpreter with one thread."""
    known = os.environ | {"OMP_NUM_THREADS": "1"}
    search = os.pathsep.join(p for p in (path, os.environ.get("PYTHONPATH", "")) if p)
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=known | ({"PYTHONPATH": search} if search else {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["make_parts.py", "make_cli.py"])
def test_generated_page_is_current(name: str) -> None:
    done = python(f"docs/{name}", "--check", cwd=ROOT)
    assert done.returncode == 0, f"run python docs/{name} again\n{done.stderr}"


def test_lines_are_short_enough_to_read() -> None:
    for page in PAGES:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            printed = line.startswith(("|", "assumed "))  # tables, and what a command printed
            assert len(line) <= 120 or printed, f"{page.name}:{number} is longer than 120"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_exist_with_their_options(page: Path) -> None:
    group = typer.main.get_command(app)
    for words in commands(page):
        if words in ([], ["--help"], ["--version"]):
            continue
        verb = group.commands[words[0]]  # type: ignore[attr-defined]
        arguments = [w for w in words[1:] if w != "[OPTIONS]"]
        if arguments == ["--help"]:
            continue
        context = verb.make_context(words[0], list(arguments))
        assert not context.args, f"{page.name}: landbridge {' '.join(words)}"


def test_tutorials_cover_every_modality() -> None:
    assert [p.stem for p in TUTORIALS] == ["images", "series", "sound", "tables", "text"]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda p: p.stem)
def test_tutorial_makes_its_data(page: Path, tmp_path: Path) -> None:
    code = marked(page, "data")
    done = python("-W", "error", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    data = next(words[1] for words in commands(page) if words[0] == "run")
    domain = read(tmp_path / data, cache=tmp_path / "cache")
    expected = {"images": "image", "sound": "audio", "tables": "table"}.get(page.stem, page.stem)
    assert domain.modality.part_name == expected


def test_recipes_in_all_spellings_are_one(tmp_path: Path) -> None:
    page = DOCS / "recipes.md"
    from_toml = Recipe.from_toml(marked(page, "recipe: lp-ft.toml"))
    assert Recipe.from_json(json.loads(marked(page, "recipe: lp-ft.json"))) == from_toml
    code = marked(page, "recipe: python")
    (tmp_path / "spelt.py").write_text(code + "\nprint(recipe.to_toml(), end='')\n", encoding="utf-8")
    done = python("spelt.py", cwd=tmp_path)
    assert Recipe.from_toml(done.stdout) == from_toml, done.stderr
    typed = next(c for c in commands(page) if c[0] == "fit" and "full(layer_decay=0.8)" in c)
    asked = typer.main.get_command(app).commands["fit"].make_context("fit", typed[1:]).params  # type: ignore[attr-defined]
    lengths = {"lr": asked["lr"]}
    assert Recipe.from_json(spelled(asked["source"], asked["bridge"], asked["tuning"], None, lengths)) == from_toml


def test_plugin_works_as_the_page_says(tmp_path: Path) -> None:
    page = DOCS / "plugins.md"
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "last_block.py").write_text(marked(page, "plugin: last_block.py"), encoding="utf-8")
    (line,) = [b.text for b in blocks(page) if b.language == "toml"]
    entry = tomllib.loads(line)["project"]["entry-points"]["landbridge.tunings"]
    info = tmp_path / "my_package-1.0.dist-info"  # what pip writes when it installs the package
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    named = "\n".join(f"{k} = {v}" for k, v in entry.items())
    (info / "entry_points.txt").write_text(f"[landbridge.tunings]\n{named}\n", encoding="utf-8")
    test = "from my_package.last_block import LastBlock\n" + marked(page, "plugin: test")
    (tmp_path / "check.py").write_text(test + "\n\ntest_last_block_keeps_the_contract()\n", encoding="utf-8")
    done = python("check.py", cwd=tmp_path, path=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_readme_holds_the_test_command_for_ci() -> None:
    text = marked(ROOT / "README.md", "test command")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (extract,) = re.findall(r'command="\$\((.*)\)"', script)
    done = subprocess.run(["bash", "-c", extract], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == text.strip()
    assert ".venv" in text
