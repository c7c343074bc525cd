"""The command line by itself: help, JSON and nothing else, errors of one line, recipes that come back the same."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import landbridge
from landbridge.cli.fit import spelled
from landbridge.core import codec, registry
from landbridge.core.parts import Rule, rules
from landbridge.core.recipe import LENGTH, Recipe, Stage
from landbridge.planning.candidates import single

VERBS = ("run", "plan", "assess", "fit", "eval", "predict", "compare", "sources", "parts", "doctor", "world")
MAIN = [sys.executable, "-c", "from landbridge.cli.main import main; main()"]


def test_help_of_every_verb_shows_an_example(command: Any) -> None:
    said = command("--help")
    assert said.code == 0
    for verb in VERBS:
        assert re.search(rf"^\W*{verb}\s", said.out, re.MULTILINE), verb
        page = command(verb, "--help")
        assert page.code == 0
        assert f"Example: landbridge {verb}" in " ".join(page.out.split())


def test_the_package_is_a_program_too() -> None:
    told = subprocess.run([sys.executable, "-m", "landbridge", "--help"], capture_output=True, text=True, check=True)
    assert "predict" in told.stdout and not told.stderr


def test_help_and_import_load_nothing_slow() -> None:
    code = "import sys, landbridge.cli.main; print({'torch', 'numpy', 'sklearn', 'pandas', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["runn", "x"], 2, "Did you mean 'run'?"),
        (["run", "x", "--sorce", "y"], 2, "--source"),
        (["run"], 2, "Missing argument"),
        (["run", "x", "--budget", "soon"], 2, "write 90s, 10m or 1h30m"),
        (["run", "x", "--seed", "-1"], 2, "--seed"),
        *(
            ([verb, "x", "--cache-size", "lots"], 2, "'lots' as a cache size; write 500M or 10G, or 0")
            for verb in ("run", "plan", "assess", "compare")
        ),
        (["run", "x", "--source", "minilm"], 2, "scheme:name"),
        (["run", "nowhere/at/all"], 3, "nowhere/at/all"),
        (["run", "demo:digit"], 2, "did you mean digits?"),
        (["fit", "x"], 2, "--source embedded:minilm"),
        (["fit", "x", "--source", "embedded:minilm", "--tuning", "lra"], 2, "did you mean lora?"),
        (["fit", "x", "--source", "embedded:minilm", "--tuning", "lora(rank=0)"], 2, "rank must be a whole number"),
        (["fit", "x", "--source", "embedded:minilm", "--lr", "0.1", "--lr", "0.2"], 2, "--lr is given 2 times"),
        (["fit", "x", "--recipe", "nowhere.toml"], 3, "nowhere.toml"),
        (["predict", "nowhere", "x"], 5, "there is no such artifact"),
        (["predict", "nowhere", "x", "--format", "xml"], 2, "known: csv, json, table"),
        (["parts", "tuning"], 2, "did you mean tunings"),
        (["eval", "nowhere", "x"], 5, "there is no such artifact"),
    ],
)
def test_what_a_person_did_wrong_is_one_line_with_a_way_out(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = command(*words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1), said
    assert said.err.startswith("error: ")
    assert told in said.err
    again = command(*words, "--json") if words[0] not in ("runn",) else said
    if words[0] != "runn":
        assert json.loads(again.err) == {"error": said.err.removeprefix("error: ").strip(), "exit_code": code}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["sources", "parts", "doctor"])
def test_lists_are_one_json_document_or_plain_text(command: Any, verb: str) -> None:
    said = command(verb, "--json")
    assert said.code == 0
    assert isinstance(json.loads(said.out), list)
    plain = command(verb)
    assert plain.code == 0
    assert "\x1b" not in plain.out, "a pipe gets no colours"
    assert len(plain.out.splitlines()) >= 5


def test_parts_tell_fields_ranges_and_papers(command: Any) -> None:
    found = json.loads(command("parts", "tunings", "--json").out)
    lora = next(p for p in found if p["name"] == "lora")
    assert lora["fields"]["rank"] == "8, a whole number from 1 to 512"
    assert lora["paper"]
    assert lora["origin"] == "landbridge"


def field(rule: Rule) -> st.SearchStrategy[Any]:
    """Values that a field may have."""
    if rule.options:
        return st.sampled_from(rule.options)
    if rule.kind is bool:
        return st.booleans()
    if rule.kind is int:
        return st.integers(int(rule.low), int(rule.high))
    if rule.kind is float:
        return st.floats(rule.low, rule.high, allow_nan=False)
    return st.just("auto")


@st.composite
def part(draw: st.DrawFn, group: str) -> Any:
    """Any registered part with any field values."""
    name = draw(st.sampled_from(registry.names(group)))
    cls = registry.find(group, name)
    wanted = rules(cls)
    chosen = draw(st.sets(st.sampled_from(sorted(wanted)), max_size=2)) if wanted else set[str]()
    texts = {k for k in chosen if wanted[k].kind is str and not wanted[k].options}
    return codec.build(group, name, {k: draw(field(wanted[k])) for k in sorted(chosen - texts)})


stages = st.builds(
    Stage,
    tuning=part("tunings"),
    objectives=st.tuples(part("objectives")),
    epochs=st.integers(0, 100),
    lr=st.floats(0, 10),
    batch=st.integers(1, 512),
    decay=st.floats(0, 10),
    patience=st.integers(0, 50),
    average=st.sampled_from(LENGTH["average"].options),
)
recipes = st.builds(
    Recipe,
    source=st.sampled_from(["embedded:minilm", "transformers:my models/net", "scratch:convnet"]),
    bridge=part("bridges"),
    stages=st.lists(stages, min_size=1, max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(recipes)
def test_a_recipe_comes_back_from_its_command_its_json_and_its_file(recipe: Recipe) -> None:
    words = shlex.split(recipe.command)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    given_ = {name: [v for k, v in pairs if k == f"--{name}"] for name in ("tuning", "objective", *LENGTH)}
    lengths = {n: [LENGTH[n].kind(v) for v in given_[n]] or None for n in LENGTH}
    values = spelled(dict(pairs)["--source"], dict(pairs)["--bridge"], given_["tuning"], given_["objective"], lengths)
    assert Recipe.from_json(values) == recipe
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 60 sentences with its split."""
    path = tmp_path_factory.mktemp("cli") / "news.csv"
    ends = ("today", "again", "at last", "this week", "in May", "in June", "for once", "as told", "no doubt", "by noon")
    pets, money = (
        ("a cat purred", "the dog barked", "my parrot talks"),
        ("shares fell", "rates rose", "the bank failed"),
    )
    lines = ["text,label,split"]
    for i, end in enumerate(ends):
        split = "train" if i < 6 else "validation" if i < 8 else "test"
        lines += [f"{start} {end},{label},{split}" for label, starts in (("pets", pets), ("money", money))
                  for start in starts]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def artifact(texts: Path) -> Path:
    """A rival over the sentences: the cheapest artifact that reads texts."""
    recipe = Recipe(source="rival:tfidf", bridge=codec.parse("bridges", "native"), stages=())
    return landbridge.fit(texts, recipe, budget="15s", out=texts.parent / "made").path


