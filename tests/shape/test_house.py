"""The rules of the house that a program can check: floors, cycles, sizes, documentation, safety."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import landbridge

ROOT = Path(landbridge.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py"))
FLOORS = {
    "core": 0,
    "nn": 1,
    "modalities": 2, "tasks": 2, "sources": 2, "bridges": 2, "tunings": 2, "objectives": 2, "rivals": 2, "evidence": 2,
    "worlds": 2,
    "reading": 3, "engine": 3,
    "planning": 4,
    "delivery": 5, "report": 5,
    "unlabelled_road": 6, "demo": 6,
    "road": 7, "ahead": 7,
    "estimators": 8,
    "cli": 9, "testing": 9,
    "__main__": 10,
}  # fmt: skip
LONGEST_FILE = 500
LONGEST_FUNCTION = 80
NO_NAMES = {"utils", "util", "common", "helpers", "misc", "tools"}
UNSAFE_CALLS = {"eval", "exec", "compile"}
UNSAFE_MODULES = {
    "pickle",
    "joblib",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "torchvision",
    "torchaudio",
    "librosa",
}


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room of a module: `landbridge.core.domain` is in core; the shop window is none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> Iterator[str]:
    """The modules of ours that a file imports, type-checking blocks left out."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(n)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for n in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("landbridge"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                inner = ROOT.parent / Path(*full.split("."))
                yield full if inner.with_suffix(".py").exists() or inner.is_dir() else node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("landbridge"))


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_floor_imports_only_floors_below_it(path: Path) -> None:
    module = module_of(path)
    room = room_of(module)
    if not room:
        return
    for target in imports(path):
        other = room_of(target)
        if other and other != room:
            assert FLOORS[other] < FLOORS[room], f"{module} ({room}) imports {target} ({other})"


def test_there_is_no_cycle_between_modules() -> None:
    graph = {module_of(p): {m for m in imports(p) if m != module_of(p)} for p in FILES}
    state: dict[str, int] = {}

    def visit(node: str, path: tuple[str, ...]) -> None:
        if state.get(node) == 2 or node not in graph:
            return
        assert state.get(node) != 1, f"cycle: {' > '.join((*path, node))}"
        state[node] = 1
        for target in graph[node]:
            visit(target, (*path, node))
        state[node] = 2

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_and_functions_have_a_readable_size(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    assert path.stem not in NO_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path.name}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_public_functions_are_typed_and_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if path.stem != "__init__":
        assert ast.get_docstring(tree), f"{path} has no docstring"
    public = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_")]
    for node in public:
        assert ast.get_docstring(node), f"{path.name}:{node.lineno} {node.name} has no docstring"
        methods = [node] if isinstance(node, ast.FunctionDef) else [
            m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")
        ]  # fmt: skip
        for method in methods:
            where = f"{path.name}:{method.lineno} {method.name}"
            assert method.returns is not None, f"{where} has no return type"
            arguments = [a for a in (*method.args.args, *method.args.kwonlyargs) if a.arg not in ("self", "cls")]
            assert all(a.annotation is not None for a in arguments), f"{where} has an untyped argument"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_nothing_unsafe_is_called(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in UNSAFE_CALLS, f"{path.name}:{node.lineno} calls {name}"
            assert name not in ("torch.load", "yaml.load"), f"{path.name}:{node.lineno} calls {name}"
            for keyword in node.keywords:
                on = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                assert not (keyword.arg in ("allow_pickle", "trust_remote_code") and on), f"{path.name}:{node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            reraises = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
            assert caught not in ("everything", "Exception"), f"{path.name}:{node.lineno} catches {caught}"
            assert caught != "BaseException" or reraises, f"{path.name}:{node.lineno} swallows everything"
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            allowed = path.parent.name == "sources" and path.stem == "timm"
            assert name.split(".")[0] not in UNSAFE_MODULES or allowed, f"{path.name}:{node.lineno} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_every_file_imports(path: Path) -> None:
    if path.stem != "__main__":
        importlib.import_module(module_of(path))


@pytest.mark.parametrize("statement", ["import landbridge", "import landbridge.cli.main"])
def test_the_window_and_the_command_line_load_nothing_heavy(statement: str) -> None:
    heavy = ("torch", "transformers", "datasets", "sklearn", "scipy")
    code = f"{statement}; import sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_shop_window_is_small_and_every_name_in_it_loads() -> None:
    assert len(landbridge.__all__) <= 12
    for name in landbridge.__all__:
        assert getattr(landbridge, name) is not None