def test_predict_reads_tables_texts_files_and_stdin(
    command: Any, artifact: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = tmp_path / "some.txt"
    lines.write_text("the dog barked\nshares fell\n")
    for words, names in (
        ([texts], 60),
        ([lines], 2),
        (["the cat purred at last"], 1),
        (["the cat purred", "rates rose", lines], 4),
    ):
        said = command("predict", artifact, *words, "--json")
        assert (said.code, said.err) == (0, "")
        found = [json.loads(line) for line in said.out.splitlines()]
        assert len(found) == names
        assert all(set(f) == {"input", "label", "probabilities"} for f in found)
    with lines.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        said = command("predict", artifact, "-", "--format", "csv")
    assert said.out.splitlines()[0] == "input,label,p(money),p(pets)"
    assert [line.split(",")[:2] for line in said.out.splitlines()[1:]] == [["line 1", "pets"], ["line 2", "money"]]
    table = command("predict", artifact, lines).out
    assert table.splitlines()[0].split() == ["input", "label", "probability"]


def test_assess_says_what_the_data_is_and_leaves_the_test_shut(command: Any, texts: Path) -> None:
    said = command("assess", texts, "--source", "embedded:minilm", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert {"schema", "name", "domain", "assumptions", "checks", "probes"} <= set(found)
    assert "test" not in found
    scores = [p["validation"] for p in found["probes"] if p["validation"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert all(a["option"] for a in found["assumptions"])


def test_assess_tells_how_near_earlier_targets_are(
    command: Any, artifact: Path, texts: Path, encoder: str, tmp_path: Path
) -> None:
    recipe = single(encoder, codec.parse("bridges", "native"), "probe")
    probe = landbridge.fit(texts, recipe, budget="30s", out=tmp_path / "probe").path
    near = ("--near", artifact, "--near", probe)
    said = command("assess", texts, "--source", encoder, *near, "--out", tmp_path / "page")
    assert said.code == 0, said.err
    lines = said.out[said.out.index("earlier targets") :].splitlines()
    assert lines[1].endswith("another draw of the same data (" + lines[1].rpartition("(")[2])
    assert lines[1].split()[1] == f"{probe}:" and lines[2].split()[:4] == ["money", "is", "nearest", "to"]
    assert lines[4].startswith(f"      -  {artifact}: does not tell: a control was delivered")
    assert (tmp_path / "page" / "assess.html").read_text().count("<ellipse") == 2
    said = command("assess", texts, "--source", encoder, "--near", tmp_path / "nowhere")
    assert said.code == 5 and f"{tmp_path / 'nowhere'}: there is no such artifact" in said.err


def test_progress_is_drawn_on_a_terminal_only_and_colours_can_be_refused(texts: Path, tmp_path: Path) -> None:
    words = [*MAIN, "fit", str(texts), "--source", "rival:tfidf", "--budget", "15s", "--out", str(tmp_path / "made")]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True) as process:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end of a terminal is closed
                break
            if not piece:
                break
            drawn += piece
        out = process.communicate()[0]
    os.close(ours)
    assert process.returncode == 0
    shown = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", drawn).decode()
    for stage in ("read", "check", "compare", "judge", "report", "s left"):
        assert stage in shown, stage
    assert "assumed" in shown
    assert "\x1b" not in out, "stdout is a pipe"
    assert "landbridge predict" in out
    quiet = subprocess.run([*words, "--quiet"], capture_output=True, text=True, check=True)
    assert (quiet.stdout, quiet.stderr) == ("", "")
